//! `config.json` → [`DecoderConfig`], and the scale of a score model's rewards.

use std::path::Path;

use super::families::{FAMILIES, FamilyKeys, is_gemma};
use super::fields::{Fields, config_error};
use super::inert::is_inert;
use super::{REWARD, SINUSOIDAL_MARK, rope, variant};
use crate::config::{Activation, DecoderConfig, Family, NormKind, PositionEncoding};
use crate::{ModelError, RewardScale};

/// Options that change the arithmetic and are not supported for any family: refused if they are on.
#[rustfmt::skip]
const REFUSED: &[&str] = &[
    "quantization_config", "add_cross_attention", "is_encoder_decoder", "scale_attn_by_inverse_layer_idx",
    "reorder_and_upcast_attn", "rope_interleaved", "pruned_heads", "num_experts", "num_local_experts", "n_routed_experts",
    "logit_scale", "qk_layernorm", "use_qk_norm",
];

/// Largest number of layers, many times that of the largest models.
const MOST_LAYERS: usize = 1 << 12;

/// Reads the text of a language model's `config.json`; `path` is for messages.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<DecoderConfig, ModelError> {
    parse_body(path, Fields::parse(path, bytes)?, Task::Language)
}

/// Reads the text of a score model's `config.json`: its body, which is represented as a decoder with a tied head,
/// and the scale of its rewards.
pub(crate) fn parse_score(path: &Path, bytes: &[u8]) -> Result<(DecoderConfig, RewardScale), ModelError> {
    let mut fields = Fields::parse(path, bytes)?;
    let labels = match (fields.optional_size("num_labels")?, fields.take("id2label")) {
        (Some(count), _) => count,
        (None, Some(labels)) => labels.as_object().map_or(0, serde_json::Map::len),
        // The default of transformers.
        (None, None) => 2,
    };
    let scale = match fields.take(REWARD) {
        None => RewardScale::default(),
        Some(scale) => serde_json::from_value(scale).map_err(|error| {
            fields.error(format!("{REWARD} is wrong ({error}); it must have two numbers, mean and std"))
        })?,
    };
    scale.validate().map_err(|error| fields.error(format!("{REWARD}: {error}")))?;
    let config = parse_body(path, fields, Task::Score)?;
    if labels != 1 {
        return Err(config_error(
            path,
            format!("the model has {labels} labels; a score model has one: train it with num_labels = 1"),
        ));
    }
    Ok((DecoderConfig { tied_head: true, ..config }, scale))
}

/// Task of a model's head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Language,
    Score,
}

impl Task {
    fn class(self, keys: &FamilyKeys) -> &'static str {
        match self {
            Self::Language => keys.language_model,
            Self::Score => keys.score_model,
        }
    }
}

fn parse_body(path: &Path, mut fields: Fields, task: Task) -> Result<DecoderConfig, ModelError> {
    let family = family(&mut fields, task)?;
    for key in REFUSED {
        refuse_if_on(&mut fields, key)?;
    }
    let config = match family {
        Family::Gpt2 => gpt2(&mut fields)?,
        _ => llama_like(family, &mut fields)?,
    };
    fields.finish(is_inert)?;
    config.validate().map_err(|error| match error {
        ModelError::Invalid(message) => config_error(path, message),
        other => other,
    })?;
    Ok(config)
}

