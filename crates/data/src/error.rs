//! Errors of text, shards and options: each message is one line with the problem, its place, and the remedy.

use std::io;
use std::path::{Path, PathBuf};

/// Why text could not be read, tokenised or batched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A named path is not there.
    #[error("{}: no such file or folder: check the path", path.display())]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system refused to read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// File being read.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The operating system refused to write: a full disk, a read-only folder.
    #[error("{}: cannot be written: {source}: free some space or choose another folder", path.display())]
    Write {
        /// File being written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file holds nothing to learn from.
    #[error("{}: the file holds no text: fill it or leave it out", path.display())]
    Empty {
        /// The empty file.
        path: PathBuf,
    },
    /// A folder holds no file of a known kind.
    #[error("{}: no text here among {skipped} other files: supported are {known}", path.display())]
    NothingInFolder {
        /// The folder.
        path: PathBuf,
        /// Files that were passed over.
        skipped: usize,
        /// Extensions that are read.
        known: &'static str,
    },
    /// No paths were named at all.
    #[error("no data named: give at least one file, folder or hf:// address")]
    NoPaths,
    /// A named file's extension says nothing about its format.
    #[error("{}: unknown extension: supported are {known}; rename or convert the file", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Extensions that are read.
        known: &'static str,
    },
    /// Bytes that are not UTF-8.
    #[error("{}:{line}: not UTF-8 at byte {offset}: {hint}", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The first offending byte, from 0, after decompression.
        offset: u64,
        /// The remedy.
        hint: &'static str,
    },
    /// A NUL byte: not a text file.
    #[error("{}:{line}: a NUL byte at byte {offset}: this is a binary file, not text; leave it out", path.display())]
    Binary {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The offending byte, from 0, after decompression.
        offset: u64,
    },
    /// A compressed file that ends early or is damaged.
    #[error("{}: damaged or cut off after {offset} bytes of text: {reason}: fetch or compress the file \
             again", path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// Bytes that could still be decompressed.
        offset: u64,
        /// The decoder's reason.
        reason: String,
    },
    /// A line that is not JSON.
    #[error("{}:{line}: not a JSON object: {reason}: fix or remove the line", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The parser's reason.
        reason: String,
    },
    /// A JSON object without the keys that are needed, or with something else under them.
    #[error("{}:{line}: expected {expected}, found {found}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The keys, and the expected values.
        expected: String,
        /// The value found.
        found: String,
    },
    /// One document that would not fit in memory.
    #[error("{}:{line}: one document is longer than {limit} bytes: {hint}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line it starts on, from 1.
        line: u64,
        /// The most bytes a document may have.
        limit: usize,
        /// The remedy.
        hint: &'static str,
    },
    /// A YAML file that cannot be read.
    #[error("{}:{line}: unsupported YAML: {reason}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The parser's reason.
        reason: String,
    },
    /// Examples of which every one was skipped.
    #[error("{what}: none of the {count} examples can be used: {reason}")]
    NothingUsable {
        /// The file, or the kind of examples.
        what: String,
        /// Number of skipped examples.
        count: u64,
        /// The most frequent reason.
        reason: String,
    },
    /// There are no examples at all.
    #[error("there are no {what}: give at least one")]
    NoExamples {
        /// Kind of examples that was expected.
        what: &'static str,
    },
    /// A conversation was to be rendered by a tokenizer that cannot.
    #[error("{0}")]
    ChatTemplate(String),
    /// A parquet file that cannot be read.
    #[error("{}: not a readable parquet file: {reason}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The reader's reason.
        reason: String,
    },
    /// A folder of examples with several splits of a data set.
    #[error(
        "{}: a folder with several splits of a data set: {splits}; give the files of one split, each by its path, or \
         the folder of one split",
        path.display()
    )]
    Splits {
        /// The folder.
        path: PathBuf,
        /// The splits, each with its first file.
        splits: String,
    },
    /// A cargo feature that this build does not have.
    #[error("{what}: built without the `{feature}` feature: build again with --features {feature}")]
    Feature {
        /// The path or address that needs it.
        what: String,
        /// The cargo feature.
        feature: &'static str,
    },
    /// An address or a download that failed.
    #[error("{address}: {reason}")]
    Hub {
        /// The hf:// address.
        address: String,
        /// The problem and its remedy.
        reason: String,
    },
    /// Text that the tokenizer's vocabulary cannot express.
    #[error("{origin}: cannot be tokenised: {reason}")]
    Vocabulary {
        /// Place of the document or part.
        origin: String,
        /// The tokenizer's reason.
        reason: String,
    },
    /// A folder without a whole set of shards.
    #[error("{}: an incomplete set of shards: {reason}: tokenise the text again", dir.display())]
    Incomplete {
        /// The folder.
        dir: PathBuf,
        /// The missing part.
        reason: String,
    },
    /// A shard or manifest that is damaged.
    #[error("{}: damaged: {reason}: delete its folder and tokenise the text again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The disagreement.
        reason: String,
    },
    /// Shards that another tokenizer wrote.
    #[error("{}: the shards were written by another tokenizer ({found}, not {expected}): tokenise the text again or \
             use that tokenizer", dir.display())]
    OtherTokenizer {
        /// The folder of shards.
        dir: PathBuf,
        /// The first digits of the hash in the shards.
        found: String,
        /// The first digits of the hash of the tokenizer at hand.
        expected: String,
    },
    /// No text reached the training split.
    #[error("the training split is empty: the sources hold too little text for a validation fraction of {fraction}")]
    NoTrainingText {
        /// The share kept for validation.
        fraction: f64,
    },
    /// Windows longer than the split they are cut from.
    #[error(
        "the context of {context} tokens is longer than the {split} split, which has {tokens} tokens: use a context \
         of at most {most}, or more text"
    )]
    ContextTooLong {
        /// Tokens in a window.
        context: usize,
        /// `training` or `validation`.
        split: &'static str,
        /// Tokens in the split.
        tokens: u64,
        /// The longest context that fits.
        most: u64,
    },
    /// A split that has nothing to predict.
    #[error("the {split} split has {tokens} tokens and needs at least 2: use more text or a larger fraction")]
    SplitTooShort {
        /// `training` or `validation`.
        split: &'static str,
        /// Tokens in the split.
        tokens: u64,
    },
    /// A position that belongs to another source.
    #[error(
        "the saved position does not belong to this data: {reason}: resume with the same text, context and seed, or \
         start afresh"
    )]
    Position {
        /// The disagreement.
        reason: String,
    },
    /// An option outside its range.
    #[error("{option} is {value}: {expected}")]
    Option {
        /// Its name.
        option: &'static str,
        /// As given.
        value: String,
        /// Allowed values.
        expected: &'static str,
    },
}

impl DataError {
    /// Whether the input is at fault (a path, a file, an option), not the machine (a full disk).
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        !matches!(self, Self::Write { .. })
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            return Self::Missing { path: path.into() };
        }
        Self::Read { path: path.into(), source }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.into(), source }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), reason: reason.into() }
    }
}
