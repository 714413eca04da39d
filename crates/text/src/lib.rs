//! Text in, text out: the layer between text and an engine's token ids.
//!
//! A [`TextModel`] is a loaded model directory: weights, tokenizer, leading token, stop ids, and UTF-8 guard.
//! [`TextModel::chat_prompt`] renders a conversation, [`Sampling`] resolves sampling settings, and [`ReplyText`] turns
//! tokens into text as they arrive. [`ChatHistory`] drops the exchanges that do not fit the context. The terminal and
//! the server both use it, so that they cannot differ.
//!
//! Reading order: `model`, `sampling`, `reply`, `history`; `export` writes a model as a GGUF file and compares the two.

mod model;
mod sampling;
mod reply;
mod history;
mod export;
mod error;

pub use error::TextError;
pub use export::{Receipt, export_gguf};
pub use history::{ChatHistory, FittedPrompt, prompt_limit};
pub use model::{TextModel, tokenizer_near};
pub use reply::{ReplyText, TextDelta};
pub use sampling::{CHAT_TEMPERATURE, RequestedSampling, Sampling};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
