//! Shards opened for reading.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use fireclay_tokenizer::Tokenizer;
use memmap2::Mmap;

use super::blocks::Blocks;
use super::manifest::{Entry, Manifest, hex};
use super::{Header, Split, Width};
use crate::DataError;

/// The tokens of a training and a validation split, mapped from shards or held in memory.
///
/// Cheap to clone: clones share the mapped files.
#[derive(Clone)]
pub struct ShardSet {
    splits: Arc<[Tokens; 2]>,
    key: Arc<str>,
    document_end: Option<u32>,
}

/// The tokens of one split.
struct Tokens {
    shards: Vec<Shard>,
    /// Index of each shard's first token.
    starts: Vec<u64>,
    len: u64,
    documents: u64,
    text_bytes: u64,
    /// Identifies the tokens.
    fingerprint: [u8; 32],
}

enum Shard {
    Mapped { map: Mmap, width: Width, blocks: Blocks },
    Owned(Vec<u32>),
}

impl ShardSet {
    /// Maps the shards in `dir`, after verifying headers, lengths, and that `tokenizer` is the one that wrote them.
    /// This does not read the tokens: [`read`](Self::read) verifies those that it returns.
    ///
    /// # Errors
    /// When the set is missing, incomplete, damaged there, or another tokenizer's.
    pub fn open(dir: impl AsRef<Path>, tokenizer: &Tokenizer) -> Result<Self, DataError> {
        Self::open_hash(dir.as_ref(), Some(tokenizer.hash()))
    }

    /// [`ShardSet::open`] whichever tokenizer wrote the shards: to look at them without it.
    ///
    /// # Errors
    /// When the set is missing, incomplete or damaged.
    pub fn open_any(dir: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::open_hash(dir.as_ref(), None)
    }

    /// Tokens in memory: for tests, and for data too small for files. The size of their text is unknown, so
    /// [`text_bytes`](Self::text_bytes) is 0.
    #[must_use]
    pub fn from_ids(train: Vec<u32>, validation: Vec<u32>) -> Self {
        let tokens = |ids: Vec<u32>| {
            let mut hasher = blake3::Hasher::new();
            for id in &ids {
                hasher.update(&id.to_le_bytes());
            }
            Tokens::new(vec![(Shard::Owned(ids), 0, 0)], *hasher.finalize().as_bytes())
        };
        Self { splits: Arc::new([tokens(train), tokens(validation)]), key: "".into(), document_end: None }
    }

    /// The same tokens, in whose batches documents do not see each other: a document ends before each `end_of_text`,
    /// which is the first id of the next one.
    ///
    /// Batches made from the set then carry [`segments`](crate::Batch::segments). Without this, a window is one text,
    /// as in GPT's pretraining, and a token attends to earlier documents too.
    #[must_use]
    pub fn with_documents_apart(self, end_of_text: u32) -> Self {
        Self { document_end: Some(end_of_text), ..self }
    }

    /// The id before which documents end, if they are kept apart.
    pub(crate) fn document_end(&self) -> Option<u32> {
        self.document_end
    }

    pub(super) fn open_hash(dir: &Path, tokenizer: Option<[u8; 32]>) -> Result<Self, DataError> {
        let manifest = Manifest::read(dir)?;
        if let Some(expected) = tokenizer.map(|hash| hex(&hash))
            && expected != manifest.tokenizer
        {
            let short = |hash: &str| hash.chars().take(12).collect();
            let found = short(&manifest.tokenizer);
            return Err(DataError::OtherTokenizer { dir: dir.into(), found, expected: short(&expected) });
        }
        let open = |split| -> Result<Tokens, DataError> {
            let mut shards = Vec::new();
            let mut hasher = blake3::Hasher::new();
            for entry in manifest.entries(split) {
                let (shard, header) = open_shard(dir, entry, &manifest)?;
                hasher.update(&header.checksum);
                shards.push((shard, header.documents, header.text_bytes));
            }
            Ok(Tokens::new(shards, *hasher.finalize().as_bytes()))
        };
        let splits = Arc::new([open(Split::Train)?, open(Split::Validation)?]);
        Ok(Self { splits, key: manifest.key.into(), document_end: None })
    }

    fn split(&self, split: Split) -> &Tokens {
        &self.splits[split as usize]
    }

    /// Number of tokens.
    #[must_use]
    pub fn tokens(&self, split: Split) -> u64 {
        self.split(split).len
    }

    /// Number of documents; one that is cut between the splits counts in both.
    #[must_use]
    pub fn documents(&self, split: Split) -> u64 {
        self.split(split).documents
    }

    /// Bytes (UTF-8) of the text that the tokens stand for.
    #[must_use]
    pub fn text_bytes(&self, split: Split) -> u64 {
        self.split(split).text_bytes
    }

    /// Average bytes of text per token, which converts a loss in nats per token to bits per byte, `loss / ln 2 /
    /// bytes_per_token`. `None` if the text is unknown.
    #[must_use]
    pub fn bytes_per_token(&self, split: Split) -> Option<f64> {
        let Tokens { len, text_bytes, .. } = *self.split(split);
        (len > 0 && text_bytes > 0).then(|| text_bytes as f64 / len as f64)
    }

