//! Configuration of a decoder: [`DecoderConfig`] and its presets.

mod rotary;
mod variant;

pub use fireclay_kernels::Activation;
pub use rotary::RotaryScaling;
use serde::{Deserialize, Serialize};
pub use variant::{NormPlace, Residual, Variant};

use crate::ModelError;

/// Position encoding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionEncoding {
    /// Fixed sines and cosines added to the embeddings (Vaswani et al. 2017, section 3.5).
    Sinusoidal,
    /// One trained vector a position, added to the embeddings (GPT-2).
    Learned,
    /// Queries and keys rotated by an angle that grows with the position (Su et al. 2021, `RoFormer`).
    Rotary {
        /// Base of the geometric series of wavelengths.
        theta: f64,
        /// Scaling of the frequencies for contexts longer than those of pretraining.
        scaling: RotaryScaling,
    },
}

/// Kind of normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Mean and variance, with gain and bias (Ba et al. 2016).
    Layer,
    /// Root mean square only, with gain (Zhang and Sennrich 2019).
    Rms,
}

/// Model family: determines the `config.json` and the weight names of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// `GPT2LMHeadModel`.
    Gpt2,
    /// `LlamaForCausalLM`.
    Llama,
    /// `Qwen2ForCausalLM`.
    Qwen2,
    /// `Qwen3ForCausalLM`.
    Qwen3,
    /// `MistralForCausalLM`.
    Mistral,
    /// `GemmaForCausalLM`.
    Gemma,
    /// `Gemma2ForCausalLM`.
    Gemma2,
    /// `Gemma3ForCausalLM`, the text-only model.
    Gemma3,
    /// `Phi3ForCausalLM`.
    Phi3,
    /// `SmolLM3ForCausalLM`.
    SmolLm3,
    /// `Olmo2ForCausalLM`.
    Olmo2,
    /// `GraniteForCausalLM`.
    Granite,
    /// `StableLmForCausalLM`.
    StableLm,
    /// `GPTNeoXForCausalLM`.
    GptNeoX,
}

/// All settings of a decoder's shape and arithmetic. [`init`](Self::init) makes a decoder with fresh weights,
/// [`load`](crate::load) reads one from a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own, as in config.json")]
pub struct DecoderConfig {
    /// Family whose checkpoint layout it is saved in.
    pub family: Family,
    /// Tokens in the vocabulary (V).
    pub vocab_size: usize,
    /// Width of the residual stream (D).
    pub width: usize,
    /// Number of blocks (L).
    pub layers: usize,
    /// Query heads (H).
    pub heads: usize,
    /// Key and value heads; divides `heads`. Fewer than `heads` is grouped-query attention (Ainslie et al. 2023).
    pub kv_heads: usize,
    /// Width of one head (K); need not be `width / heads`.
    pub head_dim: usize,
    /// Width inside the feed-forward layer.
    pub ffn_width: usize,
    /// Length of the longest sequence, in tokens.
    pub context: usize,
    /// Kind of position.
    pub position: PositionEncoding,
    /// Kind of normalisation.
    pub norm: NormKind,
    /// Added to the variance or mean square before the root.
    pub norm_epsilon: f64,
    /// Non-linearity of the feed-forward layer.
    pub activation: Activation,
    /// Whether the feed-forward layer multiplies the activation by a second linear map (GLU).
    pub gated: bool,
    /// Whether queries and keys are RMS-normalised per head before rotation (Henry et al. 2020; Qwen3).
    pub qk_norm: bool,
    /// Biases on the query, key and value maps.
    pub qkv_bias: bool,
    /// Bias on the attention's output map.
    pub output_bias: bool,
    /// Biases in the feed-forward layer.
    pub ffn_bias: bool,
    /// Whether the head is the embedding's transpose (Press and Wolf 2017).
    pub tied_head: bool,
    /// A query sees itself and the `window − 1` tokens before it, in layers from `full_layers` on.
    #[serde(default)]
    pub sliding_window: Option<usize>,
    /// Number of first layers that attend to everything although there is a sliding window.
    #[serde(default)]
    pub full_layers: usize,
    /// Standard deviation of fresh normal weights.
    pub init_std: f64,
    /// Standard deviation of fresh token embeddings; `None`: [`init_std`](Self::init_std).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_std: Option<f64>,
    /// Options that only some families have.
    #[serde(default, skip_serializing_if = "Variant::is_default")]
    pub variant: Variant,
}

