//! The tokenizer and the chat templates inside a GGUF file.

use std::path::Path;

use fireclay_gguf::{Entry, GgufFile, Value as Stored};
use serde_json::{Map, Value, json};

use crate::patterns::{GPT2_PATTERN, QWEN_PATTERN, RANKS_PATTERN};
use crate::ranks::O200K_PATTERN;
use crate::sentencepiece::{Kind, Model, Normalization, Piece, Split};
use crate::settings::Settings;
use crate::{Tokenizer, TokenizerError};

/// The id of no token, −1 in 32 bits.
const NO_TOKEN: u64 = u32::MAX as u64;

/// The words of Mistral's Tekken.
const TEKKEN_PATTERN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Pre-tokenisation of a byte-level tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WordSplit {
    pattern: &'static str,
    /// Whether each digit is split off before the pattern is applied.
    digits: bool,
    /// Whether text is composed (NFC) first.
    composed: bool,
    /// Whether a word that is a token needs no merges.
    ignore_merges: bool,
}

const fn words(pattern: &'static str) -> WordSplit {
    WordSplit { pattern, digits: false, composed: false, ignore_merges: false }
}

/// Values of `tokenizer.ggml.pre` and their meaning. Of several with one meaning, the first is written.
const SPLITS: [(&str, WordSplit); 27] = [
    ("gpt-2", words(GPT2_PATTERN)),
    ("gpt2", words(GPT2_PATTERN)),
    ("olmo", words(GPT2_PATTERN)),
    ("dolma", words(GPT2_PATTERN)),
    ("mpt", words(GPT2_PATTERN)),
    ("phi-2", words(GPT2_PATTERN)),
    ("jais", words(GPT2_PATTERN)),
    ("smaug-bpe", words(RANKS_PATTERN)),
    ("dbrx", words(RANKS_PATTERN)),
    ("llama-bpe", WordSplit { ignore_merges: true, ..words(RANKS_PATTERN) }),
    ("llama3", WordSplit { ignore_merges: true, ..words(RANKS_PATTERN) }),
    ("llama-v3", WordSplit { ignore_merges: true, ..words(RANKS_PATTERN) }),
    ("falcon3", WordSplit { ignore_merges: true, ..words(RANKS_PATTERN) }),
    ("pixtral", WordSplit { ignore_merges: true, ..words(RANKS_PATTERN) }),
    ("stablelm2", words(QWEN_PATTERN)),
    ("qwen2", WordSplit { composed: true, ..words(QWEN_PATTERN) }),
    ("deepseek-r1-qwen", WordSplit { composed: true, ..words(QWEN_PATTERN) }),
    ("megrez", WordSplit { composed: true, ..words(QWEN_PATTERN) }),
    ("smollm", WordSplit { digits: true, ..words(GPT2_PATTERN) }),
    ("refact", WordSplit { digits: true, ..words(GPT2_PATTERN) }),
    ("starcoder", WordSplit { digits: true, ..words(GPT2_PATTERN) }),
    ("command-r", WordSplit { digits: true, ..words(GPT2_PATTERN) }),
    ("codeshell", WordSplit { digits: true, ..words(GPT2_PATTERN) }),
    ("minerva-7b", WordSplit { digits: true, ..words(GPT2_PATTERN) }),
    ("exaone", WordSplit { digits: true, ..words(GPT2_PATTERN) }),
    ("gpt-4o", words(O200K_PATTERN)),
    ("tekken", WordSplit { ignore_merges: true, ..words(TEKKEN_PATTERN) }),
];

/// The largest vocabulary that is read.
const MOST_TOKENS: usize = 1 << 24;

pub(crate) fn load(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let file = GgufFile::open(path).map_err(|error| TokenizerError::invalid(path, error))?;
    let reader = Reader { file: &file };
    if file.value("tokenizer.ggml.tokens").is_none() {
        let looked_for = "tokenizer.ggml.tokens, the tokenizer of a GGUF file";
        return Err(TokenizerError::NotFound { path: path.to_owned(), looked_for });
    }
    let pieces = reader.pieces()?;
    let json = match file.text("tokenizer.ggml.model") {
        Some("gpt2") => reader.byte_level(&pieces)?,
        Some("llama") => {
            let dummy_prefix = file.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
            let normalization = Normalization { dummy_prefix, prefix_everywhere: true, ..Normalization::default() };
            let model = Model { pieces: pieces.clone(), split: Split::Bpe, normalization };
            model.json().map_err(|reason| reader.invalid(reason))?
        }
        other => {
            return Err(reader.invalid(format!(
                "tokenizer.ggml.model is {:?}, which is not supported (gpt2 and llama are); use the model's own folder",
                other.unwrap_or("missing")
            )));
        }
    };
    let settings = reader.settings(&pieces)?;
    let library = json.to_string().parse().map_err(|error| TokenizerError::invalid(path, error))?;
    Ok(Tokenizer::new(library, settings))
}

