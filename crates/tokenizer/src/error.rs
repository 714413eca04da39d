//! Errors of tokenizers and chat templates.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Errors of a tokenizer's files, its training, or a chat template.
///
/// Each message is one line: the problem, its place, and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// There is none of the files of a tokenizer.
    #[error("no tokenizer in {path}: looked for {looked_for}; give a folder or file that has one")]
    NotFound {
        /// Folder that was searched.
        path: PathBuf,
        /// The file names that would have been accepted.
        looked_for: &'static str,
    },
    /// The operating system refused to read or write.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// "read", "write" or "create".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is not JSON at all, or is cut short.
    #[error("{path} is not valid JSON ({detail}); fetch or write the file again")]
    InvalidJson {
        /// The file.
        path: PathBuf,
        /// The parser's reason, with line and column.
        detail: String,
    },
    /// A file is well formed but does not describe a tokenizer.
    #[error("{path} does not describe a usable tokenizer: {detail}")]
    InvalidTokenizer {
        /// The file.
        path: PathBuf,
        /// The problem, and the expected content.
        detail: String,
    },
    /// A line of a merges or rank file cannot be parsed.
    #[error("{path}, line {line}: {detail}; the file may be cut short, fetch it again")]
    InvalidLine {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The problem.
        detail: String,
    },
    /// A tiktoken file's name is not that of a known split pattern.
    #[error(
        "{path}: a rank file does not hold its split pattern, and its name does not identify it; rename it to contain one \
         of {known}"
    )]
    UnknownRankFile {
        /// The file.
        path: PathBuf,
        /// Names that are known.
        known: &'static str,
    },
    /// The vocabulary asked for cannot hold the bytes and special tokens.
    #[error("vocab_size = {asked} is too small: {needed} ids are needed for {what}")]
    VocabularyTooSmall {
        /// The size asked for.
        asked: usize,
        /// The smallest size that works.
        needed: usize,
        /// The operation that needs them.
        what: &'static str,
    },
    /// There was no text to train on.
    #[error("cannot train a tokenizer: the documents hold no text; check the data given")]
    NoText,
    /// The underlying library refused to train.
    #[error("training the tokenizer failed: {0}")]
    Training(String),
    /// A special token was asked for twice, or is empty.
    #[error("special token {token:?} {problem}; list each special token once")]
    SpecialToken {
        /// The token as asked for.
        token: String,
        /// "is empty" or "is listed twice".
        problem: &'static str,
    },
    /// The vocabulary has no token for a character and no unknown token to stand for it.
    #[error(
        "character {character:?} at byte {position} is not in the vocabulary; train the tokenizer on text that has \
         it, or with an unknown token"
    )]
    UnknownCharacter {
        /// The first such character.
        character: char,
        /// Byte offset in the text.
        position: usize,
    },
    /// Messages have characters without a token, and there is no unknown token to stand for them.
    #[error("the vocabulary has no token for {}", spelled(.characters))]
    UnknownCharacters {
        /// All of them.
        characters: BTreeSet<char>,
    },
    /// The underlying library refused to encode.
    #[error("cannot encode the text: {0}")]
    Encoding(String),
    /// A chat was to be rendered by a tokenizer without a template.
    #[error("the tokenizer has no chat template; put a chat_template.jinja beside its tokenizer.json")]
    NoChatTemplate,
    /// A chat template is not valid Jinja.
    #[error("chat template{origin}: line {line}: {detail}")]
    TemplateSyntax {
        /// " PATH" when read from a file, empty otherwise.
        origin: String,
        /// Line of the template, counted from 1; 0 if not known.
        line: usize,
        /// The parser's reason.
        detail: String,
    },
    /// A chat template refused the conversation or failed while rendering it.
    #[error("the chat template could not render this conversation (line {line}): {detail}")]
    TemplateRender {
        /// Line of the template, counted from 1; 0 if not known.
        line: usize,
        /// The template's own words from `raise_exception`, or the engine's reason.
        detail: String,
    },
    /// `continue_final_message` was asked of a conversation that has nothing to continue.
    #[error("cannot continue the final message: {0}")]
    Continue(&'static str),
}

impl TokenizerError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Io { action: "read", path: path.to_owned(), source }
    }

    pub(crate) fn json(path: &Path, error: &serde_json::Error) -> Self {
        Self::InvalidJson { path: path.to_owned(), detail: one_line(&error.to_string()) }
    }

    /// The error that these characters have no token.
    #[must_use]
    pub fn unknown(characters: BTreeSet<char>) -> Self {
        Self::UnknownCharacters { characters }
    }

    pub(crate) fn invalid(path: &Path, detail: impl std::fmt::Display) -> Self {
        Self::InvalidTokenizer { path: path.to_owned(), detail: one_line(&detail.to_string()) }
    }
}

/// Characters for a message: the first few, and how many more there are.
pub(crate) fn spelled(characters: &BTreeSet<char>) -> String {
    let mut words: Vec<String> = characters.iter().take(8).map(|character| format!("{character:?}")).collect();
    if characters.len() > words.len() {
        words.push(format!("and {} more characters", characters.len() - words.len()));
    }
    words.join(", ")
}

/// Messages of other libraries may run over several lines; ours do not.
pub(crate) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
