//! Finding out what a path holds, and reading it.

use std::fs;
use std::path::{Path, PathBuf};

use fireclay_gguf::GgufFile;
use tokenizers::SplitDelimiterBehavior;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

use crate::guard::guarded;
use crate::settings::Settings;
use crate::{Tokenizer, TokenizerError, gguf, gpt2, ranks, sentencepiece};

/// Qwen2's words: letters with one leading mark or space, single digits, runs of punctuation, line ends, spaces.
pub(crate) const QWEN_PATTERN: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// cl100k's words: as Qwen2's, with digits in groups of up to three.
pub(crate) const RANKS_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// GPT-2's words, which are also the library's own.
pub(crate) const GPT2_PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// The largest id of a token, some 60 times that of the largest vocabularies in use.
const LARGEST_ID: u64 = (1 << 24) - 1;

const LOOKED_FOR: &str =
    "tokenizer.json, encoder.json + vocab.bpe, vocab.json + merges.txt, tokenizer.model, *.tiktoken";

impl Tokenizer {
    /// Reads a tokenizer.
    ///
    /// A folder may hold `tokenizer.json` (with `tokenizer_config.json`, `special_tokens_map.json`,
    /// `chat_template.jinja` if there are), `encoder.json` + `vocab.bpe` or `vocab.json` + `merges.txt` (GPT-2), a
    /// `tokenizer.model` (BPE of `SentencePiece`), or one `*.tiktoken` file. A GGUF file has its tokenizer inside. A
    /// file is a `tokenizer.json` by whatever name, one of the pair of GPT-2 files, or a tiktoken rank file, whose name
    /// tells the split pattern (r50k, p50k, cl100k, o200k).
    ///
    /// # Errors
    /// When the path holds none of these, or a file cannot be read or understood.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        guarded(|| load_any(path)).unwrap_or_else(|panic| Err(TokenizerError::invalid(path, panic)))
    }
}

fn load_any(path: &Path) -> Result<Tokenizer, TokenizerError> {
    if path.is_dir() {
        return load_folder(path);
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new("."));
    match name {
        _ if !path.exists() => Err(not_found(path)),
        "encoder.json" | "vocab.bpe" => gpt2::load(folder, "encoder.json", "vocab.bpe"),
        "vocab.json" | "merges.txt" => gpt2::load(folder, "vocab.json", "merges.txt"),
        _ if GgufFile::is_gguf(path) => gguf::load(path),
        "tokenizer.model" => sentencepiece::load(path),
        "tokenizer.json" => load_json(path, Settings::read(folder)?),
        _ if path.extension().is_some_and(|extension| extension == "tiktoken") => ranks::load(path),
        _ => load_json(path, Settings::default()),
    }
}

fn load_folder(folder: &Path) -> Result<Tokenizer, TokenizerError> {
    let has = |name: &str| folder.join(name).is_file();
    if has("tokenizer.json") {
        return load_json(&folder.join("tokenizer.json"), Settings::read(folder)?);
    }
    for (vocabulary, merges) in [("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")] {
        if has(vocabulary) && has(merges) {
            return gpt2::load(folder, vocabulary, merges);
        }
    }
    if has("tokenizer.model") {
        return sentencepiece::load(&folder.join("tokenizer.model"));
    }
    match rank_files(folder)?.as_slice() {
        [one] => ranks::load(one),
        [] => Err(not_found(folder)),
        _ => Err(TokenizerError::invalid(folder, "it holds several *.tiktoken files; name the one to use")),
    }
}

fn rank_files(folder: &Path) -> Result<Vec<PathBuf>, TokenizerError> {
    let entries = fs::read_dir(folder).map_err(|error| TokenizerError::read(folder, error))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "tiktoken")).collect())
}

fn not_found(path: &Path) -> TokenizerError {
    TokenizerError::NotFound { path: path.to_owned(), looked_for: LOOKED_FOR }
}

fn load_json(path: &Path, settings: Settings) -> Result<Tokenizer, TokenizerError> {
    let text = read(path)?;
    // The library's own message for a broken file names neither the file nor what is expected of it.
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| TokenizerError::json(path, &error))?;
    if value.get("model").is_none() {
        let detail = "it has no \"model\"; expected a tokenizer.json as the tokenizers library writes it";
        return Err(TokenizerError::invalid(path, detail));
    }
    check_ids(path, &value)?;
    let settings = settings.of_file(path);
    let library = text.parse().map_err(|error| TokenizerError::invalid(path, error))?;
    Ok(Tokenizer::new(library, settings))
}

/// Refuses ids that no vocabulary has: tables are as long as the largest.
fn check_ids(path: &Path, value: &serde_json::Value) -> Result<(), TokenizerError> {
    let added = value.get("added_tokens").and_then(serde_json::Value::as_array).into_iter().flatten();
    let added = added.filter_map(|token| token.get("id")?.as_u64());
    let model = value.get("model").and_then(|model| model.get("vocab")?.as_object()).into_iter().flatten();
    let largest = added.chain(model.filter_map(|(_, id)| id.as_u64())).max().unwrap_or(0);
    if largest > LARGEST_ID {
        return Err(TokenizerError::invalid(path, format!("the id {largest} is too large; {LARGEST_ID} is the most")));
    }
    Ok(())
}

pub(crate) fn read(path: &Path) -> Result<String, TokenizerError> {
    let mut text = fs::read_to_string(path).map_err(|error| TokenizerError::read(path, error))?;
    if text.starts_with("version https://git-lfs") {
        let detail = "it is a pointer of Git LFS, not the file; fetch it with `git lfs pull`";
        return Err(TokenizerError::invalid(path, detail));
    }
    // Some editors put a byte-order mark before the text.
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// A byte-level BPE tokenizer that splits words by `pattern`, perhaps with a space put before every text.
pub(crate) fn byte_level(model: BPE, pattern: &str, prefix: bool) -> tokenizers::Result<tokenizers::Tokenizer> {
    let split = Split::new(SplitPattern::Regex(pattern.to_owned()), SplitDelimiterBehavior::Isolated, false)?;
    let steps: Vec<PreTokenizerWrapper> = vec![split.into(), ByteLevel::new(prefix, false, false).into()];
    let mut library = tokenizers::Tokenizer::new(model);
    library.with_pre_tokenizer(Some(Sequence::new(steps)));
    library.with_decoder(Some(ByteLevel::default()));
    Ok(library)
}
