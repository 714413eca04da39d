//! Errors of GGUF files.

use std::io;
use std::path::{Path, PathBuf};

/// Error of reading or writing a GGUF file.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The file is damaged, or has a part that is not supported.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The problem, its place and its remedy.
        message: String,
    },
}

impl GgufError {
    /// An error for a file that is damaged or has content that its reader does not support.
    #[must_use]
    pub fn invalid(path: &Path, message: impl Into<String>) -> Self {
        // Names from the file may have line ends and control characters.
        let message: String = message.into().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self::Invalid { path: path.to_owned(), message }
    }
}
