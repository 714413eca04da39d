//! Text in, batches of token ids out.
//!
//! ```text
//! files, folders, hf://  ──documents──►  Document  ──shards──►  ShardSet  ──batches──►  Batch
//! files, folders, hf://  ──examples──►  Conversation  ──chat──►  EncodedChats  ──chat──►  Batch
//! ```
//!
//! - [`documents`] reads .txt, .jsonl and .parquet (also .gz and .zst) as a stream, in constant memory.
//! - [`shards`] tokenises that stream in parallel into checksummed, memory-mapped files.
//! - [`batches`] cuts windows out of the tokens: each [`Source`] is seeded, and resumes exactly from
//!   a [`Position`].
//! - [`examples`] reads labelled examples: conversations, preferences, tasks, ratings and benchmarks.
//! - [`chat`] turns them into ids by the tokenizer's chat template, and packs whole conversations into batches.
//!
//! [`fireclay_corpus`] generates all of it, for a first run without any files; `From` converts its output to examples.
//!
//! ```
//! use fireclay_data::{PackedSource, ShardSet, Source, Split};
//!
//! let tokens = ShardSet::from_ids((0..1000).collect(), (1000..1100).collect());
//! let mut source = PackedSource::new(&tokens, Split::Train, 4, 16, 42)?;
//! let batch = source.next_batch()?;
//! assert_eq!(batch.ids.len(), 4 * 16);
//! assert_eq!(batch.targets[0], batch.ids[1]);
//! # Ok::<(), fireclay_data::DataError>(())
//! ```
//!
//! The crate knows no model and no tensors.

pub mod documents;
pub mod shards;
pub mod batches;
pub mod examples;
pub mod chat;
mod error;

pub use batches::{Batch, PackedSource, Position, RandomWindows, Source, ValidationBatches, validation};
pub use chat::{ChatSource, EncodedChats, Shuffled, chat_validation};
pub use documents::{Document, DocumentPart, Documents, ReadOptions, open_documents, open_documents_with};
pub use error::DataError;
pub use shards::{
    ShardSet, ShardWriter, Split, TokenizeOptions, Tokenized, ValidationSplit, documents_of_side, tokenize,
    tokenize_paths, tokenize_splits,
};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
