//! `SentencePiece` models: from `tokenizer.model`, or from the pieces that a GGUF file has.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::settings::Settings;
use crate::{Tokenizer, TokenizerError};

/// Longer pieces are not split into what they may be merged of.
const LONGEST_MERGED: usize = 256;
/// A word's beginning in the vocabulary.
const SPACE: char = '▁';

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl Kind {
    /// By its number in the file, which is the same in both formats.
    pub(crate) fn of(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }

    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Normal => 1,
            Self::Unknown => 2,
            Self::Control => 3,
            Self::UserDefined => 4,
            Self::Unused => 5,
            Self::Byte => 6,
        }
    }
}

/// One entry of the vocabulary; its place is its id.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub text: String,
    pub score: f32,
    pub kind: Kind,
}

/// A BPE model of `SentencePiece`.
#[derive(Debug)]
pub(crate) struct Model {
    pub pieces: Vec<Piece>,
    /// Whether a space is put before a text.
    pub dummy_prefix: bool,
    /// Whether that happens behind special tokens too.
    pub prefix_everywhere: bool,
}

impl Model {
    /// The tokenizer as the library's file would say it.
    pub(crate) fn json(&self) -> Value {
        let mut vocabulary = serde_json::Map::new();
        for (id, piece) in self.pieces.iter().enumerate() {
            vocabulary.entry(piece.text.clone()).or_insert_with(|| json!(id));
        }
        let added = self.pieces.iter().enumerate().filter(|(_, piece)| {
            matches!(piece.kind, Kind::Control | Kind::Unknown | Kind::UserDefined) && !piece.text.is_empty()
        });
        let added: Vec<Value> = added
            .map(|(id, piece)| {
                json!({"id": id, "content": piece.text, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": false, "special": piece.kind != Kind::UserDefined})
            })
            .collect();
        let unknown = self.pieces.iter().find(|piece| piece.kind == Kind::Unknown).map(|piece| &piece.text);
        let space = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
        let prepend = json!({"type": "Prepend", "prepend": SPACE});
        let (normalizer, pre_tokenizer) = match (self.dummy_prefix, self.prefix_everywhere) {
            (true, true) => (json!({"type": "Sequence", "normalizers": [prepend, space]}), Value::Null),
            (true, false) => (
                Value::Null,
                json!({"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first", "split": false}),
            ),
            (false, _) => (space, Value::Null),
        };
        let mut decoders = vec![
            json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        if self.dummy_prefix {
            decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
        }
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": null,
            "decoder": {"type": "Sequence", "decoders": decoders},
            "model": {
                "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": true,
                "byte_fallback": self.pieces.iter().any(|piece| piece.kind == Kind::Byte),
                "ignore_merges": false, "vocab": vocabulary, "merges": self.merges(),
            },
        })
    }

    /// What is merged into what, the best first: `SentencePiece` takes the pair whose whole has the highest score.
    fn merges(&self) -> Vec<[&str; 2]> {
        let mergeable = |piece: &&Piece| matches!(piece.kind, Kind::Normal | Kind::UserDefined | Kind::Unused);
        let ids: HashMap<&str, usize> =
            self.pieces.iter().enumerate().filter(|(_, p)| mergeable(p)).map(|(id, p)| (p.text.as_str(), id)).collect();
        let mut merges = vec![];
        for piece in self.pieces.iter().filter(mergeable).filter(|piece| piece.text.len() <= LONGEST_MERGED) {
            let cuts = piece.text.char_indices().skip(1).map(|(at, _)| piece.text.split_at(at));
            let mut pairs: Vec<_> =
                cuts.filter_map(|(left, right)| Some((*ids.get(left)?, *ids.get(right)?, [left, right]))).collect();
            pairs.sort_unstable_by_key(|&(left, right, _)| (left, right));
            merges.extend(pairs.into_iter().map(|(_, _, pair)| (piece.score, pair)));
        }
        merges.sort_by(|a, b| b.0.total_cmp(&a.0));
        merges.into_iter().map(|(_, pair)| pair).collect()
    }
}

/// Reads `tokenizer.model`, and what stands beside it.
pub(crate) fn load(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let bytes = std::fs::read(path).map_err(|error| TokenizerError::read(path, error))?;
    let mut settings = Settings::read(path.parent().unwrap_or(Path::new(".")))?.of_file(path);
    let invalid = |detail: String| TokenizerError::invalid(path, detail);
    let model = parse(&bytes, settings.stated("legacy") != Some(false)).map_err(invalid)?;
    for (role, kind, usual) in [
        ("unk_token", Kind::Unknown, "<unk>"),
        ("bos_token", Kind::Control, "<s>"),
        ("eos_token", Kind::Control, "</s>"),
    ] {
        let there = |piece: &&Piece| piece.kind == kind && (kind == Kind::Unknown || piece.text == usual);
        if let (None, Some(piece)) = (settings.special(role), model.pieces.iter().find(there)) {
            settings.set_special(role, &piece.text);
        }
    }
    let text = model.json().to_string();
    let mut library: tokenizers::Tokenizer = text.parse().map_err(|error| TokenizerError::invalid(path, error))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    settings.read_added_tokens(folder)?;
    for (id, token) in settings.added_tokens() {
        let content = token.content.clone();
        library.add_tokens([token]).map_err(|error| TokenizerError::invalid(path, error))?;
        if library.token_to_id(&content) != Some(id) {
            return Err(TokenizerError::invalid(
                path,
                format!(
                    "tokenizer_config.json or added_tokens.json gives {content:?} the id {id}, which does not follow \
                     its vocabulary"
                ),
            ));
        }
    }
    Ok(Tokenizer::new(library, settings))
}

/// The model in the bytes of a file: messages of `sentencepiece_model.proto`.
fn parse(bytes: &[u8], prefix_everywhere: bool) -> Result<Model, String> {
    const UNIGRAM: u64 = 1;
    const BPE: u64 = 2;
    let damaged = || "it is no SentencePiece model, or was cut off; fetch it again".to_owned();
    let mut pieces = vec![];
    // What the format takes where nothing is said.
    let (mut model_type, mut dummy_prefix, mut extra_spaces, mut charsmap) = (UNIGRAM, true, true, false);
    for field in Fields(bytes) {
        match field.ok_or_else(damaged)? {
            (1, Wire::Bytes(piece)) => {
                let mut read = Piece { text: String::new(), score: 0.0, kind: Kind::Normal };
                for field in Fields(piece) {
                    match field.ok_or_else(damaged)? {
                        (1, Wire::Bytes(text)) => text_of(text).ok_or_else(damaged)?.clone_into(&mut read.text),
                        (2, Wire::Fixed(bits)) => read.score = f32::from_bits(bits),
                        (3, Wire::Number(kind)) => read.kind = Kind::of(kind).ok_or_else(damaged)?,
                        _ => {}
                    }
                }
                pieces.push(read);
            }
            (2, Wire::Bytes(trainer)) => {
                for field in Fields(trainer) {
                    if let (3, Wire::Number(kind)) = field.ok_or_else(damaged)? {
                        model_type = kind;
                    }
                }
            }
            (3, Wire::Bytes(normalizer)) => {
                for field in Fields(normalizer) {
                    match field.ok_or_else(damaged)? {
                        (2, Wire::Bytes(map)) => charsmap = !map.is_empty(),
                        (3, Wire::Number(flag)) => dummy_prefix = flag != 0,
                        (4, Wire::Number(flag)) => extra_spaces = flag != 0,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let refused = match (model_type, charsmap, extra_spaces) {
        _ if pieces.is_empty() => return Err(damaged()),
        (BPE, false, false) => None,
        (UNIGRAM, ..) => Some("a unigram model"),
        (BPE, true, _) => Some("a model that normalises its text"),
        (BPE, ..) => Some("a model that removes spaces"),
        _ => Some("a model of words or characters"),
    };
    match refused {
        None => Ok(Model { pieces, dummy_prefix, prefix_everywhere }),
        Some(what) => Err(format!(
            "it is {what} of SentencePiece, which is not read (BPE as Llama's and Gemma's is); open it in \
             transformers and save it, which writes tokenizer.json"
        )),
    }
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A value of protocol buffers' wire format.
enum Wire<'a> {
    Number(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message, one after another; `None` once where it is damaged.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Wire<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.number()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.number()?),
            1 => {
                self.take(8)?;
                Wire::Other
            }
            2 => {
                let length = self.number()?;
                Wire::Bytes(self.take(usize::try_from(length).ok()?)?)
            }
            5 => Wire::Fixed(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((tag >> 3, wire))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }
}