struct Reader<'a> {
    file: &'a GgufFile,
}

impl Reader<'_> {
    fn invalid(&self, detail: String) -> TokenizerError {
        TokenizerError::invalid(self.file.path(), detail)
    }

    fn pieces(&self) -> Result<Vec<Piece>, TokenizerError> {
        let texts = self.file.texts("tokenizer.ggml.tokens");
        let texts = texts.ok_or_else(|| {
            self.invalid("tokenizer.ggml.tokens is not a list of strings; copy the file again".into())
        })?;
        let numbers = |key: &str| match self.file.numbers(key) {
            Some(numbers) if numbers.len() == texts.len() => Ok(Some(numbers)),
            None if self.file.value(key).is_none() => Ok(None),
            _ => Err(self.invalid(format!("{key} must have one number per token; copy the file again"))),
        };
        let (scores, kinds) = (numbers("tokenizer.ggml.scores")?, numbers("tokenizer.ggml.token_type")?);
        if texts.is_empty() || texts.len() > MOST_TOKENS {
            return Err(self.invalid(format!("a vocabulary of {} tokens; copy the file again", texts.len())));
        }
        let kind = |id: usize| match &kinds {
            Some(kinds) => Kind::of(kinds[id] as u64)
                .ok_or_else(|| self.invalid(format!("token {id} has an unknown type; copy the file again"))),
            None => Ok(Kind::Normal),
        };
        let score = |id: usize| scores.as_ref().map_or(0.0, |scores| scores[id] as f32);
        texts.into_iter().enumerate().map(|(id, text)| Ok(Piece { text, score: score(id), kind: kind(id)? })).collect()
    }

    fn byte_level(&self, pieces: &[Piece]) -> Result<Value, TokenizerError> {
        let words = match self.file.text("tokenizer.ggml.pre") {
            Some(name) => SPLITS.iter().find(|split| split.0 == name).map(|split| split.1).ok_or_else(|| {
                self.invalid(format!(
                    "tokenizer.ggml.pre is {name:?}, a way to split text that is not known; use the model's own folder"
                ))
            })?,
            // Older files of these two families lack the key, and use the same default.
            None if matches!(self.file.text("general.architecture"), Some("gpt2" | "gptneox")) => words(GPT2_PATTERN),
            None => {
                return Err(self.invalid(
                    "tokenizer.ggml.pre is missing, so how text is split is unknown; convert the model again".into(),
                ));
            }
        };
        let merges = self.file.texts("tokenizer.ggml.merges").ok_or_else(|| {
            self.invalid("tokenizer.ggml.merges is missing or not a list of strings; convert the model again".into())
        })?;
        let merges: Option<Vec<[&str; 2]>> =
            merges.iter().map(|merge| merge.split_once(' ').map(|(left, right)| [left, right])).collect();
        let merges = merges
            .ok_or_else(|| self.invalid("an entry of tokenizer.ggml.merges is not a pair; copy it again".into()))?;
        let mut vocabulary = Map::new();
        for (id, piece) in pieces.iter().enumerate() {
            vocabulary.entry(piece.text.clone()).or_insert_with(|| json!(id));
        }
        let added: Vec<Value> = pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| {
                matches!(piece.kind, Kind::Control | Kind::UserDefined | Kind::Unknown) && !piece.text.is_empty()
            })
            .map(|(id, piece)| {
                json!({"id": id, "content": piece.text, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": false, "special": piece.kind != Kind::UserDefined})
            })
            .collect();
        let mut steps = vec![];
        if words.digits {
            steps.push(json!({"type": "Digits", "individual_digits": true}));
        }
        steps.push(
            json!({"type": "Split", "pattern": {"Regex": words.pattern}, "behavior": "Isolated", "invert": false}),
        );
        steps.push(json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}));
        Ok(json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": words.composed.then(|| json!({"type": "NFC"})),
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}, "post_processor": null,
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                "ignore_merges": words.ignore_merges, "vocab": vocabulary, "merges": merges,
            },
        }))
    }

    /// The roles of tokens and the chat templates.
    fn settings(&self, pieces: &[Piece]) -> Result<Settings, TokenizerError> {
        let id = |name: &str| -> Result<Option<usize>, TokenizerError> {
            let key = format!("tokenizer.ggml.{name}_token_id");
            // Some files write −1 for none.
            let none = |value: &Stored| matches!(value, Stored::Signed(-1) | Stored::Unsigned(NO_TOKEN));
            if self.file.value(&key).is_none_or(none) {
                return Ok(None);
            }
            let id = self.file.unsigned(&key).and_then(|id| usize::try_from(id).ok()).filter(|&id| id < pieces.len());
            // Nothing depends on the padding, and every unknown character is reported without the token too.
            if id.is_none() && !["padding", "unknown"].contains(&name) {
                let detail = format!("{key} is not the id of one of its {} tokens; copy the file again", pieces.len());
                return Err(TokenizerError::invalid(self.file.path(), detail));
            }
            Ok(id)
        };
        let mut settings = Settings::generated(None, None).of_file(self.file.path());
        for (role, name) in
            [("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding"), ("unk_token", "unknown")]
        {
            if let Some(id) = id(name)? {
                settings.set_special(role, &pieces[id].text);
            }
        }
        let mut stop = vec![];
        for name in ["eos", "eot", "eom"] {
            stop.extend(id(name)?.map(|id| id as u32));
        }
        settings.set_stop_ids(&stop);
        let sentencepiece = self.file.text("tokenizer.ggml.model") == Some("llama");
        let llama3 = matches!(self.file.text("tokenizer.ggml.pre"), Some("llama-bpe" | "llama3" | "llama-v3"));
        let adds_bos = self.file.flag("tokenizer.ggml.add_bos_token").unwrap_or(sentencepiece || llama3);
        settings.set_flag("add_bos_token", adds_bos);
        if let Some(template) = self.file.text("tokenizer.chat_template") {
            settings.add_template("default", template, self.file.path())?;
        }
        for name in self.file.texts("tokenizer.chat_templates").unwrap_or_default() {
            if let Some(template) = self.file.text(&format!("tokenizer.chat_template.{name}")) {
                settings.add_template(&name, template, self.file.path())?;
            }
        }
        Ok(settings)
    }
}

