//! Errors of an evaluation.

use fireclay_data::DataError;
use fireclay_infer::InferError;
use fireclay_tokenizer::TokenizerError;
use fireclay_train::TrainError;

/// Error of an evaluation: one line with the problem, its place and its remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// No question has a right answer.
    #[error(
        "no right answers are given; give `answer`, `regex` or `json` with every prompt, or compare two \
         models \
         with --task wins"
    )]
    NothingChecked,
    /// No prompt of a battery has a right reply.
    #[error(
        "battery: no right answers are given; give `answer`, `regex` or `json` with every prompt of \
         battery.data"
    )]
    NothingCheckedInBattery,
    /// A topic whose metric would have the name of another one.
    #[error("{origin}: a topic cannot be called {topic:?}; give it another name")]
    ReservedTopic {
        /// Origin of the task: `path:line`.
        origin: String,
        /// The topic.
        topic: String,
    },
    /// An answer without a context, and a tokenizer without a beginning-of-text token to condition on.
    #[error(
        "an answer has no text before it, and this tokenizer has no token that begins a text; give every question \
         some words"
    )]
    NothingBefore,
    /// A file whose documents are too short to be scored.
    #[error("{path}: no document of two tokens or more; give one with text in it")]
    NoText {
        /// The file.
        path: String,
    },
    /// The questions: a file, or a chat template.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A text that the tokenizer cannot encode.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A setting of generation or scoring, or logits that are not finite.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// A reward model, or the battery.
    #[error(transparent)]
    Train(#[from] TrainError),
}
