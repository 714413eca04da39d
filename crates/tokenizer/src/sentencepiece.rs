//! `SentencePiece` models: from `tokenizer.model`, or from the pieces that a GGUF file has.

mod proto;

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use tokenizers::normalizers::Precompiled;

use crate::settings::Settings;
use crate::{Tokenizer, TokenizerError, added};

/// Longer pieces are not split into candidate merges.
const LONGEST_MERGED: usize = 256;
/// A word's beginning in the vocabulary.
const SPACE: char = '▁';
/// Distance of the score of unusable pieces below all others: more than any realistic text loses when it is split.
const UNREACHABLE: f64 = 1e4;

/// Kind of a piece.
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

/// Algorithm that splits a text into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// Pairs are merged, the one whose whole has the highest score first.
    Bpe,
    /// The pieces whose scores have the highest sum.
    Unigram,
}

/// Normalisation of a text before it is split.
#[derive(Clone, Debug, Default)]
pub(crate) struct Normalization {
    /// A map from sequences of characters to others, as `SentencePiece` stores it; empty: none.
    pub charsmap: Vec<u8>,
    /// Whether spaces at both ends are removed, and of several in a row all but one.
    pub removes_spaces: bool,
    /// Whether a space is put before a text.
    pub dummy_prefix: bool,
    /// Whether a space is also put after special tokens.
    pub prefix_everywhere: bool,
}

/// A model of `SentencePiece`.
#[derive(Debug)]
pub(crate) struct Model {
    pub pieces: Vec<Piece>,
    pub split: Split,
    pub normalization: Normalization,
}

impl Normalization {
    /// The library's normaliser and pre-tokenizer.
    ///
    /// # Errors
    /// When the map is none.
    fn json(&self) -> Result<(Value, Value), String> {
        let replace =
            |pattern: Value, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
        let mut steps = vec![];
        if !self.charsmap.is_empty() {
            let damaged = || "its map of characters is damaged; fetch it again".to_owned();
            let (length, rest) = self.charsmap.split_first_chunk::<4>().ok_or_else(damaged)?;
            // The library skips the map's header.
            if u32::from_le_bytes(*length) as usize > rest.len() {
                return Err(damaged());
            }
            let map = Precompiled::from(&self.charsmap).map_err(|_| damaged())?;
            steps.push(serde_json::to_value(map).map_err(|_| damaged())?);
        }
        if self.removes_spaces {
            steps.push(replace(json!({"Regex": " {2,}"}), " "));
            steps.push(replace(json!({"Regex": r"\A +| +\z"}), ""));
        }
        if self.dummy_prefix && self.prefix_everywhere {
            steps.push(json!({"type": "Prepend", "prepend": SPACE}));
        }
        let first_only = self.dummy_prefix && !self.prefix_everywhere;
        if !first_only {
            steps.push(replace(json!({"String": " "}), &SPACE.to_string()));
        }
        let normalizer = match steps.len() {
            0 => Value::Null,
            1 => steps.remove(0),
            _ => json!({"type": "Sequence", "normalizers": steps}),
        };
        let metaspace = json!({"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first", "split": false});
        Ok((normalizer, if first_only { metaspace } else { Value::Null }))
    }
}

impl Model {
    /// The tokenizer as the library's file would say it.
    ///
    /// # Errors
    /// Names the missing part of the model.
    pub(crate) fn json(&self) -> Result<Value, String> {
        let added = self.pieces.iter().enumerate().filter(|(_, piece)| {
            matches!(piece.kind, Kind::Control | Kind::Unknown | Kind::UserDefined) && !piece.text.is_empty()
        });
        let added: Vec<Value> = added
            .map(|(id, piece)| {
                json!({"id": id, "content": piece.text, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": false, "special": piece.kind != Kind::UserDefined})
            })
            .collect();
        let (normalizer, pre_tokenizer) = self.normalization.json()?;
        let mut decoders = vec![
            json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        if self.normalization.dummy_prefix || self.normalization.removes_spaces {
            // SentencePiece removes all of them where it would have removed them from the text.
            let most = if self.normalization.removes_spaces { 1024 } else { 1 };
            decoders.push(json!({"type": "Strip", "content": " ", "start": most, "stop": 0}));
        }
        Ok(json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": null,
            "decoder": {"type": "Sequence", "decoders": decoders},
            "model": match self.split {
                Split::Bpe => self.bpe(),
                Split::Unigram => self.unigram()?,
            },
        }))
    }

    fn unknown(&self) -> Option<usize> {
        self.pieces.iter().position(|piece| piece.kind == Kind::Unknown)
    }

    fn has_bytes(&self) -> bool {
        self.pieces.iter().any(|piece| piece.kind == Kind::Byte)
    }

    fn bpe(&self) -> Value {
        let mut vocabulary = serde_json::Map::new();
        for (id, piece) in self.pieces.iter().enumerate() {
            vocabulary.entry(piece.text.clone()).or_insert_with(|| json!(id));
        }
        json!({
            "type": "BPE", "dropout": null, "unk_token": self.unknown().map(|id| &self.pieces[id].text),
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
            "byte_fallback": self.has_bytes(), "ignore_merges": false, "vocab": vocabulary, "merges": self.merges(),
        })
    }

    /// The library may split a text into any piece, so that control and unused pieces get scores too low to be chosen.
    /// The unknown token scores lower still.
    fn unigram(&self) -> Result<Value, String> {
        let reachable = |piece: &Piece| matches!(piece.kind, Kind::Normal | Kind::UserDefined);
        let scores = self.pieces.iter().filter(|piece| reachable(piece)).map(|piece| f64::from(piece.score));
        let least = scores.fold(0.0, f64::min);
        if !least.is_finite() {
            return Err("the score of a piece is not a number; fetch it again".to_owned());
        }
        let score = |piece: &Piece| if reachable(piece) { f64::from(piece.score) } else { least - UNREACHABLE };
        let vocabulary: Vec<Value> = self.pieces.iter().map(|piece| json!([piece.text, score(piece)])).collect();
        let unknown = self.unknown().ok_or("it has no unknown piece; fetch it again")?;
        Ok(json!({"type": "Unigram", "unk_id": unknown, "vocab": vocabulary, "byte_fallback": self.has_bytes()}))
    }

    /// Merges, the best first: `SentencePiece` takes the pair whose whole has the highest score.
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

/// Reads `tokenizer.model` and the files beside it.
pub(crate) fn load(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let bytes = std::fs::read(path).map_err(|error| TokenizerError::read(path, error))?;
    let mut settings = Settings::read(path.parent().unwrap_or(Path::new(".")))?.of_file(path);
    let invalid = |detail: String| TokenizerError::invalid(path, detail);
    let model = proto::parse(&bytes, settings.stated("legacy") != Some(false)).map_err(invalid)?;
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
    let text = model.json().map_err(invalid)?.to_string();
    let mut library: tokenizers::Tokenizer = text.parse().map_err(|error| TokenizerError::invalid(path, error))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let stated = settings.added_tokens(path)?;
    settings.read_added_tokens(folder)?;
    added::add(&mut library, &settings, &stated, path)?;
    Ok(Tokenizer::new(library, settings))
}
