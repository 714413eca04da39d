//! Names of families in `config.json`, the keys of each, and the defaults of `transformers` for absent keys.

use crate::config::Family;

/// A family's names, keys and defaults.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own, as in config.json")]
pub(super) struct FamilyKeys {
    pub family: Family,
    pub model_type: &'static str,
    /// The architecture of its language models.
    pub language_model: &'static str,
    /// The architecture of the body alone; some checkpoints are saved as one.
    pub base_model: &'static str,
    /// The architecture of its score models. For Granite, transformers has none; the name follows the others.
    pub score_model: &'static str,
    /// `max_position_embeddings` if absent.
    pub context: usize,
    pub epsilon_key: &'static str,
    pub epsilon: f64,
    pub tied: bool,
    pub activation_key: &'static str,
    pub activation: &'static str,
    /// `head_dim` if absent; `None`: the width divided by the heads.
    pub head_dim: Option<usize>,
    pub theta: f64,
    /// Default of the rotated share of a head, for families that may rotate only a part.
    pub partial_rotary: Option<f64>,
    /// The key of biases on queries, keys and values, and its default.
    pub bias_key: Option<(&'static str, bool)>,
    /// Whether that key puts a bias on the output map too.
    pub output_bias: bool,
    /// Whether `num_key_value_heads` may be absent and defaults to the number of heads.
    pub kv_heads_optional: bool,
    /// Whether `mlp_bias` puts biases in the feed-forward layer.
    pub mlp_bias: bool,
}

const LLAMA: FamilyKeys = FamilyKeys {
    family: Family::Llama,
    model_type: "llama",
    language_model: "LlamaForCausalLM",
    base_model: "LlamaModel",
    score_model: "LlamaForSequenceClassification",
    context: 2048,
    epsilon_key: "rms_norm_eps",
    epsilon: 1e-6,
    tied: false,
    activation_key: "hidden_act",
    activation: "silu",
    head_dim: None,
    theta: 10_000.0,
    partial_rotary: None,
    bias_key: Some(("attention_bias", false)),
    output_bias: true,
    kv_heads_optional: true,
    mlp_bias: true,
};

const GEMMA: FamilyKeys = FamilyKeys {
    family: Family::Gemma,
    model_type: "gemma",
    language_model: "GemmaForCausalLM",
    base_model: "GemmaModel",
    score_model: "GemmaForSequenceClassification",
    context: 8192,
    tied: true,
    activation: "gelu_pytorch_tanh",
    head_dim: Some(256),
    kv_heads_optional: false,
    mlp_bias: false,
    ..LLAMA
};

pub(super) const FAMILIES: [FamilyKeys; 14] = [
    // GPT-2 has other keys; only the names here are used.
    FamilyKeys {
        family: Family::Gpt2,
        model_type: "gpt2",
        language_model: "GPT2LMHeadModel",
        base_model: "GPT2Model",
        score_model: "GPT2ForSequenceClassification",
        ..LLAMA
    },
    LLAMA,
    FamilyKeys {
        family: Family::Qwen2,
        kv_heads_optional: false,
        model_type: "qwen2",
        language_model: "Qwen2ForCausalLM",
        base_model: "Qwen2Model",
        score_model: "Qwen2ForSequenceClassification",
        context: 32_768,
        bias_key: None,
        mlp_bias: false,
        ..LLAMA
    },
    FamilyKeys {
        family: Family::Qwen3,
        kv_heads_optional: false,
        model_type: "qwen3",
        language_model: "Qwen3ForCausalLM",
        base_model: "Qwen3Model",
        score_model: "Qwen3ForSequenceClassification",
        context: 32_768,
        head_dim: Some(128),
        mlp_bias: false,
        ..LLAMA
    },
    FamilyKeys {
        family: Family::Mistral,
        kv_heads_optional: false,
        model_type: "mistral",
        language_model: "MistralForCausalLM",
        base_model: "MistralModel",
        score_model: "MistralForSequenceClassification",
        context: 131_072,
        bias_key: None,
        mlp_bias: false,
        ..LLAMA
    },
    GEMMA,
    FamilyKeys {
        family: Family::Gemma2,
        model_type: "gemma2",
        language_model: "Gemma2ForCausalLM",
        base_model: "Gemma2Model",
        score_model: "Gemma2ForSequenceClassification",
        activation_key: "hidden_activation",
        ..GEMMA
    },
    FamilyKeys {
        family: Family::Gemma3,
        model_type: "gemma3_text",
        language_model: "Gemma3ForCausalLM",
        base_model: "Gemma3TextModel",
        score_model: "Gemma3TextForSequenceClassification",
        context: 131_072,
        activation_key: "hidden_activation",
        theta: 1_000_000.0,
        ..GEMMA
    },
    FamilyKeys {
        family: Family::Phi3,
        model_type: "phi3",
        language_model: "Phi3ForCausalLM",
        base_model: "Phi3Model",
        score_model: "Phi3ForSequenceClassification",
        context: 4096,
        epsilon: 1e-5,
        partial_rotary: Some(1.0),
        bias_key: None,
        mlp_bias: false,
        ..LLAMA
    },
    FamilyKeys {
        family: Family::SmolLm3,
        kv_heads_optional: false,
        model_type: "smollm3",
        language_model: "SmolLM3ForCausalLM",
        base_model: "SmolLM3Model",
        score_model: "SmolLM3ForSequenceClassification",
        context: 32_768,
        tied: true,
        theta: 2_000_000.0,
        ..LLAMA
    },
    FamilyKeys {
        family: Family::Olmo2,
        model_type: "olmo2",
        language_model: "Olmo2ForCausalLM",
        base_model: "Olmo2Model",
        score_model: "Olmo2ForSequenceClassification",
        epsilon: 1e-5,
        mlp_bias: false,
        ..LLAMA
    },
    FamilyKeys {
        family: Family::Granite,
        model_type: "granite",
        language_model: "GraniteForCausalLM",
        base_model: "GraniteModel",
        score_model: "GraniteForSequenceClassification",
        ..LLAMA
    },
    FamilyKeys {
        family: Family::StableLm,
        kv_heads_optional: false,
        model_type: "stablelm",
        language_model: "StableLmForCausalLM",
        base_model: "StableLmModel",
        score_model: "StableLmForSequenceClassification",
        context: 4096,
        epsilon_key: "layer_norm_eps",
        epsilon: 1e-5,
        partial_rotary: Some(0.25),
        bias_key: Some(("use_qkv_bias", false)),
        output_bias: false,
        mlp_bias: false,
        ..LLAMA
    },
    FamilyKeys {
        family: Family::GptNeoX,
        model_type: "gpt_neox",
        language_model: "GPTNeoXForCausalLM",
        base_model: "GPTNeoXModel",
        score_model: "GPTNeoXForSequenceClassification",
        epsilon_key: "layer_norm_eps",
        epsilon: 1e-5,
        activation: "gelu",
        partial_rotary: Some(0.25),
        bias_key: Some(("attention_bias", true)),
        mlp_bias: false,
        ..LLAMA
    },
];

impl FamilyKeys {
    pub(super) fn of(family: Family) -> Self {
        FAMILIES.into_iter().find(|keys| keys.family == family).expect("every family is listed")
    }
}

/// Whether a family is one of Gemma's.
pub(super) fn is_gemma(family: Family) -> bool {
    matches!(family, Family::Gemma | Family::Gemma2 | Family::Gemma3)
}
