//! Files, folders and hub addresses as one stream of documents, in constant memory.
//!
//! | source | documents |
//! |---|---|
//! | `.txt` | the whole file is one document, streamed in parts; or, with a separator, each text between separators |
//! | `.jsonl` | one a line: the string under the key `text`, or another one ([`ReadOptions::text_column`]) |
//! | `.parquet` | one a row: the column `text`, or another one |
//! | a folder | its files, sorted by path, recursively; hidden and unknown files are passed over and counted |
//! | `hf://datasets/owner/name[@revision][/path]` | the files of that dataset, downloaded to the hub's cache |
//!
//! Text formats may end in `.gz`, `.zst`, `.lz4` or `.br`, and be in `.zip` archives, which are read like folders. Text
//! is returned exactly as written: line ends are kept (CRLF too), and only a byte-order mark at the very start of a
//! file is dropped.

mod format;
mod archive;
pub(crate) mod input;
mod text;
pub(crate) mod lines;
pub(crate) mod json_value;
pub(crate) mod python_json;
pub(crate) mod json_lines;
pub(crate) mod foreign;
mod splits;
mod hub;
mod files;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod rows;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use files::{SourceFile, SourceFiles};
use fireclay_tokenizer::{Tokenizer, TokenizerError};
use format::Compression;
pub(crate) use format::{Format, Known};
#[cfg(feature = "parquet")]
pub(crate) use rows::for_each_row;

use crate::DataError;

/// A document, or a part of one that is too long to be in memory as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The text, exactly as in the source.
    pub text: String,
    /// Its place: `path:line` (for parquet `path:row N`).
    pub origin: String,
    /// Position of this text in its document; `None`: it is the whole document.
    pub part: Option<DocumentPart>,
    /// Whether special tokens written in the text are encoded as such, as in text that a chat template rendered.
    /// Otherwise they are ordinary text.
    pub special_tokens: bool,
}

/// The place of a part within a long document. The parts of a document follow each other and,
/// joined, give its text exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentPart {
    /// Characters of the document before this part; 0 for the first part.
    pub start: u64,
    /// Characters of the whole document.
    pub total: u64,
}

impl Document {
    /// A whole document.
    #[must_use]
    pub fn new(text: impl Into<String>, origin: impl Into<String>) -> Self {
        Self { text: text.into(), origin: origin.into(), part: None, special_tokens: false }
    }

    /// A conversation that a chat template has rendered, with its special tokens.
    #[must_use]
    pub fn rendered(text: impl Into<String>, origin: impl Into<String>) -> Self {
        Self { special_tokens: true, ..Self::new(text, origin) }
    }

    /// The ids of the text.
    ///
    /// # Errors
    /// When a character is not in the vocabulary.
    pub fn encode(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>, TokenizerError> {
        encode(tokenizer, &self.text, self.special_tokens)
    }

    /// Whether a document begins here, rather than continues from the part before.
    #[must_use]
    pub fn begins(&self) -> bool {
        self.part.is_none_or(|part| part.start == 0)
    }
}

/// The ids of `text`, in which special tokens are encoded as such or as ordinary text.
pub(crate) fn encode(tokenizer: &Tokenizer, text: &str, special_tokens: bool) -> Result<Vec<u32>, TokenizerError> {
    if special_tokens { tokenizer.try_encode_with_specials(text) } else { tokenizer.try_encode(text) }
}

/// Options of reading text files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Separates the documents of a `.txt` file (`TinyStories` has `<|endoftext|>` there); it is dropped, with
    /// one line break on either side. `None`: a `.txt` file is one document.
    pub separator: Option<String>,
    /// Approximate number of bytes of a long `.txt` document in memory at a time.
    pub part_bytes: usize,
    /// The most bytes of a single line of JSON, or of a document between separators.
    pub max_document_bytes: usize,
    /// The key of JSON lines, and the column of parquet files, that holds the text.
    pub text_column: String,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { separator: None, part_bytes: 64 << 10, max_document_bytes: 256 << 20, text_column: "text".into() }
    }
}

type Reader = Box<dyn Iterator<Item = Result<Document, DataError>> + Send>;

