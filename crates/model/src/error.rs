//! Errors of models: mistakes of users and damaged files.

use std::path::PathBuf;

/// An error of one line: the problem, its place, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file that is missing or cannot be read.
    #[error("{path}: {source}; {hint}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
        /// The remedy.
        hint: &'static str,
    },
    /// A `config.json` that is not valid, or that needs an option this decoder does not have.
    #[error("{path}: {message}", path = path.display())]
    Config {
        /// The `config.json`.
        path: PathBuf,
        /// The problem and its remedy.
        message: String,
    },
    /// A combination of numbers that no decoder can have.
    #[error("invalid model: {0}")]
    Invalid(String),
    /// A weight file that is damaged, incomplete, or of another shape than `config.json` says.
    #[error("{path}: {message}", path = path.display())]
    Weights {
        /// The safetensors file, or the folder.
        path: PathBuf,
        /// The problem and its remedy.
        message: String,
    },
    /// A device name that is unknown, not compiled in, or not present on this machine.
    #[error("{0}")]
    Device(String),
}