impl Tokenizer {
    /// Whether the beginning-of-text token precedes every text, according to the file of the tokenizer; for files
    /// without a post-processor.
    pub fn adds_bos(&self) -> bool {
        self.settings().flag("add_bos_token")
    }

    /// The tokenizer and its chat template as the metadata of a GGUF file, for a model of `vocab_size` tokens.
    ///
    /// # Errors
    /// [`TokenizerError::InvalidTokenizer`] when a GGUF file cannot express this tokenizer.
    pub fn gguf_metadata(&self, vocab_size: usize) -> Result<Vec<(String, Entry)>, TokenizerError> {
        let refused = |what: &str| {
            let origin = self.settings().origin().unwrap_or(Path::new("the tokenizer"));
            TokenizerError::invalid(origin, format!("{what}, which has no GGUF form; keep the model as a folder"))
        };
        let json = serde_json::to_value(&**self.library()).map_err(|error| refused(&error.to_string()))?;
        let model = &json["model"];
        if model["type"] != "BPE" {
            return Err(refused("it is not a byte-pair encoding"));
        }
        let tokens = tokens_of(&json, vocab_size.max(self.vocab_size()));
        let merges = merges_of(model);
        let mut entries = if let Some(name) = split_of(&json) {
            vec![
                ("tokenizer.ggml.model", Entry::Text("gpt2".into())),
                ("tokenizer.ggml.pre", Entry::Text(name.into())),
                ("tokenizer.ggml.merges", Entry::Texts(merges)),
            ]
        } else {
            let prefix = sentencepiece_prefix(&json).ok_or_else(|| refused("it splits text in another way"))?;
            vec![
                ("tokenizer.ggml.model", Entry::Text("llama".into())),
                ("tokenizer.ggml.pre", Entry::Text("default".into())),
                ("tokenizer.ggml.scores", Entry::F32s(scores(&tokens, &merges))),
                ("tokenizer.ggml.add_space_prefix", Entry::Bool(prefix)),
            ]
        };
        let (texts, kinds): (Vec<String>, Vec<i32>) =
            tokens.into_iter().map(|(text, kind)| (text, kind.number())).unzip();
        entries.push(("tokenizer.ggml.tokens", Entry::Texts(texts)));
        entries.push(("tokenizer.ggml.token_type", Entry::I32s(kinds)));
        if let Some(id) = self.unk_id() {
            entries.push(("tokenizer.ggml.unknown_token_id", Entry::U32(id)));
        }
        if let Some(template) = self.chat_template() {
            entries.push(("tokenizer.chat_template", Entry::Text(template.source().to_owned())));
        }
        Ok(entries.into_iter().map(|(key, entry)| (key.to_owned(), entry)).collect())
    }
}