    /// Key of the set's source; empty if none was recorded.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Copies the tokens from index `start` on into `ids`.
    ///
    /// # Errors
    /// When they are damaged. A block of tokens is compared with its checksum when the first of it is read.
    ///
    /// # Panics
    /// When the range reaches past the end of the split.
    pub fn read(&self, split: Split, start: u64, ids: &mut [u32]) -> Result<(), DataError> {
        self.split(split).read(start, ids)
    }

    pub(crate) fn fingerprint(&self, split: Split) -> [u8; 32] {
        self.split(split).fingerprint
    }
}

impl Tokens {
    fn new(parts: Vec<(Shard, u64, u64)>, fingerprint: [u8; 32]) -> Self {
        let (mut len, mut documents, mut text_bytes) = (0, 0, 0);
        let (mut shards, mut starts) = (Vec::new(), Vec::new());
        for (shard, shard_documents, shard_text_bytes) in parts {
            starts.push(len);
            len += shard.len() as u64;
            documents = u64::saturating_add(documents, shard_documents);
            text_bytes = u64::saturating_add(text_bytes, shard_text_bytes);
            shards.push(shard);
        }
        Self { shards, starts, len, documents, text_bytes, fingerprint }
    }

    fn read(&self, start: u64, ids: &mut [u32]) -> Result<(), DataError> {
        let end = start.checked_add(ids.len() as u64);
        assert!(
            end.is_some_and(|end| end <= self.len),
            "tokens {start}..+{} are outside the split of {}",
            ids.len(),
            self.len
        );
        let mut shard = self.starts.partition_point(|&first| first <= start).saturating_sub(1);
        let mut at = start;
        let mut rest = ids;
        while !rest.is_empty() {
            let inside = (at - self.starts[shard]) as usize;
            let count = rest.len().min(self.shards[shard].len() - inside);
            let (now, later) = rest.split_at_mut(count);
            self.shards[shard].read(inside, now)?;
            at += count as u64;
            rest = later;
            shard += 1;
        }
        Ok(())
    }
}

impl Shard {
    fn len(&self) -> usize {
        match self {
            Self::Mapped { map, width, .. } => (map.len() - Header::BYTES) / width.bytes(),
            Self::Owned(ids) => ids.len(),
        }
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        match self {
            Self::Owned(ids) => out.copy_from_slice(&ids[start..start + out.len()]),
            Self::Mapped { map, width, blocks } => {
                let tokens = &map[Header::BYTES..];
                let range = start * width.bytes()..(start + out.len()) * width.bytes();
                blocks.verify(tokens, range.clone())?;
                let bytes = &tokens[range];
                match width {
                    Width::U16 => {
                        for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                            *out = u32::from(u16::from_le_bytes(*bytes));
                        }
                    }
                    Width::U32 => {
                        for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                            *out = u32::from_le_bytes(*bytes);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn open_shard(dir: &Path, entry: &Entry, manifest: &Manifest) -> Result<(Shard, Header), DataError> {
    let path = dir.join(&entry.file);
    let mut file = File::open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            DataError::Incomplete { dir: dir.into(), reason: format!("{} is not there", entry.file) }
        }
        _ => DataError::read(&path, error),
    })?;
    let header = header_of(&mut file, &path)?;
    let agrees = header.tokens == entry.tokens
        && header.documents == entry.documents
        && header.text_bytes == entry.text_bytes
        && hex(&header.checksum) == entry.checksum
        && hex(&header.tokenizer) == manifest.tokenizer
        && header.width == Width::for_vocabulary(manifest.vocab_size);
    if !agrees {
        return Err(DataError::damaged(&path, "it is not the shard that manifest.json lists"));
    }
    // SAFETY: shards are never changed in place, only written under another name and renamed; a
    // process that truncates one regardless would end this one with SIGBUS, as with any mapping.
    #[expect(unsafe_code, reason = "a map of a file, which nobody must change while it is read")]
    let map = unsafe { Mmap::map(&file) }.map_err(|error| DataError::read(&path, error))?;
    if map.len() as u64 != header.file_bytes().unwrap_or(0) {
        return Err(DataError::damaged(&path, "its length changed while it was being opened"));
    }
    let blocks = Blocks::of(entry, &header, &path)?;
    Ok((Shard::Mapped { map, width: header.width, blocks }, header))
}

/// Reads the header of a shard, which is as long as the header says.
fn header_of(file: &mut File, path: &Path) -> Result<Header, DataError> {
    let failed = |error| DataError::read(path, error);
    let length = file.metadata().map_err(failed)?.len();
    let mut start = Vec::with_capacity(Header::BYTES);
    file.by_ref().take(Header::BYTES as u64).read_to_end(&mut start).map_err(failed)?;
    let header = Header::parse(&start).map_err(|reason| DataError::damaged(path, reason))?;
    if header.file_bytes() != Some(length) {
        let expected = header.file_bytes().map_or("more".into(), |bytes| bytes.to_string());
        return Err(DataError::damaged(path, format!("{length} bytes long where {expected} were written")));
    }
    Ok(header)
}

impl fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardSet")
            .field("train_tokens", &self.tokens(Split::Train))
            .field("validation_tokens", &self.tokens(Split::Validation))
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
