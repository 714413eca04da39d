//! Errors of model directories and of texts for them.

use std::path::PathBuf;

use fireclay_infer::InferError;
use fireclay_model::ModelError;
use fireclay_tokenizer::{OmittedPart, TokenizerError};

/// Errors of a model directory or of a text for it.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// There is no tokenizer.
    #[error("{}: this model has no tokenizer; put its tokenizer.json there, or use token ids", .dir.display())]
    NoTokenizer {
        /// The model's folder.
        dir: PathBuf,
    },
    /// There is no chat template.
    #[error(
        "{}: the tokenizer has no chat template, so this is a base model; fine-tune it, or let it continue a text \
         with `generate`; \
         if it is a chat model, put its chat_template.jinja there", .dir.display()
    )]
    NoChatTemplate {
        /// The model's folder.
        dir: PathBuf,
    },
    /// Its completions cannot be constrained.
    #[error("{}: this tokenizer's tokens are not plain bytes, so completions cannot be constrained; generate without \
             it", .dir.display())]
    NoConstraints {
        /// The model's folder.
        dir: PathBuf,
    },
    /// Nothing can stand for an empty text.
    #[error("the prompt is empty, and this tokenizer has no token that begins a text; give some text")]
    EmptyPrompt,
    /// The chat template leaves out a part of the conversation.
    #[error("{0}; use a model whose template shows it, or leave it out")]
    Omitted(OmittedPart),
    /// The tokenizer, its template or its files.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The weights.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The engine.
    #[error(transparent)]
    Infer(#[from] InferError),
}
