//! The sections of a recipe that belong to no stage.

use fireclay_corpus::{CorpusConfig, WorldConfig};
use fireclay_model::{DecoderConfig, PositionEncoding, RotaryScaling};
use serde::{Deserialize, Serialize};

use super::{BatterySection, ChatSection};
use crate::tokenizer_kind::TokenizerKind;

/// The sections of a recipe that belong to no stage, which every stage may read.
#[derive(Clone, Copy, Debug)]
pub struct SharedSections<'a> {
    /// Source of the text.
    pub data: &'a DataSection,
    /// The embedded corpus, where [`DataSection::has_corpus`].
    pub corpus: &'a CorpusConfig,
    /// The people of the embedded corpus that the model was trained on.
    pub world: WorldConfig,
    /// Text to token ids.
    pub tokenizer: &'a TokenizerSection,
    /// The decoder.
    pub model: &'a ModelSection,
    /// Battery of common first messages, from fine-tuning on.
    pub battery: &'a BatterySection,
    /// Default sampling settings of the finished model.
    pub chat: &'a ChatSection,
    /// Samples during training.
    pub samples: &'a SamplesSection,
}

/// Sampling of batches from the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchSampling {
    /// Every window once per epoch, in a seeded order.
    #[default]
    Packed,
    /// Every window once per epoch, the first epoch in the order of the text.
    Ordered,
    /// Windows at uniformly random places (nanoGPT).
    Random,
}

/// Source of the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSection {
    /// Files, folders and `hf://` names; none: the embedded corpus.
    pub paths: Vec<String>,
    /// Whether the embedded corpus is read too where there are `paths`, their documents evenly between its own.
    pub with_corpus: bool,
    /// Text that `paths` must name, in words for people, where the embedded corpus will not do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// Files for validation; none: a part of `paths`.
    pub validation_paths: Vec<String>,
    /// Share of the text kept for validation where `validation_paths` is empty.
    pub validation_fraction: f64,
    /// Separator of the documents of a `.txt` file (such as `<|endoftext|>`); none: the file is one document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// The key of `.jsonl` lines and the column of `.parquet` files that holds the text; none: `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// Sampling of batches from it.
    pub sampling: BatchSampling,
    /// Whether a token sees its own document only, not those before it in its window.
    pub separate_documents: bool,
}

impl Default for DataSection {
    fn default() -> Self {
        Self {
            paths: vec![],
            with_corpus: false,
            needs: None,
            validation_paths: vec![],
            validation_fraction: 0.1,
            separator: None,
            text_column: None,
            sampling: BatchSampling::Packed,
            separate_documents: false,
        }
    }
}

impl DataSection {
    /// Whether the embedded corpus is read.
    #[must_use]
    pub fn has_corpus(&self) -> bool {
        self.paths.is_empty() || self.with_corpus
    }
}

/// Text to token ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenizerSection {
    /// A tokenizer to take instead of training one: a folder, a `tokenizer.json` or a `.tiktoken` file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Kind of the tokenizer to train.
    pub kind: TokenizerKind,
    /// Size of a trained vocabulary of kind `bpe` or `words`.
    pub vocab_size: usize,
    /// Whether every digit is a separate token; with kind `words` it always is.
    pub split_digits: bool,
    /// Training BPE reads at most this many bytes of the text, from its beginning.
    pub max_bytes: u64,
}

impl Default for TokenizerSection {
    fn default() -> Self {
        Self { path: None, kind: TokenizerKind::Bpe, vocab_size: 4096, split_digits: true, max_bytes: 200_000_000 }
    }
}

/// The preset from which [`ModelSection`] starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    Classic,
    Gpt2,
    Llama,
    Qwen2,
    Qwen3,
    #[default]
    Modern,
}

/// The decoder: a preset, and changes to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// A model to begin with instead of fresh weights, as `--model`; it then overrides all other keys here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub preset: Preset,
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ffn_width: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qk_norm: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tied_head: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_std: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_std: Option<f64>,
}

impl Default for ModelSection {
    fn default() -> Self {
        Self {
            path: None,
            preset: Preset::Modern,
            layers: 4,
            width: 128,
            heads: 4,
            kv_heads: None,
            head_dim: None,
            ffn_width: None,
            context: None,
            rope_theta: None,
            qk_norm: None,
            tied_head: None,
            sliding_window: None,
            init_std: None,
            embedding_std: None,
        }
    }
}

impl ModelSection {
    /// The decoder for a vocabulary of this size; its context is `context` where the section names none.
    #[must_use]
    pub fn decoder(&self, vocab_size: usize, context: usize) -> DecoderConfig {
        let preset = match self.preset {
            Preset::Classic => DecoderConfig::classic,
            Preset::Gpt2 => DecoderConfig::gpt2,
            Preset::Llama => DecoderConfig::llama,
            Preset::Qwen2 => DecoderConfig::qwen2,
            Preset::Qwen3 => DecoderConfig::qwen3,
            Preset::Modern => DecoderConfig::modern,
        };
        let shape = preset(vocab_size, self.width, self.layers, self.heads, self.context.unwrap_or(context));
        DecoderConfig {
            kv_heads: self.kv_heads.unwrap_or(shape.kv_heads),
            head_dim: self.head_dim.unwrap_or(shape.head_dim),
            ffn_width: self.ffn_width.unwrap_or(shape.ffn_width),
            position: match (&shape.position, self.rope_theta) {
                (PositionEncoding::Rotary { .. }, Some(theta)) => {
                    PositionEncoding::Rotary { theta, scaling: RotaryScaling::None }
                }
                _ => shape.position.clone(),
            },
            qk_norm: self.qk_norm.unwrap_or(shape.qk_norm),
            tied_head: self.tied_head.unwrap_or(shape.tied_head),
            sliding_window: self.sliding_window.or(shape.sliding_window),
            init_std: self.init_std.unwrap_or(shape.init_std),
            embedding_std: self.embedding_std.or(shape.embedding_std),
            ..shape
        }
    }
}

/// Samples during training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplesSection {
    /// Beginnings of texts. None: those of the embedded corpus, or, with other data, only the token
    /// that begins a document.
    pub prompts: Vec<String>,
}
