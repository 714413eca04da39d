//! Errors of generation.

/// An error of one line: the problem, its place, and the remedy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InferError {
    /// A prompt without any token: there is nothing to predict from.
    #[error("prompt {row} is empty; begin it with at least one token, such as the one that separates documents")]
    EmptyPrompt {
        /// Index of the prompt in the batch, from 0.
        row: usize,
    },
    /// A prompt that is longer than the model's context.
    #[error(
        "prompt {row} has {tokens} tokens but the model's context is {context}; shorten it, or let the context slide"
    )]
    PromptTooLong {
        /// Index of the prompt in the batch, from 0.
        row: usize,
        /// Tokens in the prompt.
        tokens: usize,
        /// The model's context in tokens.
        context: usize,
    },
    /// An id that is not in the model's vocabulary.
    #[error(
        "token id {id} (number {position} of sequence {row}) is not below the model's vocabulary size {vocab_size}; \
         use the model's own tokenizer"
    )]
    UnknownId {
        /// The id.
        id: u32,
        /// Its index in the sequence.
        position: usize,
        /// Index of the sequence in the batch, from 0.
        row: usize,
        /// Number of ids in the vocabulary.
        vocab_size: usize,
    },
    /// A setting of [`SamplingConfig`](crate::SamplingConfig) that is invalid.
    #[error("{setting} = {value}; {expected}")]
    Setting {
        /// The field.
        setting: &'static str,
        /// The value.
        value: String,
        /// Allowed values.
        expected: &'static str,
    },
    /// A request that may need more memory than the engine has.
    #[error(
        "prompt {row} and its completion may take {tokens} tokens, whose keys and values take {bytes} bytes, and \
         {memory} are allowed; raise the memory, or generate fewer tokens"
    )]
    TooLittleMemory {
        /// Index of the prompt in the call, from 0.
        row: usize,
        /// Largest number of tokens of prompt and completion.
        tokens: usize,
        /// Bytes of their keys and values.
        bytes: usize,
        /// Bytes that the engine may use.
        memory: usize,
    },
    /// A [`Constraint`](crate::Constraint) that is malformed, cannot be met, or is too large.
    #[error("this constraint cannot be used: {reason}; change it, or generate without it")]
    Constraint {
        /// The problem.
        reason: String,
    },
    /// Logits that are not numbers, so that nothing can be drawn from them.
    #[error(
        "the model's logits after {tokens} tokens are not finite; its weights are damaged or its training diverged: \
         load another checkpoint"
    )]
    NotFinite {
        /// Number of tokens that the model had seen.
        tokens: usize,
    },
    /// A sequence too short to score.
    #[error(
        "there is nothing to score: the first token is never scored, and the sequence has {tokens}; give two or more"
    )]
    NothingToScore {
        /// Tokens in the sequence.
        tokens: usize,
    },
}
