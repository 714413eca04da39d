//! [`DecoderConfig`] → `config.json`, and what a family's `config.json` cannot say.

use serde_json::{Map, Value, json};

use super::{FamilyNames, REWARD, SINUSOIDAL_MARK, rope};
use crate::config::{Activation, DecoderConfig, Family, NormKind, Position};
use crate::huggingface::{TokenIds, WeightFormat};
use crate::{ModelError, RewardScale};

/// Whether a checkpoint of this configuration can be written: whether the `config.json` of its
/// [`Family`] has a word for all of it.
///
/// # Errors
/// [`ModelError::Invalid`] names the first option that the family lacks, and the value it must have.
pub fn check_representable(config: &DecoderConfig) -> Result<(), ModelError> {
    config.validate()?;
    let family = FamilyNames::of(config.family).model_type;
    let c = config;
    let rotary = matches!(c.position, Position::Rotary { .. });
    let windowed = c.sliding_window.is_some() && c.full_layers < c.layers;
    let of_family = match c.family {
        Family::Gpt2 => vec![
            ("position", !rotary, "learned or sinusoidal"),
            ("norm", c.norm == NormKind::Layer, "layer"),
            ("gated", !c.gated, "false"),
            ("qk_norm", !c.qk_norm, "false"),
            ("kv_heads", c.kv_heads == c.heads, "equal to heads"),
            ("qkv_bias", c.qkv_bias, "true"),
            ("output_bias", c.output_bias, "true"),
            ("ffn_bias", c.ffn_bias, "true"),
            ("sliding_window", !windowed, "left out"),
        ],
        Family::Llama => vec![
            ("qk_norm", !c.qk_norm, "false"),
            ("output_bias", c.output_bias == c.qkv_bias, "equal to qkv_bias"),
            ("sliding_window", !windowed, "left out"),
            ("width", c.width.is_multiple_of(c.heads), "a multiple of heads"),
            ("init_std", c.init_std <= 1.0, "at most 1"),
        ],
        Family::Qwen2 => vec![
            ("qk_norm", !c.qk_norm, "false"),
            ("qkv_bias", c.qkv_bias, "true"),
            ("output_bias", !c.output_bias, "false"),
            ("ffn_bias", !c.ffn_bias, "false"),
        ],
        Family::Qwen3 => vec![
            ("qk_norm", c.qk_norm, "true"),
            ("output_bias", c.output_bias == c.qkv_bias, "equal to qkv_bias"),
            ("ffn_bias", !c.ffn_bias, "false"),
        ],
    };
    let llama_like = match c.family {
        Family::Gpt2 => vec![],
        _ => vec![("position", rotary, "rotary"), ("norm", c.norm == NormKind::Rms, "rms"), ("gated", c.gated, "true")],
    };
    for (option, fits, wanted) in of_family.into_iter().chain(llama_like) {
        if !fits {
            return Err(ModelError::Invalid(format!(
                "{option} must be {wanted} in a model of family {family}, whose config.json cannot say otherwise; \
                 change it or choose another family"
            )));
        }
    }
    Ok(())
}

/// The `config.json` of a configuration that [`check_representable`] accepts.
pub(crate) fn to_json(config: &DecoderConfig, tokens: &TokenIds, format: WeightFormat) -> Value {
    let names = FamilyNames::of(config.family);
    let dtype = match format {
        WeightFormat::F32 => "float32",
        WeightFormat::Bf16 => "bfloat16",
    };
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.into(), value);
    set("architectures", json!([names.language_model]));
    set("model_type", json!(names.model_type));
    set("vocab_size", json!(config.vocab_size));
    set("tie_word_embeddings", json!(config.tied_head));
    set("initializer_range", json!(config.init_std));
    if let Some(std) = config.embedding_std {
        // Ours, and without meaning to transformers: how the embeddings were drawn, so that a resumed run can tell.
        set("embedding_initializer_range", json!(std));
    }
    // Always written, as null if need be: transformers would fill in GPT-2's or Llama's own.
    set("bos_token_id", json!(tokens.bos));
    set("eos_token_id", tokens.eos_json());
    set("pad_token_id", json!(tokens.pad));
    set("dtype", json!(dtype));
    set("torch_dtype", json!(dtype));
    set("use_cache", json!(true));
    match config.family {
        Family::Gpt2 => gpt2(&mut object, config),
        _ => llama_like(&mut object, config),
    }
    Value::Object(object)
}

