//! Documents in, shards out: in parallel, in memory that does not grow with the text.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use fireclay_tokenizer::Tokenizer;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use rayon::prelude::*;

use super::manifest::Manifest;
use super::split::{Assigned, Divided};
use super::{ShardSet, ShardWriter, Split, ValidationSplit};
use crate::documents::{Documents, ReadOptions, SourceFiles, encode};
use crate::{DataError, Document};

/// Average number of bytes of text for one thread at a time.
const BYTES_A_THREAD: usize = 512 << 10;

/// Options of tokenising text into shards.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenizeOptions {
    /// The validation split.
    pub split: ValidationSplit,
    /// Largest number of tokens of a shard.
    pub shard_tokens: u64,
    /// Whether to draw a progress bar (on stderr, and only if that is a terminal).
    pub progress: bool,
    /// Options of [`tokenize_paths`] for reading text files.
    pub read: ReadOptions,
    /// Sources of which [`tokenize_paths`] makes the validation split; when any are named,
    /// `split` is not applied.
    pub validation_paths: Vec<String>,
    /// Recorded with the shards that [`tokenize`] and [`tokenize_splits`] write, to recognise them by;
    /// [`tokenize_paths`] makes its own.
    pub key: String,
}

impl Default for TokenizeOptions {
    fn default() -> Self {
        Self {
            split: ValidationSplit::default(),
            shard_tokens: ShardWriter::SHARD_TOKENS,
            progress: false,
            read: ReadOptions::default(),
            validation_paths: Vec::new(),
            key: String::new(),
        }
    }
}

/// Result of [`tokenize_paths`].
#[derive(Debug, Clone)]
pub struct Tokenized {
    /// The tokens.
    pub shards: ShardSet,
    /// Whether the shards of an earlier run were reused.
    pub reused: bool,
    /// Number of skipped files in folders: with an unknown extension, or empty.
    pub skipped_files: usize,
}

/// Tokenises a stream of documents into shards in `out_dir`, replacing any that are there.
///
/// The ids do not depend on the number of threads.
///
/// # Errors
/// Errors of the stream; when an option is out of range, no text is left for training, or the
/// folder cannot be written.
pub fn tokenize<I>(
    documents: I,
    tokenizer: &Tokenizer,
    out_dir: impl AsRef<Path>,
    options: &TokenizeOptions,
) -> Result<ShardSet, DataError>
where
    I: IntoIterator<Item = Result<Document, DataError>>,
    I::IntoIter: Send,
{
    let mut job = Job::new(tokenizer, out_dir.as_ref(), options, options.key.clone())?;
    job.write(Divided::new(documents.into_iter(), options.split))?;
    job.finish()
}

/// [`tokenize`] with a validation split of given documents; `options.split` is not applied.
///
/// # Errors
/// As [`tokenize`].
pub fn tokenize_splits<T, V>(
    train: T,
    validation: V,
    tokenizer: &Tokenizer,
    out_dir: impl AsRef<Path>,
    options: &TokenizeOptions,
) -> Result<ShardSet, DataError>
where
    T: IntoIterator<Item = Result<Document, DataError>>,
    T::IntoIter: Send,
    V: IntoIterator<Item = Result<Document, DataError>>,
    V::IntoIter: Send,
{
    let mut job = Job::new(tokenizer, out_dir.as_ref(), options, options.key.clone())?;
    job.write(whole(train.into_iter(), Split::Train))?;
    job.write(whole(validation.into_iter(), Split::Validation))?;
    job.finish()
}

