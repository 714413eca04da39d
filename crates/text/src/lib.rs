//! Text in, text out: what stands between a person's words and an engine's token ids.
//!
//! A [`TextModel`] is a model directory as everything that writes for people uses it: weights, tokenizer, what begins a
//! text, what ends it, and what keeps it valid UTF-8. [`TextModel::chat_prompt`] renders a conversation, [`Sampling`]
//! says how tokens are chosen, and [`ReplyText`] makes text of the tokens as they come. [`ChatHistory`] leaves out what
//! a context has no room for. The terminal and the server both go through it, so that they cannot differ.
//!
//! Reading order: `model`, `sampling`, `reply`, `history`; `export` writes a model as a GGUF file, with proof.

mod model;
mod sampling;
mod reply;
mod history;
mod export;
mod error;

pub use error::TextError;
pub use export::{Receipt, export_gguf};
pub use history::{ChatHistory, Fit, prompt_limit};
pub use model::{TextModel, tokenizer_near};
pub use reply::{Piece, ReplyText};
pub use sampling::{Asked, CHAT_TEMPERATURE, Sampling};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