/// The `config.json` of a score model with such a body.
pub(crate) fn score_to_json(
    config: &DecoderConfig,
    tokens: &TokenIds,
    format: WeightFormat,
    scale: &RewardScale,
) -> Value {
    let mut object = to_json(config, tokens, format);
    object["architectures"] = json!([FamilyNames::of(config.family).score_model]);
    object["num_labels"] = json!(1);
    object["id2label"] = json!({"0": "LABEL_0"});
    object["label2id"] = json!({"LABEL_0": 0});
    object[REWARD] = json!(scale);
    object
}

fn activation(activation: Activation, family: Family) -> &'static str {
    match (activation, family) {
        (Activation::Relu, _) => "relu",
        (Activation::ReluSquared, _) => "relu2",
        (Activation::Gelu, _) => "gelu",
        (Activation::GeluTanh, Family::Gpt2) => "gelu_new",
        (Activation::GeluTanh, _) => "gelu_pytorch_tanh",
        (Activation::Silu, _) => "silu",
    }
}

fn gpt2(object: &mut Map<String, Value>, config: &DecoderConfig) {
    let mut set = |key: &str, value: Value| object.insert(key.into(), value);
    set("n_positions", json!(config.context));
    set("n_embd", json!(config.width));
    set("n_layer", json!(config.layers));
    set("n_head", json!(config.heads));
    set("n_inner", json!(config.ffn_width));
    set("activation_function", json!(activation(config.activation, config.family)));
    set("layer_norm_epsilon", json!(config.norm_epsilon));
    // This decoder has no dropout; transformers' default of 0.1 would come into force when the model is trained there.
    for key in ["resid_pdrop", "embd_pdrop", "attn_pdrop"] {
        set(key, json!(0.0));
    }
    if config.position == Position::Sinusoidal {
        set(SINUSOIDAL_MARK, json!("sinusoidal"));
    }
}

fn llama_like(object: &mut Map<String, Value>, config: &DecoderConfig) {
    let mut set = |key: &str, value: Value| object.insert(key.into(), value);
    set("hidden_size", json!(config.width));
    set("intermediate_size", json!(config.ffn_width));
    set("num_hidden_layers", json!(config.layers));
    set("num_attention_heads", json!(config.heads));
    set("num_key_value_heads", json!(config.kv_heads));
    set("head_dim", json!(config.head_dim));
    set("max_position_embeddings", json!(config.context));
    set("hidden_act", json!(activation(config.activation, config.family)));
    set("rms_norm_eps", json!(config.norm_epsilon));
    set("attention_dropout", json!(0.0));
    match config.family {
        Family::Llama => {
            set("attention_bias", json!(config.qkv_bias));
            set("mlp_bias", json!(config.ffn_bias));
        }
        Family::Qwen3 => {
            set("attention_bias", json!(config.qkv_bias));
        }
        _ => {}
    }
    if matches!(config.family, Family::Qwen2 | Family::Qwen3) {
        let full_layers = if config.sliding_window.is_some() { config.full_layers } else { config.layers };
        let kind = |layer| if layer < full_layers { "full_attention" } else { "sliding_attention" };
        set("use_sliding_window", json!(config.sliding_window.is_some()));
        set("sliding_window", json!(config.sliding_window));
        set("max_window_layers", json!(full_layers));
        set("layer_types", json!((0..config.layers).map(kind).collect::<Vec<_>>()));
    }
    if let Position::Rotary { theta, scaling } = &config.position {
        rope::write(object, *theta, scaling);
    }
}