/// Tokenises files, folders and `hf://` addresses into shards in `out_dir`, unless the shards there
/// were made from the same files (by path, size and time of change), tokenizer and options.
///
/// # Errors
/// As [`open_documents`](crate::open_documents) and [`tokenize`]; and when shards that could be used
/// again are damaged.
pub fn tokenize_paths(
    paths: &[String],
    tokenizer: &Tokenizer,
    out_dir: impl AsRef<Path>,
    options: &TokenizeOptions,
) -> Result<Tokenized, DataError> {
    let out_dir = out_dir.as_ref();
    let train = SourceFiles::find(paths)?;
    let validation = match options.validation_paths.as_slice() {
        [] => None,
        paths => Some(SourceFiles::find(paths)?),
    };
    let skipped_files = train.skipped + validation.as_ref().map_or(0, |files| files.skipped);
    let key = source_key(&train, validation.as_ref(), tokenizer, options)?;
    if Manifest::read(out_dir).is_ok_and(|manifest| manifest.key == key) {
        match ShardSet::open(out_dir, tokenizer) {
            Ok(shards) => return Ok(Tokenized { shards, reused: true, skipped_files }),
            // A shard was deleted: all are made again. Damage, however, is reported to the user.
            Err(DataError::Incomplete { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let train = Documents::from_files(train, &options.read)?;
    let validation = match validation {
        Some(files) => Some(Documents::from_files(files, &options.read)?),
        None => None,
    };
    let mut job = Job::new(tokenizer, out_dir, options, key)?;
    job.watch(&train);
    match validation {
        None => job.write(Divided::new(train, options.split))?,
        Some(validation) => {
            job.write(whole(train, Split::Train))?;
            job.watch(&validation);
            job.write(whole(validation, Split::Validation))?;
        }
    }
    Ok(Tokenized { shards: job.finish()?, reused: false, skipped_files })
}

/// All documents to one side.
fn whole(
    documents: impl Iterator<Item = Result<Document, DataError>> + Send,
    split: Split,
) -> impl Iterator<Item = Result<Assigned, DataError>> + Send {
    documents.map(move |document| document.map(|document| Assigned::whole(document, split)))
}

struct Job<'a> {
    tokenizer: &'a Tokenizer,
    writer: ShardWriter,
    fraction: f64,
    trained: bool,
    bar: ProgressBar,
    bytes_read: Option<Arc<AtomicU64>>,
}

impl<'a> Job<'a> {
    fn new(
        tokenizer: &'a Tokenizer,
        out_dir: &Path,
        options: &TokenizeOptions,
        key: String,
    ) -> Result<Self, DataError> {
        options.split.check()?;
        if options.shard_tokens == 0 {
            return Err(DataError::Option { option: "shard_tokens", value: "0".into(), expected: "use at least 1" });
        }
        let bar = if options.progress { ProgressBar::no_length() } else { ProgressBar::hidden() };
        bar.set_style(style("tokenising {spinner} {bytes} of text in {elapsed}, {bytes_per_sec}"));
        // Also when an error ends the work.
        let bar = bar.with_finish(ProgressFinish::AndClear);
        bar.enable_steady_tick(Duration::from_millis(200));
        Ok(Self {
            tokenizer,
            writer: ShardWriter::create(out_dir, tokenizer)?.with_key(key).with_shard_tokens(options.shard_tokens),
            fraction: options.split.fraction(),
            trained: false,
            bar,
            bytes_read: None,
        })
    }

    /// Shows progress as the share of the files' bytes that were read.
    fn watch(&mut self, documents: &Documents) {
        self.bar.set_style(style("tokenising {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left"));
        self.bar.set_length(documents.total_bytes());
        self.bar.set_position(0);
        self.bytes_read = Some(documents.bytes_read());
    }

    /// One thread reads ahead while the others tokenise; batches are written in order.
    fn write(&mut self, texts: impl Iterator<Item = Result<Assigned, DataError>> + Send) -> Result<(), DataError> {
        let batch_bytes = BYTES_A_THREAD * rayon::current_num_threads();
        thread::scope(|scope| {
            let (sender, batches) = sync_channel(1);
            scope.spawn(move || send_batches(texts, batch_bytes, &sender));
            for batch in batches {
                self.write_batch(&batch?)?;
            }
            Ok(())
        })
    }

    fn write_batch(&mut self, batch: &[Assigned]) -> Result<(), DataError> {
        let ids = |assigned: &Assigned| {
            encode(self.tokenizer, &assigned.text, assigned.special_tokens)
                .map_err(|error| DataError::Vocabulary { origin: assigned.origin.clone(), reason: error.to_string() })
        };
        let encoded = batch.par_iter().with_max_len(1).map(ids).collect::<Result<Vec<_>, _>>()?;
        for (assigned, ids) in batch.iter().zip(&encoded) {
            self.trained |= assigned.split == Split::Train && !ids.is_empty();
            self.writer.push(assigned.split, ids, assigned.begins, assigned.text.len() as u64)?;
        }
        match &self.bytes_read {
            Some(read) => self.bar.set_position(read.load(Ordering::Relaxed)),
            None => self.bar.inc(batch.iter().map(|assigned| assigned.text.len() as u64).sum()),
        }
        Ok(())
    }

    fn finish(self) -> Result<ShardSet, DataError> {
        self.bar.finish_and_clear();
        if !self.trained {
            return Err(DataError::NoTrainingText { fraction: self.fraction });
        }
        self.writer.finish()
    }
}

fn send_batches(
    texts: impl Iterator<Item = Result<Assigned, DataError>>,
    batch_bytes: usize,
    sender: &SyncSender<Result<Vec<Assigned>, DataError>>,
) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for text in texts {
        match text {
            Ok(text) => {
                bytes += text.text.len();
                batch.push(text);
            }
            Err(error) => {
                let _ = sender.send(Err(error));
                return;
            }
        }
        // Failing to send means that writing failed, which is reported there.
        if bytes >= batch_bytes {
            bytes = 0;
            if sender.send(Ok(std::mem::take(&mut batch))).is_err() {
                return;
            }
        }
    }
    let _ = sender.send(Ok(batch));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant of this file")
}

/// Identifies the sources of shards: the files, the tokenizer, and the options that matter.
fn source_key(
    train: &SourceFiles,
    validation: Option<&SourceFiles>,
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<String, DataError> {
    let mut hasher = blake3::Hasher::new_derive_key("fireclay-data 2026 shard sources");
    hasher.update(&tokenizer.hash());
    // The Debug form has every field, so that a new option changes the key.
    let how = format!("{:?} {:?} {}", options.split, options.read, options.shard_tokens);
    hasher.update(how.as_bytes());
    for files in [Some(train), validation] {
        for file in files.into_iter().flat_map(|files| &files.files) {
            let path = fs::canonicalize(&file.path).map_err(|error| DataError::read(&file.path, error))?;
            let line = format!("\n{} {} {}", file.bytes, file.modified, path.display());
            hasher.update(line.as_bytes());
        }
        hasher.update(b"\n--");
    }
    Ok(hasher.finalize().to_hex().to_string())
}
