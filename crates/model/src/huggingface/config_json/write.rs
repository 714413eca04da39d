//! [`DecoderConfig`] → `config.json`, and a check that a family's `config.json` can express a configuration.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::families::FamilyKeys;
use super::{REWARD, SINUSOIDAL_MARK, read, rope, variant};
use crate::config::{Activation, DecoderConfig, Family, NormKind, PositionEncoding};
use crate::huggingface::{TokenIds, WeightFormat};
use crate::{ModelError, RewardScale};

/// Checks that a checkpoint of this configuration can be written: that the `config.json` of its [`Family`] can express
/// all of it.
///
/// # Errors
/// [`ModelError::Invalid`] names the first option that the family lacks, and the value it must have.
pub fn check_representable(config: &DecoderConfig) -> Result<(), ModelError> {
    config.validate()?;
    let family = FamilyKeys::of(config.family).model_type;
    let c = config;
    let rotary = matches!(c.position, PositionEncoding::Rotary { .. });
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
        _ => vec![],
    };
    let llama_like = match c.family {
        Family::Llama | Family::Qwen2 | Family::Qwen3 => {
            vec![("position", rotary, "rotary"), ("norm", c.norm == NormKind::Rms, "rms"), ("gated", c.gated, "true")]
        }
        _ => vec![],
    };
    for (option, fits, wanted) in of_family.into_iter().chain(llama_like) {
        if !fits {
            return Err(ModelError::Invalid(format!(
                "{option} must be {wanted} in a model of family {family}, whose config.json has no key for another \
                 value; change it or choose another family"
            )));
        }
    }
    check_read_back(config)
}

/// Checks that reading the `config.json` back gives this configuration.
fn check_read_back(config: &DecoderConfig) -> Result<(), ModelError> {
    let family = FamilyKeys::of(config.family).model_type;
    let json = to_json(config, &TokenIds::default(), WeightFormat::F32);
    let read = read::parse(Path::new("config.json"), json.to_string().as_bytes())
        .map_err(|error| ModelError::Invalid(format!("family {family} cannot have this configuration: {error}")))?;
    match difference(config, &read, 0.0) {
        None => Ok(()),
        Some((key, theirs)) => Err(ModelError::Invalid(format!(
            "{key} must be {theirs} in a model of family {family}, whose config.json has no key for another value; \
             change it or choose another family"
        ))),
    }
}

/// The first option in which two configurations differ by more than a relative rounding error, and its value in the
/// other.
pub(crate) fn difference(config: &DecoderConfig, other: &DecoderConfig, rounding: f64) -> Option<(String, Value)> {
    let [ours, theirs] = [config, other].map(|config| match serde_json::to_value(config) {
        Ok(Value::Object(mut object)) => {
            let variant = serde_json::to_value(&config.variant).ok().and_then(|variant| variant.as_object().cloned());
            object.remove("variant");
            object.extend(variant.unwrap_or_default());
            object
        }
        _ => Map::new(),
    });
    let (key, _) =
        ours.iter().find(|(key, value)| !theirs.get(*key).is_some_and(|other| alike(value, other, rounding)))?;
    Some((key.clone(), theirs.get(key).cloned().unwrap_or(Value::Null)))
}

/// Whether two values are equal up to a relative rounding error of numbers.
fn alike(a: &Value, b: &Value, rounding: f64) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= rounding * a.abs()
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b, rounding)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b, rounding)))
        }
        _ => a == b,
    }
}

/// The `config.json` of a configuration that [`check_representable`] accepts.
pub(crate) fn to_json(config: &DecoderConfig, tokens: &TokenIds, format: WeightFormat) -> Value {
    let names = FamilyKeys::of(config.family);
    let dtype = format.name();
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.into(), value);
    set("architectures", json!([names.language_model]));
    set("model_type", json!(names.model_type));
    set("vocab_size", json!(config.vocab_size));
    set("tie_word_embeddings", json!(config.tied_head));
    set("initializer_range", json!(config.init_std));
    if let Some(std) = config.embedding_std {
        // Our own key, which transformers ignores: the initialisation of the embeddings, for resumed runs.
        set("embedding_initializer_range", json!(std));
    }
    // Always written, even as null: transformers would otherwise use GPT-2's or Llama's defaults.
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
    let keys = FamilyKeys::of(config.family);
    object["architectures"] = json!([keys.score_model]);
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
    // This decoder has no dropout; transformers' default of 0.1 would apply when the model is trained there.
    for key in ["resid_pdrop", "embd_pdrop", "attn_pdrop"] {
        set(key, json!(0.0));
    }
    if config.position == PositionEncoding::Sinusoidal {
        set(SINUSOIDAL_MARK, json!("sinusoidal"));
    }
}

fn llama_like(object: &mut Map<String, Value>, config: &DecoderConfig) {
    let keys = FamilyKeys::of(config.family);
    let mut set = |key: &str, value: Value| object.insert(key.into(), value);
    set("hidden_size", json!(config.width));
    set("intermediate_size", json!(config.ffn_width));
    set("num_hidden_layers", json!(config.layers));
    set("num_attention_heads", json!(config.heads));
    if config.family != Family::GptNeoX {
        set("num_key_value_heads", json!(config.kv_heads));
    }
    // Some families do not document the key but read it nevertheless.
    let usual = config.width / config.heads;
    let knows_head_dim = !matches!(config.family, Family::StableLm | Family::GptNeoX);
    let always = matches!(config.family, Family::Llama | Family::Qwen2 | Family::Qwen3 | Family::Mistral);
    if always || keys.head_dim.is_some() || (knows_head_dim && config.head_dim != usual) {
        set("head_dim", json!(config.head_dim));
    }
    set("max_position_embeddings", json!(config.context));
    set(keys.activation_key, json!(activation(config.activation, config.family)));
    set(keys.epsilon_key, json!(config.norm_epsilon));
    set("attention_dropout", json!(0.0));
    if let Some((key, _)) = keys.bias_key {
        set(key, json!(config.qkv_bias));
    }
    if keys.mlp_bias {
        set("mlp_bias", json!(config.ffn_bias));
    }
    variant::write(object, config);
    rope::write(object, config);
}