/// `count` tokens and their kinds, by id, of a `tokenizer.json`.
fn tokens_of(json: &Value, count: usize) -> Vec<(String, Kind)> {
    let model = &json["model"];
    let mut tokens: Vec<_> = (0..count).map(|id| (format!("[unused {id}]"), Kind::Unused)).collect();
    let byte_fallback = model["byte_fallback"] == true;
    for (token, id) in model["vocab"].as_object().into_iter().flatten() {
        let is_byte = byte_fallback && token.len() == 6 && token.starts_with("<0x") && token.ends_with('>');
        let kind = if is_byte { Kind::Byte } else { Kind::Normal };
        tokens[id.as_u64().unwrap_or(0) as usize] = (token.clone(), kind);
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let content = added["content"].as_str().unwrap_or_default().to_owned();
        let unknown = model["unk_token"].as_str() == Some(&content);
        let kind = match (unknown, added["special"] == true) {
            (true, _) => Kind::Unknown,
            (_, true) => Kind::Control,
            _ => Kind::UserDefined,
        };
        tokens[added["id"].as_u64().unwrap_or(0) as usize] = (content, kind);
    }
    tokens
}

/// The merges of a byte-pair encoding, as pairs of pieces with a space between.
fn merges_of(model: &Value) -> Vec<String> {
    let merges = model["merges"].as_array().into_iter().flatten();
    let merge = |merge: &Value| match merge.as_array() {
        Some(pair) => pair.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        None => merge.as_str().unwrap_or_default().to_owned(),
    };
    merges.map(merge).collect()
}

/// The name of a byte-level tokenizer's way to split text, if it has one.
fn split_of(json: &Value) -> Option<&'static str> {
    let steps = match &json["pre_tokenizer"] {
        pre if pre["type"] == "Sequence" => pre["pretokenizers"].as_array()?.clone(),
        pre => vec![pre.clone()],
    };
    let digits = steps.iter().any(|step| step["type"] == "Digits" && step["individual_digits"] == true);
    let others = steps.iter().filter(|step| step["type"] != "Digits").collect::<Vec<_>>();
    let byte_level = |step: &Value| step["type"] == "ByteLevel" && step["add_prefix_space"] == false;
    let pattern = match others[..] {
        [only] if byte_level(only) && only["use_regex"] == true => GPT2_PATTERN,
        [split, last] if byte_level(last) && last["use_regex"] == false && split["type"] == "Split" => {
            split["pattern"]["Regex"].as_str()?
        }
        _ => return None,
    };
    let composed = match &json["normalizer"] {
        Value::Null => false,
        normalizer if normalizer["type"] == "NFC" => true,
        _ => return None,
    };
    let ignore_merges = json["model"]["ignore_merges"] == true;
    let exact = SPLITS.iter().find(|(_, words)| {
        words.pattern == pattern
            && words.digits == digits
            && words.composed == composed
            && words.ignore_merges == ignore_merges
    });
    exact.map(|split| split.0)
}

/// Whether a tokenizer of `SentencePiece`'s kind puts a space before a text; `None` for others.
fn sentencepiece_prefix(json: &Value) -> Option<bool> {
    let replaces =
        |step: &Value| step["type"] == "Replace" && step["pattern"]["String"] == " " && step["content"] == "▁";
    let normalizer = &json["normalizer"];
    let pre = &json["pre_tokenizer"];
    match (normalizer["type"].as_str(), pre["type"].as_str()) {
        (Some("Sequence"), None) => {
            let steps = normalizer["normalizers"].as_array()?;
            (steps.len() == 2 && steps[0]["type"] == "Prepend" && steps[0]["prepend"] == "▁" && replaces(&steps[1]))
                .then_some(true)
        }
        (Some("Replace"), None) => replaces(normalizer).then_some(false),
        // Gemma splits at spaces, of which there are none left; this has no effect.
        (Some("Replace"), Some("Split")) => (replaces(normalizer) && pre["pattern"]["String"] == " ").then_some(false),
        (None, Some("Metaspace")) => match pre["prepend_scheme"].as_str()? {
            "never" => Some(false),
            "first" | "always" => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// Scores by which the merges come in their order: a token's is minus the rank of the first merge that makes it.
fn scores(tokens: &[(String, Kind)], merges: &[String]) -> Vec<f32> {
    let mut ranks = std::collections::HashMap::new();
    for (rank, merge) in merges.iter().enumerate() {
        ranks.entry(merge.replacen(' ', "", 1)).or_insert(rank);
    }
    let last = merges.len() as f32;
    let score = |(token, kind): &(String, Kind)| match kind {
        Kind::Normal => ranks.get(token).map_or(-last - 1.0, |&rank| -(rank as f32)),
        _ => 0.0,
    };
    tokens.iter().map(score).collect()
}
