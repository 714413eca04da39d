//! Checksums of parts of a shard: a part is verified when it is first read, so that damaged data is never used and
//! opening a set does not read all of it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Header;
use super::manifest::Entry;
use crate::DataError;

/// Bytes of tokens under one checksum. Windows are read in random order, so that a batch may touch as many blocks as it
/// has rows; a smaller block makes the first batches faster, and the manifest longer.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// The checksums of a shard, and which of them have been compared.
pub(super) struct Blocks {
    path: PathBuf,
    bytes: usize,
    checksums: Vec<String>,
    verified: Vec<AtomicBool>,
}

impl Blocks {
    /// The checksums of a manifest entry: one for the whole shard, if an earlier version wrote it.
    ///
    /// # Errors
    /// When there are fewer or more than the shard has blocks.
    pub(super) fn of(entry: &Entry, header: &Header, path: &Path) -> Result<Self, DataError> {
        let length = header.tokens as usize * header.width.bytes();
        let (bytes, checksums) = match entry.blocks.as_slice() {
            [] => (length.max(1), vec![entry.checksum.clone()]),
            blocks => (BLOCK_BYTES, blocks.to_vec()),
        };
        if checksums.len() != length.div_ceil(bytes).max(1) {
            return Err(DataError::damaged(path, "manifest.json does not list a checksum for each of its blocks"));
        }
        let verified = checksums.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Self { path: path.to_owned(), bytes, checksums, verified })
    }

    /// Verifies the blocks in which these bytes of `tokens`, the shard without its header, lie.
    ///
    /// # Errors
    /// When one does not agree with its checksum.
    pub(super) fn verify(&self, tokens: &[u8], range: Range<usize>) -> Result<(), DataError> {
        if range.is_empty() {
            return Ok(());
        }
        for block in range.start / self.bytes..=(range.end - 1) / self.bytes {
            // Two threads may both verify it, with the same result.
            if self.verified[block].load(Ordering::Relaxed) {
                continue;
            }
            let bytes = &tokens[block * self.bytes..tokens.len().min((block + 1) * self.bytes)];
            if blake3::hash(bytes).to_hex().as_str() != self.checksums[block] {
                return Err(DataError::damaged(&self.path, "its tokens do not match their checksum"));
            }
            self.verified[block].store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Makes the checksums of a shard that is being written.
#[derive(Default)]
pub(super) struct BlockHasher {
    hasher: blake3::Hasher,
    in_block: usize,
    done: Vec<String>,
}

impl BlockHasher {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.in_block));
            self.hasher.update(now);
            self.in_block += now.len();
            bytes = later;
            if self.in_block == BLOCK_BYTES {
                self.close();
            }
        }
    }

    /// The checksum of each block.
    pub(super) fn finish(mut self) -> Vec<String> {
        if self.in_block > 0 {
            self.close();
        }
        self.done
    }

    fn close(&mut self) {
        self.done.push(self.hasher.finalize().to_hex().to_string());
        self.hasher.reset();
        self.in_block = 0;
    }
}
