//! Text to token ids and back, and conversations to text.
//!
//! A [`Tokenizer`] is loaded ([`Tokenizer::load`]) from a Hugging Face folder, from GPT-2's `encoder.json` and
//! `vocab.bpe`, or from a tiktoken rank file; or it is trained here, as byte-level BPE ([`Tokenizer::train_bpe`]) or
//! with one token a character ([`Tokenizer::train_char`]). [`Tokenizer::save`] writes a folder that opens in
//! `transformers`' `AutoTokenizer`.
//!
//! Conversations are rendered by the tokenizer's [`ChatTemplate`] as `apply_chat_template` would render them, and
//! [`Tokenizer::encode_chat`] says which of the ids carry loss. This is the only place where that happens, so training
//! and chatting cannot differ.
//!
//! This crate knows no tensors.
//!
//! ```
//! use fireclay_tokenizer::{BpeConfig, Message, Tokenizer};
//!
//! let documents = ["the kiln is hot", "the clay is in the kiln"].map(String::from);
//! let config = BpeConfig { vocab_size: 280, ..BpeConfig::default() };
//! let tokenizer = Tokenizer::train_bpe(documents.into_iter(), &config)?;
//!
//! let ids = tokenizer.encode("the kiln, 热!");
//! assert_eq!(tokenizer.decode(&ids), "the kiln, 热!");
//!
//! let chat = [Message::new("user", "Is it hot?"), Message::new("assistant", "It is.")];
//! let encoded = tokenizer.encode_chat(&chat)?;
//! assert_eq!(encoded.ids.len(), encoded.loss.len());
//! # Ok::<(), fireclay_tokenizer::TokenizerError>(())
//! ```

mod tokenizer;
mod guard;
mod steps;
mod pieces;
mod words;
mod bytes;
mod stream;
mod hash;
mod patterns;
mod text_file;
mod train;
mod load;
mod gpt2;
mod ranks;
mod sentencepiece;
mod gguf;
mod settings;
mod special_map;
mod added;
mod save;
mod chat;
mod error;

pub use chat::generation::Rendered;
pub use chat::integers::unheld_integer;
pub use chat::message::Message;
pub use chat::omitted::OmittedPart;
pub use chat::template::{ChatTemplate, RenderOptions};
pub use chat::{CHATML, EncodedAnswer, EncodedChat};
pub use error::TokenizerError;
pub use stream::DecodeStream;
pub use tokenizer::Tokenizer;
pub use train::{BpeConfig, CharConfig, WordsConfig};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
