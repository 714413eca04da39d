//! Detects the format of a path, and reads the tokenizer.

use std::fs;
use std::path::{Path, PathBuf};

use fireclay_gguf::GgufFile;

use crate::guard::guarded;
use crate::settings::Settings;
use crate::steps::check_decoder;
use crate::text_file::read;
use crate::{Tokenizer, TokenizerError, added, gguf, gpt2, ranks, sentencepiece};

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
    /// file is a `tokenizer.json` of any name, one of the pair of GPT-2 files, or a tiktoken rank file, whose name
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
        "tokenizer.json" => load_json(path, Some(folder)),
        _ if path.extension().is_some_and(|extension| extension == "tiktoken") => ranks::load(path),
        _ => load_json(path, None),
    }
}

fn load_folder(folder: &Path) -> Result<Tokenizer, TokenizerError> {
    let has = |name: &str| folder.join(name).is_file();
    if has("tokenizer.json") {
        return load_json(&folder.join("tokenizer.json"), Some(folder));
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

/// Reads a `tokenizer.json`, with the files in the folder beside it if one is given.
fn load_json(path: &Path, folder: Option<&Path>) -> Result<Tokenizer, TokenizerError> {
    let text = read(path)?;
    // The library's own message for a broken file names neither the file nor the expected content.
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| TokenizerError::json(path, &error))?;
    if value.get("model").is_none() {
        let detail = "it has no \"model\"; expected a tokenizer.json as the tokenizers library writes it";
        return Err(TokenizerError::invalid(path, detail));
    }
    check_ids(path, &value)?;
    check_decoder(&value["decoder"]).map_err(|problem| TokenizerError::invalid(path, problem))?;
    let mut library = text.parse().map_err(|error| TokenizerError::invalid(path, error))?;
    let mut settings = Settings::default();
    if let Some(folder) = folder {
        settings = Settings::read(folder)?;
        let stated = settings.added_tokens(path)?;
        settings.read_added_tokens(folder)?;
        added::add(&mut library, &settings, &stated, path)?;
    }
    Ok(Tokenizer::new(library, settings.of_file(path)))
}

/// Refuses ids that are too large, because tables are as long as the largest id.
fn check_ids(path: &Path, value: &serde_json::Value) -> Result<(), TokenizerError> {
    let added = value.get("added_tokens").and_then(serde_json::Value::as_array).into_iter().flatten();
    let added = added.filter_map(|token| token.get("id")?.as_u64());
    let model = value.get("model").and_then(|model| model.get("vocab")?.as_object()).into_iter().flatten();
    let largest = added.chain(model.filter_map(|(_, id)| id.as_u64())).max().unwrap_or(0);
    if largest > LARGEST_ID {
        return Err(TokenizerError::invalid(path, format!("the id {largest} is too large; at most {LARGEST_ID}")));
    }
    Ok(())
}
