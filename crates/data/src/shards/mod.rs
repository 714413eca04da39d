//! Tokenised text in memory-mapped files.
//!
//! A folder holds `train-00000.bin`, `val-00000.bin`, … and `manifest.json`. Every shard is a
//! 128-byte [header](Header) and its token ids, little-endian, 2 bytes each where the vocabulary has
//! at most 65,536 ids and 4 bytes otherwise. The tokens of a split are those of its shards in order.
//! Documents are separated by the tokenizer's end-of-text id, written *between* them: a split of one
//! document has none.
//!
//! A shard is written under a temporary name, synced and renamed; the manifest comes last. A folder
//! without a manifest is therefore never mistaken for a whole set. Opening one verifies headers and
//! lengths; the tokens are verified in blocks of 1 MiB, each against its BLAKE3 checksum in the
//! manifest before the first of them is given out.

mod tokenize;
mod split;
mod header;
mod blocks;
mod writer;
mod manifest;
mod set;

use std::fs::File;
use std::io;
use std::path::Path;

pub use fireclay_corpus::Split;
pub use header::{Header, Width};
pub use set::ShardSet;
pub use split::ValidationSplit;
pub use tokenize::{TokenizeOptions, Tokenized, tokenize, tokenize_paths, tokenize_splits};
pub use writer::ShardWriter;

/// Prefix of the file names of a split.
fn prefix(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Validation => "val",
    }
}

/// Makes a rename within `dir` last through a power cut.
fn sync_dir(dir: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests;
