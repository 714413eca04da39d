//! `manifest.json`: the list of shards that make a whole set. It is written last.

use std::fs;
use std::io::Write;
use std::path::Path;

use fireclay_files::write_atomically;
use serde::{Deserialize, Serialize};

use super::Split;
use crate::DataError;

pub(super) const FILE: &str = "manifest.json";
const FORMAT: &str = "fireclay-shards";
const VERSION: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: String,
    pub version: u32,
    /// Key of the shards' source; see `source_key`.
    pub key: String,
    pub tokenizer: String,
    pub vocab_size: usize,
    pub end_of_text: Option<u32>,
    pub train: Vec<Entry>,
    pub validation: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub file: String,
    pub tokens: u64,
    pub documents: u64,
    pub text_bytes: u64,
    pub checksum: String,
    /// BLAKE3 of each [`BLOCK_BYTES`](super::blocks::BLOCK_BYTES) of its tokens. Sets written before these were have
    /// none.
    #[serde(default)]
    pub blocks: Vec<String>,
}

impl Manifest {
    pub(super) fn new(
        key: String,
        tokenizer: &[u8; 32],
        vocab_size: usize,
        end_of_text: Option<u32>,
        [train, validation]: [Vec<Entry>; 2],
    ) -> Self {
        let tokenizer = hex(tokenizer);
        Self { format: FORMAT.into(), version: VERSION, key, tokenizer, vocab_size, end_of_text, train, validation }
    }

    pub(super) fn entries(&self, split: Split) -> &[Entry] {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
        }
    }

    pub(super) fn read(dir: &Path) -> Result<Self, DataError> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let reason = if dir.is_dir() {
                    "manifest.json is not there, so writing it was cut off"
                } else {
                    "no such folder"
                };
                return Err(DataError::Incomplete { dir: dir.into(), reason: reason.into() });
            }
            Err(error) => return Err(DataError::read(&path, error)),
        };
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|error| DataError::damaged(&path, error.to_string().replace('\n', " ")))?;
        if manifest.format != FORMAT || manifest.version != VERSION {
            let found = format!(
                "it has format {:?} version {}, and only {FORMAT} {VERSION} is supported",
                manifest.format, manifest.version
            );
            return Err(DataError::damaged(&path, found));
        }
        let inside = |entry: &Entry| Path::new(&entry.file).file_name() == Some(entry.file.as_ref());
        if let Some(entry) = manifest.train.iter().chain(&manifest.validation).find(|entry| !inside(entry)) {
            return Err(DataError::damaged(&path, format!("{:?} is not a file of this folder", entry.file)));
        }
        Ok(manifest)
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), DataError> {
        let path = dir.join(FILE);
        let written = write_atomically(&path, |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        });
        written.map_err(|error| DataError::write(&path, error))
    }
}

pub(super) fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}