fn family(fields: &mut Fields, task: Task) -> Result<Family, ModelError> {
    let supported = || FAMILIES.map(|keys| format!("{} ({})", keys.model_type, task.class(&keys))).join(", ");
    let kind = fields.text("model_type")?;
    let classes = fields.texts("architectures")?.unwrap_or_default();
    let by_kind = match &kind {
        None => None,
        Some(kind) => Some(FAMILIES.into_iter().find(|names| names.model_type == kind).ok_or_else(|| {
            fields.error(format!("model_type {kind:?} is not supported; use one of: {}", supported()))
        })?),
    };
    let of_class = |class: &str, task: Task| {
        // A body alone is a language model whose head is the embedding.
        let is = |keys: &FamilyKeys| task.class(keys) == class || (task == Task::Language && keys.base_model == class);
        FAMILIES.into_iter().find(is)
    };
    let by_class = match classes.first() {
        None => None,
        Some(class) => Some(of_class(class, task).ok_or_else(|| match task {
            Task::Language if of_class(class, Task::Score).is_some() => fields.error(format!(
                "architecture {class:?} is a score model, which gives no tokens; use it as a reward model or critic, \
                 or give the folder of a language model"
            )),
            Task::Score if of_class(class, Task::Language).is_some() => fields.error(format!(
                "architecture {class:?} is a language model, which gives no scores; train a reward model from it, or \
                 give the folder of one"
            )),
            _ => fields.error(format!("architecture {class:?} is not supported; use one of: {}", supported())),
        })?),
    };
    match (by_kind, by_class) {
        (Some(kind), Some(class)) if kind.family != class.family => Err(fields.error(format!(
            "model_type {:?} and architecture {:?} contradict each other; correct the wrong one",
            kind.model_type,
            task.class(&class)
        ))),
        (Some(names), _) | (None, Some(names)) => Ok(names.family),
        (None, None) => {
            Err(fields
                .error(format!("model_type and architectures are missing; add model_type, one of: {}", supported())))
        }
    }
}

fn refuse_if_on(fields: &mut Fields, key: &str) -> Result<(), ModelError> {
    let off = match fields.take(key) {
        None => true,
        Some(value) => {
            value == false || value.as_u64() == Some(0) || value.as_object().is_some_and(serde_json::Map::is_empty)
        }
    };
    match off {
        true => Ok(()),
        false => Err(fields.error(format!("{key} is on, which is not supported; use a model without it"))),
    }
}

fn activation(fields: &mut Fields, key: &str, default: &str) -> Result<Activation, ModelError> {
    let name = fields.text(key)?.unwrap_or_else(|| default.into());
    Ok(match name.as_str() {
        "relu" => Activation::Relu,
        "relu2" => Activation::ReluSquared,
        "gelu" | "gelu_python" => Activation::Gelu,
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_fast" | "gelu_accurate" => Activation::GeluTanh,
        "silu" | "swish" => Activation::Silu,
        _ => {
            return Err(fields.error(format!(
                "{key} {name:?} is not supported; use a model with relu, relu2, gelu, gelu_new, gelu_pytorch_tanh or \
                 silu"
            )));
        }
    })
}

/// A size that some files store under another family's name.
fn size_of_either(fields: &mut Fields, key: &str, other: &str) -> Result<usize, ModelError> {
    match fields.optional_size(other)? {
        Some(size) if !fields.contains(key) => Ok(size),
        other_size => {
            let size = fields.size(key)?;
            if other_size.is_some_and(|other| other != size) {
                return Err(fields.error(format!("{key} and {other} contradict each other; keep the right one")));
            }
            Ok(size)
        }
    }
}

fn gpt2(fields: &mut Fields) -> Result<DecoderConfig, ModelError> {
    let width = size_of_either(fields, "n_embd", "hidden_size")?;
    let heads = size_of_either(fields, "n_head", "num_attention_heads")?;
    if !width.is_multiple_of(heads) {
        return Err(
            fields.error(format!("n_embd = {width} is not a multiple of n_head = {heads}; correct one of them"))
        );
    }
    if !fields.flag("scale_attn_weights", true)? {
        return Err(
            fields.error("scale_attn_weights is false, which is not supported; use a model in which it is true".into())
        );
    }
    let preset = DecoderConfig::gpt2(
        fields.size("vocab_size")?,
        width,
        size_of_either(fields, "n_layer", "num_hidden_layers")?,
        heads,
        size_of_either(fields, "n_positions", "max_position_embeddings")?,
    );
    let position = match fields.text(SINUSOIDAL_MARK)?.as_deref() {
        None => PositionEncoding::Learned,
        Some("sinusoidal") => PositionEncoding::Sinusoidal,
        Some(other) => {
            return Err(
                fields.error(format!("{SINUSOIDAL_MARK} {other:?} is unknown; write \"sinusoidal\" or remove it"))
            );
        }
    };
    Ok(DecoderConfig {
        ffn_width: fields.optional_size("n_inner")?.unwrap_or(preset.ffn_width),
        position,
        norm_epsilon: fields.optional_number("layer_norm_epsilon")?.unwrap_or(1e-5),
        activation: activation(fields, "activation_function", "gelu_new")?,
        tied_head: fields.flag("tie_word_embeddings", true)?,
        init_std: fields.optional_number("initializer_range")?.unwrap_or(preset.init_std),
        embedding_std: fields.optional_number("embedding_initializer_range")?,
        ..preset
    })
}

