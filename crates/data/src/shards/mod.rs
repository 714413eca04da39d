//! Tokenised text in memory-mapped files.
//!
//! A folder holds `train-00000.bin`, `val-00000.bin`, … and `manifest.json`. Every shard is a 128-byte [header](Header)
//! and its token ids, little-endian, 2 bytes each if the vocabulary has at most 65,536 ids and 4 bytes otherwise. The
//! tokens of a split are those of its shards in order. The tokenizer's end-of-text id is written *between* documents: a
//! split of one document has none.
//!
//! A shard is written under a temporary name, synced and renamed; the manifest comes last. So a folder without a
//! manifest is never mistaken for a complete set. Opening a set verifies headers and lengths; the tokens are verified
//! in blocks of 1 MiB, each against its BLAKE3 checksum in the manifest before the first of them is returned.

mod tokenize;
mod split;
mod header;
mod blocks;
mod writer;
mod manifest;
mod set;

pub use fireclay_corpus::Split;
pub use header::{Header, Width};
pub use set::ShardSet;
pub use split::{ValidationSplit, documents_of_side};
pub use tokenize::{TokenizeOptions, Tokenized, tokenize, tokenize_paths, tokenize_splits};
pub use writer::ShardWriter;

/// Prefix of the file names of a split.
fn prefix(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Validation => "val",
    }
}

#[cfg(test)]
mod tests;