/// A stream of documents. It ends after the first error.
pub struct Documents {
    waiting: VecDeque<SourceFile>,
    current: Option<(SourceFile, Reader, bool)>,
    options: ReadOptions,
    skipped: usize,
    total_bytes: u64,
    bytes_read: Arc<AtomicU64>,
}

/// Opens paths (files, folders, `hf://` addresses) as one stream of documents, in the order given.
///
/// # Errors
/// When a path is missing, empty, of an unknown kind, or a folder without any text. What is wrong
/// inside a file is reported by the stream when it gets there.
pub fn open_documents(paths: &[String]) -> Result<Documents, DataError> {
    open_documents_with(paths, &ReadOptions::default())
}

/// [`open_documents`] with options.
///
/// # Errors
/// As [`open_documents`], and when an option is out of range.
pub fn open_documents_with(paths: &[String], options: &ReadOptions) -> Result<Documents, DataError> {
    Documents::from_files(SourceFiles::find(paths)?, options)
}

impl Documents {
    /// Streams files that were found before.
    ///
    /// # Errors
    /// When an option is out of range.
    pub fn from_files(files: SourceFiles, options: &ReadOptions) -> Result<Self, DataError> {
        if options.part_bytes < 16 {
            return Err(DataError::Option {
                option: "part_bytes",
                value: options.part_bytes.to_string(),
                expected: "use at least 16",
            });
        }
        if options.separator.as_deref() == Some("") {
            return Err(DataError::Option {
                option: "separator",
                value: "empty".into(),
                expected: "give the text between documents, or leave it out",
            });
        }
        Ok(Self {
            total_bytes: files.bytes(),
            skipped: files.skipped,
            waiting: files.files.into(),
            current: None,
            options: options.clone(),
            bytes_read: Arc::default(),
        })
    }

    /// Number of files in folders that were skipped because of an unknown extension or no content.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Total size of all files on disk, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Counts the bytes on disk that have been read; it may be watched while another thread iterates.
    #[must_use]
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_read)
    }

    fn open(&self, file: &SourceFile) -> Result<Reader, DataError> {
        let path: Arc<Path> = file.path.as_path().into();
        let open = |counter| input::open(&path, file.compression, counter);
        let counter = Some(self.bytes_read());
        Ok(match (file.format, &self.options.separator) {
            (Format::Text, None) => {
                Box::new(text::TextParts::new(Arc::clone(&path), file.compression, counter, self.options.part_bytes)?)
            }
            (Format::Text, Some(separator)) => {
                let limit = self.options.max_document_bytes;
                Box::new(text::Separated::new(open(counter)?, Arc::clone(&path), separator, limit))
            }
            (Format::JsonLines, _) => {
                let limit = self.options.max_document_bytes;
                Box::new(json_lines::JsonLines::new(
                    open(counter)?,
                    Arc::clone(&path),
                    limit,
                    &self.options.text_column,
                ))
            }
            #[cfg(feature = "parquet")]
            (Format::Parquet, _) => Box::new(parquet::rows(&path, &self.options.text_column, self.bytes_read())?),
            #[cfg(not(feature = "parquet"))]
            (Format::Parquet, _) => {
                return Err(DataError::Feature { what: path.display().to_string(), feature: "parquet" });
            }
            (Format::Json | Format::Yaml, _) => unreachable!("only Known::DOCUMENTS are looked for"),
        })
    }

    fn stop(&mut self) {
        self.waiting.clear();
        self.current = None;
    }
}

impl Iterator for Documents {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((file, reader, any)) = &mut self.current {
                match reader.next() {
                    Some(Ok(document)) => {
                        *any = true;
                        return Some(Ok(document));
                    }
                    Some(Err(error)) => {
                        self.stop();
                        return Some(Err(error));
                    }
                    None if !*any => {
                        let path = file.path.clone();
                        self.stop();
                        return Some(Err(DataError::Empty { path }));
                    }
                    None => self.current = None,
                }
            } else {
                let file = self.waiting.pop_front()?;
                match self.open(&file) {
                    Ok(reader) => self.current = Some((file, reader, false)),
                    Err(error) => {
                        self.stop();
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents")
            .field("waiting", &self.waiting.len())
            .field("total_bytes", &self.total_bytes)
            .field("bytes_read", &self.bytes_read.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod lost;
