//! Writes tokens to shards.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fireclay_files::{is_unfinished, rename, sync_folder, unfinished_name};
use fireclay_tokenizer::Tokenizer;

use super::blocks::BlockHasher;
use super::manifest::{self, Entry, Manifest, hex};
use super::{Header, ShardSet, Split, Width, prefix};
use crate::DataError;

/// Writes a set of shards, document by document.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use fireclay_data::{ShardWriter, Split};
/// let tokenizer = fireclay_tokenizer::Tokenizer::load("tokenizer.json")?;
/// let mut writer = ShardWriter::create("shards", &tokenizer)?;
/// for text in ["A story.", "Another."] {
///     writer.push(Split::Train, &tokenizer.encode(text), true, text.len() as u64)?;
/// }
/// let shards = writer.finish()?;
/// # Ok(()) }
/// ```
pub struct ShardWriter {
    dir: PathBuf,
    key: String,
    tokenizer: [u8; 32],
    vocab_size: usize,
    end_of_text: Option<u32>,
    shard_tokens: u64,
    train: SplitWriter,
    validation: SplitWriter,
}

struct SplitWriter {
    split: Split,
    open: Option<OpenShard>,
    done: Vec<Entry>,
    /// Whether any token was written: a separator comes only between documents.
    any: bool,
}

struct OpenShard {
    file: BufWriter<File>,
    name: String,
    temporary: PathBuf,
    hasher: blake3::Hasher,
    blocks: BlockHasher,
    header: Header,
    bytes: Vec<u8>,
}

impl ShardWriter {
    /// Default number of tokens of a shard: 128 or 256 MiB.
    pub const SHARD_TOKENS: u64 = 64 << 20;

    /// Starts a set in `dir`, which is created if necessary; an existing set is removed.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(dir: impl AsRef<Path>, tokenizer: &Tokenizer) -> Result<Self, DataError> {
        let dir = dir.as_ref();
        clear(dir).map_err(|error| DataError::write(dir, error))?;
        let writer = |split| SplitWriter { split, open: None, done: Vec::new(), any: false };
        Ok(Self {
            dir: dir.into(),
            key: String::new(),
            tokenizer: tokenizer.hash(),
            vocab_size: tokenizer.vocab_size(),
            end_of_text: tokenizer.end_of_text_id(),
            shard_tokens: Self::SHARD_TOKENS,
            train: writer(Split::Train),
            validation: writer(Split::Validation),
        })
    }

    /// Records the key of the set's source, to recognise it later.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// The most tokens of a shard.
    ///
    /// # Panics
    /// When it is 0.
    #[must_use]
    pub fn with_shard_tokens(mut self, tokens: u64) -> Self {
        assert!(tokens > 0, "a shard of 0 tokens can hold nothing");
        self.shard_tokens = tokens;
        self
    }

    /// Appends the tokens of a document, or of a further part of one (`begins` false), with `text_bytes` bytes of
    /// text. The end-of-text id is written before each document except the split's first.
    ///
    /// # Errors
    /// When the shard cannot be written.
    ///
    /// # Panics
    /// When an id is not below the tokenizer's vocabulary size.
    pub fn push(&mut self, split: Split, ids: &[u32], begins: bool, text_bytes: u64) -> Result<(), DataError> {
        if ids.is_empty() {
            return Ok(());
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            panic!("token id {id} is outside the vocabulary of {}", self.vocab_size);
        }
        let (dir, tokenizer, most) = (&self.dir, self.tokenizer, self.shard_tokens);
        let width = Width::for_vocabulary(self.vocab_size);
        let writer = match split {
            Split::Train => &mut self.train,
            Split::Validation => &mut self.validation,
        };
        if begins
            && writer.any
            && let Some(end) = self.end_of_text
        {
            writer.append(&[end], dir, tokenizer, width, most)?;
        }
        // The document and its bytes are counted where it begins.
        let shard = writer.current(dir, tokenizer, width)?;
        shard.header.documents += u64::from(begins);
        shard.header.text_bytes += text_bytes;
        writer.append(ids, dir, tokenizer, width, most)
    }

    /// Completes the set and opens it.
    ///
    /// # Errors
    /// When something cannot be written, or does not read back as it was written.
    pub fn finish(mut self) -> Result<ShardSet, DataError> {
        self.train.close(&self.dir)?;
        self.validation.close(&self.dir)?;
        let entries = [self.train.done, self.validation.done];
        Manifest::new(self.key, &self.tokenizer, self.vocab_size, self.end_of_text, entries).write(&self.dir)?;
        ShardSet::open_hash(&self.dir, Some(self.tokenizer))
    }
}