impl DecoderConfig {
    /// The textbook decoder: sinusoidal positions added to the embeddings, multi-head attention,
    /// `ReLU` feed-forward of four times the width, layer norm on each sub-layer's input, an untied
    /// linear head. Saved as a GPT-2 whose position embedding is the table of sines.
    #[must_use]
    pub fn classic(vocab_size: usize, width: usize, layers: usize, heads: usize, context: usize) -> Self {
        Self {
            position: PositionEncoding::Sinusoidal,
            activation: Activation::Relu,
            tied_head: false,
            ..Self::gpt2(vocab_size, width, layers, heads, context)
        }
    }

    /// GPT-2 (Radford et al. 2019): learned positions, layer norm, GELU (tanh), biases everywhere, tied head.
    #[must_use]
    pub fn gpt2(vocab_size: usize, width: usize, layers: usize, heads: usize, context: usize) -> Self {
        Self {
            family: Family::Gpt2,
            vocab_size,
            width,
            layers,
            heads,
            kv_heads: heads,
            head_dim: width / heads.max(1),
            ffn_width: 4 * width,
            context,
            position: PositionEncoding::Learned,
            norm: NormKind::Layer,
            norm_epsilon: 1e-5,
            activation: Activation::GeluTanh,
            gated: false,
            qk_norm: false,
            qkv_bias: true,
            output_bias: true,
            ffn_bias: true,
            tied_head: true,
            sliding_window: None,
            full_layers: 0,
            init_std: 0.02,
            embedding_std: None,
            variant: Variant::default(),
        }
    }

    /// Llama (Touvron et al. 2023): rotary, RMS norm, `SwiGLU`, no biases, untied head.
    #[must_use]
    pub fn llama(vocab_size: usize, width: usize, layers: usize, heads: usize, context: usize) -> Self {
        Self {
            family: Family::Llama,
            // Two thirds of 4·D, so that three matrices cost as much as two, rounded up to a multiple of 32.
            ffn_width: (8 * width / 3).next_multiple_of(32),
            position: PositionEncoding::Rotary { theta: 10_000.0, scaling: RotaryScaling::None },
            norm: NormKind::Rms,
            activation: Activation::Silu,
            gated: true,
            qkv_bias: false,
            output_bias: false,
            ffn_bias: false,
            tied_head: false,
            ..Self::gpt2(vocab_size, width, layers, heads, context)
        }
    }

    /// Qwen2 (Yang et al. 2024): Llama's shape with biases on queries, keys and values.
    #[must_use]
    pub fn qwen2(vocab_size: usize, width: usize, layers: usize, heads: usize, context: usize) -> Self {
        Self {
            family: Family::Qwen2,
            norm_epsilon: 1e-6,
            qkv_bias: true,
            tied_head: true,
            ..Self::llama(vocab_size, width, layers, heads, context)
        }
    }

    /// Qwen3 (Yang et al. 2025): Llama's shape with normalised queries and keys.
    #[must_use]
    pub fn qwen3(vocab_size: usize, width: usize, layers: usize, heads: usize, context: usize) -> Self {
        Self {
            family: Family::Qwen3,
            norm_epsilon: 1e-6,
            qk_norm: true,
            tied_head: true,
            ..Self::llama(vocab_size, width, layers, heads, context)
        }
    }

    /// The default for new models: Qwen3's shape (rotary, grouped queries, RMS norm, `SwiGLU`,
    /// QK-norm, tied head) with half as many key and value heads as query heads where the number is
    /// even.
    #[must_use]
    pub fn modern(vocab_size: usize, width: usize, layers: usize, heads: usize, context: usize) -> Self {
        let kv_heads = if heads.is_multiple_of(2) { heads / 2 } else { heads };
        Self { kv_heads, ..Self::qwen3(vocab_size, width, layers, heads, context) }
    }