fn llama_like(family: Family, fields: &mut Fields) -> Result<DecoderConfig, ModelError> {
    let keys = FamilyKeys::of(family);
    let width = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    let context = fields.optional_size("max_position_embeddings")?.unwrap_or(keys.context);
    let layers = fields.size("num_hidden_layers")?;
    // Lists with an entry for each layer are allocated from this number.
    if layers > MOST_LAYERS {
        return Err(fields.error(format!("num_hidden_layers is {layers}; at most {MOST_LAYERS} are supported")));
    }
    let kv_heads = match fields.contains("num_key_value_heads") || keys.kv_heads_optional {
        true => fields.optional_size("num_key_value_heads")?.unwrap_or(heads),
        false => fields.size("num_key_value_heads")?,
    };
    // transformers ignores the key for this family.
    let kv_heads = if family == Family::GptNeoX { heads } else { kv_heads };
    let head_dim = match fields.contains("head_dim") {
        true => fields.optional_size("head_dim")?,
        false => keys.head_dim,
    };
    let head_dim = head_dim.unwrap_or(width / heads);
    let bias = match keys.bias_key {
        Some((key, absent)) => fields.flag(key, absent)?,
        None => false,
    };
    if family == Family::Llama && fields.optional_size("pretraining_tp")?.is_some_and(|parts| parts != 1) {
        return Err(fields.error("pretraining_tp is not 1, which is not supported; set it to 1".into()));
    }
    let mut variant = variant::read(&keys, fields, width, layers)?;
    let windows = variant::windows(&keys, fields, layers, &variant)?;
    variant.window_layers = windows.window_layers;
    let neox = family == Family::GptNeoX;
    let position = rope::read(&keys, fields, context, head_dim, &mut variant)?;
    Ok(DecoderConfig {
        family,
        vocab_size: fields.size("vocab_size")?,
        width,
        layers,
        heads,
        kv_heads,
        head_dim,
        ffn_width: fields.size("intermediate_size")?,
        context,
        position,
        norm: if neox || family == Family::StableLm { NormKind::Layer } else { NormKind::Rms },
        norm_epsilon: fields.optional_number(keys.epsilon_key)?.unwrap_or(keys.epsilon),
        activation: family_activation(&keys, fields)?,
        gated: !neox,
        qk_norm: matches!(family, Family::Qwen3 | Family::Gemma3 | Family::Olmo2),
        qkv_bias: family == Family::Qwen2 || bias,
        output_bias: bias && keys.output_bias,
        ffn_bias: neox || (keys.mlp_bias && fields.flag("mlp_bias", false)?),
        tied_head: fields.flag("tie_word_embeddings", keys.tied)?,
        sliding_window: windows.sliding_window,
        full_layers: windows.full_layers,
        init_std: fields.optional_number("initializer_range")?.unwrap_or(0.02),
        embedding_std: fields.optional_number("embedding_initializer_range")?,
        variant,
    })
}

/// The activation under the family's key. Gemma's files say "gelu" and mean the tanh approximation; some have two keys,
/// of which `hidden_activation` takes precedence.
fn family_activation(keys: &FamilyKeys, fields: &mut Fields) -> Result<Activation, ModelError> {
    if !is_gemma(keys.family) {
        return activation(fields, keys.activation_key, keys.activation);
    }
    let counts = if fields.contains("hidden_activation") { "hidden_activation" } else { keys.activation_key };
    let found = activation(fields, counts, keys.activation)?;
    // The other key, if any, is ignored.
    let _ = fields.take("hidden_act");
    match (keys.family, found) {
        (Family::Gemma, Activation::Gelu) => Ok(Activation::GeluTanh),
        (_, found) => Ok(found),
    }
}