impl SplitWriter {
    fn current(&mut self, dir: &Path, tokenizer: [u8; 32], width: Width) -> Result<&mut OpenShard, DataError> {
        if self.open.is_none() {
            let name = format!("{}-{:05}.bin", prefix(self.split), self.done.len());
            self.open = Some(OpenShard::create(dir, name, tokenizer, width)?);
        }
        Ok(self.open.as_mut().expect("a shard was just opened"))
    }

    fn append(
        &mut self,
        mut ids: &[u32],
        dir: &Path,
        tokenizer: [u8; 32],
        width: Width,
        most: u64,
    ) -> Result<(), DataError> {
        self.any = true;
        while !ids.is_empty() {
            let shard = self.current(dir, tokenizer, width)?;
            let room = usize::try_from(most - shard.header.tokens).unwrap_or(usize::MAX);
            let (now, later) = ids.split_at(ids.len().min(room));
            shard.append(now)?;
            ids = later;
            if shard.header.tokens == most {
                self.close(dir)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, dir: &Path) -> Result<(), DataError> {
        if let Some(shard) = self.open.take() {
            self.done.push(shard.close(dir)?);
        }
        Ok(())
    }
}

impl OpenShard {
    fn create(dir: &Path, name: String, tokenizer: [u8; 32], width: Width) -> Result<Self, DataError> {
        let temporary = unfinished_name(&dir.join(&name));
        let created = || -> io::Result<_> {
            let mut file = BufWriter::with_capacity(1 << 20, File::create(&temporary)?);
            file.write_all(&[0; Header::BYTES])?;
            Ok(file)
        };
        let file = created().map_err(|error| DataError::write(&temporary, error))?;
        let header = Header { width, tokens: 0, documents: 0, text_bytes: 0, tokenizer, checksum: [0; 32] };
        Ok(Self {
            file,
            name,
            temporary,
            hasher: blake3::Hasher::new(),
            blocks: BlockHasher::default(),
            header,
            bytes: Vec::new(),
        })
    }

    fn append(&mut self, ids: &[u32]) -> Result<(), DataError> {
        self.bytes.clear();
        match self.header.width {
            Width::U16 => ids.iter().for_each(|&id| self.bytes.extend((id as u16).to_le_bytes())),
            Width::U32 => ids.iter().for_each(|&id| self.bytes.extend(id.to_le_bytes())),
        }
        self.hasher.update(&self.bytes);
        self.blocks.update(&self.bytes);
        self.header.tokens += ids.len() as u64;
        self.file.write_all(&self.bytes).map_err(|error| DataError::write(&self.temporary, error))
    }

    fn close(mut self, dir: &Path) -> Result<Entry, DataError> {
        self.header.checksum = *self.hasher.finalize().as_bytes();
        let header = self.header;
        let written = || -> io::Result<()> {
            let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header.to_bytes())?;
            file.sync_all()?;
            rename(&self.temporary, &dir.join(&self.name))
        };
        written().map_err(|error| DataError::write(&dir.join(&self.name), error))?;
        Ok(Entry {
            file: self.name,
            tokens: header.tokens,
            documents: header.documents,
            text_bytes: header.text_bytes,
            checksum: hex(&header.checksum),
            blocks: self.blocks.finish(),
        })
    }
}

/// Removes an earlier set, the manifest first so that the remains are never taken for a complete one.
fn clear(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    match fs::remove_file(dir.join(manifest::FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => sync_folder(dir)?,
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = [Split::Train, Split::Validation].iter().any(|split| {
            name.strip_prefix(prefix(*split))
                .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".bin"))
                .is_some_and(|number| number.len() == 5 && number.bytes().all(|b| b.is_ascii_digit()))
        });
        if ours || is_unfinished(&entry.path()) || name == manifest::FILE {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