    /// Checks that the numbers fit each other.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] names the first invalid number and its valid range.
    pub fn validate(&self) -> Result<(), ModelError> {
        let invalid = |message: String| Err(ModelError::Invalid(message));
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("ffn_width", self.ffn_width),
            ("context", self.context),
        ] {
            if value == 0 {
                return invalid(format!("{name} is 0; give a positive number"));
            }
        }
        // Far beyond any existing model, and small enough that no parameter count overflows.
        for (name, value, most) in [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("width", self.width, 1 << 20),
            ("layers", self.layers, 1 << 12),
            ("heads", self.heads, 1 << 12),
            ("head_dim", self.head_dim, 1 << 12),
            ("ffn_width", self.ffn_width, 1 << 24),
            ("context", self.context, 1 << 24),
        ] {
            if value > most {
                return invalid(format!("{name} = {value} is more than {most}; give a smaller number"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return invalid(format!(
                "kv_heads = {} does not divide heads = {}; choose a divisor",
                self.kv_heads, self.heads
            ));
        }
        self.variant.validate(self)?;
        if self.family == Family::Gpt2 && self.head_dim * self.heads != self.width {
            return invalid(format!(
                "width = {} is not heads × head_dim = {} × {}; a GPT-2 needs them equal",
                self.width, self.heads, self.head_dim
            ));
        }
        if self.sliding_window == Some(0) {
            return invalid("sliding_window is 0; give the number of tokens a query sees, or leave it out".into());
        }
        let embedding_std = self.embedding_std.unwrap_or(self.init_std);
        if !(self.norm_epsilon > 0.0 && self.init_std > 0.0 && embedding_std > 0.0) {
            return invalid("norm_epsilon, init_std and embedding_std must be positive".into());
        }
        Ok(())
    }

    /// Width of all query heads together (H·K).
    #[must_use]
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads together, and of all value heads.
    #[must_use]
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Whether a layer has the sliding window.
    #[must_use]
    pub fn is_windowed(&self, layer: usize) -> bool {
        self.sliding_window.is_some()
            && self.variant.window_layers.as_ref().map_or(layer >= self.full_layers, |layers| layers[layer])
    }

    /// Largest number of tokens that any layer attends to, the query's own included; `None`: a layer attends to all.
    #[must_use]
    pub fn window_of_all_layers(&self) -> Option<usize> {
        self.sliding_window.filter(|_| (0..self.layers).all(|layer| self.is_windowed(layer)))
    }

    /// Trainable numbers, a tied head counted once. Sinusoidal tables are not trained and not counted.
    #[must_use]
    pub fn num_params(&self) -> usize {
        let d = self.width;
        let norm = if self.norm == NormKind::Layer { 2 * d } else { d };
        let head_norms = match self.variant.qk_norm_over_heads {
            true => self.query_width() + self.kv_width(),
            false => 2 * self.head_dim,
        };
        let attention = d * (self.query_width() + 2 * self.kv_width())
            + self.query_width() * d
            + usize::from(self.qkv_bias) * (self.query_width() + 2 * self.kv_width())
            + usize::from(self.output_bias) * d
            + usize::from(self.qk_norm) * head_norms;
        let up = if self.gated { 2 } else { 1 };
        let feed_forward = (up + 1) * d * self.ffn_width + usize::from(self.ffn_bias) * (up * self.ffn_width + d);
        let positions = if self.position == PositionEncoding::Learned { self.context * d } else { 0 };
        let head = if self.tied_head { 0 } else { self.vocab_size * d };
        let blocks = self.layers * (attention + feed_forward + self.variant.norms_per_block() * norm);
        self.vocab_size * d + positions + blocks + norm + head
    }

    /// Floating-point operations to train on one token of a sequence of `context` tokens: 6 per matrix parameter (2
    /// forward, 4 backward) and 12·L·H·K·T for the attention products (Chowdhery et al. 2022, `PaLM`, appendix B).
    /// Embedding look-ups are not counted; the head is.
    #[must_use]
    pub fn flops_per_token(&self, context: usize) -> f64 {
        let d = self.width;
        let up = if self.gated { 2 } else { 1 };
        let block = d * (2 * self.query_width() + 2 * self.kv_width()) + (up + 1) * d * self.ffn_width;
        let matrices = self.layers * block + self.vocab_size * d;
        let attention = self.layers * self.query_width() * context;
        6.0 * matrices as f64 + 12.0 * attention as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpt2_small_has_its_published_size() {
        assert_eq!(DecoderConfig::gpt2(50_257, 768, 12, 12, 1024).num_params(), 124_439_808);
    }

    #[test]
    fn num_params_counts_what_init_makes() {
        let device = crate::device::parse("cpu").unwrap();
        for config in [
            DecoderConfig::classic(50, 16, 2, 2, 12),
            DecoderConfig::gpt2(50, 16, 2, 2, 12),
            DecoderConfig::llama(50, 16, 2, 2, 12),
            DecoderConfig::qwen2(50, 16, 2, 2, 12),
            DecoderConfig::modern(50, 16, 2, 4, 12),
        ] {
            use burn::module::Module;
            assert_eq!(config.init(0, &device).num_params(), config.num_params(), "{config:?}");
        }
    }

    #[test]
    fn impossible_numbers_are_named() {
        let check = |change: fn(&mut DecoderConfig), expect: &str| {
            let mut config = DecoderConfig::modern(50, 16, 2, 4, 12);
            change(&mut config);
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(expect), "{message}");
        };
        check(|c| c.layers = 0, "layers is 0");
        check(|c| c.kv_heads = 3, "kv_heads = 3 does not divide heads = 4");
        check(|c| c.head_dim = 5, "head_dim = 5 is odd");
        check(|c| c.norm_epsilon = f64::NAN, "must be positive");
    }
}
