//! Errors of training.

use std::path::{Path, PathBuf};

use fireclay_data::DataError;
use fireclay_infer::InferError;
use fireclay_model::ModelError;
use fireclay_tokenizer::TokenizerError;

/// An error whose message is one line: the problem, its place and its remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A key of [`TrainConfig`](crate::TrainConfig) with an impossible value.
    #[error("{key} = {value}: it must be {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// Allowed values.
        expected: &'static str,
    },
    /// A checkpoint was made with other settings than those of the resumed run.
    #[error("{dir}: {key} was {old} when this stage began and is {new} now; give it its old value, or start afresh in \
             another folder", dir = dir.display())]
    Changed {
        /// The checkpoint.
        dir: PathBuf,
        /// The key.
        key: String,
        /// Its value in the checkpoint.
        old: String,
        /// Its value now.
        new: String,
    },
    /// A checkpoint that does not agree with its checksums, or cannot be parsed.
    #[error("{file}: {problem}; {remedy}", file = file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The problem.
        problem: String,
        /// The remedy.
        remedy: String,
    },
    /// Two runs in one folder.
    #[error("{dir}: another run is working in this folder; wait for it or stop it, or choose another \
             folder", dir = dir.display())]
    Locked {
        /// The stage's folder.
        dir: PathBuf,
    },
    /// Too many consecutive steps with a non-finite loss or gradient.
    #[error(
        "step {step}: the loss or its gradient was not finite {count} times in a row; lower learning_rate or clip, or \
         look at the data near here"
    )]
    Diverged {
        /// The last step that was tried.
        step: u64,
        /// Number of steps in a row.
        count: u64,
    },
    /// Weights that have become infinite, or no numbers at all.
    #[error(
        "step {step}: the weights are no longer finite numbers; lower learning_rate and weight_decay, and begin the \
         stage afresh, or run again to resume from a checkpoint that was saved before"
    )]
    NotFinite {
        /// The step after which they were to be saved.
        step: u64,
    },
    /// The operating system refused to read or write: a full disk, missing rights.
    #[error("{path}: cannot be {action}: {source}; free some space or check the permissions, then run again: it \
             resumes from what is saved", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// A checkpoint could not be written. Earlier checkpoints are intact.
    #[error("{dir}: the checkpoint could not be written: {source}; checkpoints saved before are whole: free some \
             space, then run again to resume", dir = dir.display())]
    Save {
        /// The folder of the checkpoint.
        dir: PathBuf,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The device stopped working.
    #[error(
        "the device failed: {0}; run again to resume from what is saved, with a smaller batch if its memory was full"
    )]
    Device(String),
    /// From the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// From the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// From the tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// From generation.
    #[error(transparent)]
    Infer(#[from] InferError),
}

impl TrainError {
    /// Whether the user's input is at fault (exit code 2), not the machine or the run (exit code 1).
    #[must_use]
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::Config { .. }
            | Self::Changed { .. }
            | Self::Damaged { .. }
            | Self::Locked { .. }
            | Self::Model(_)
            | Self::Tokenizer(_)
            | Self::Infer(_) => true,
            Self::Data(error) => error.is_input_error(),
            Self::Diverged { .. } | Self::NotFinite { .. } | Self::Io { .. } | Self::Save { .. } | Self::Device(_) => {
                false
            }
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.into(), action: "read", source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.into(), action: "written", source }
    }
}
