//! Keys of `config.json` that only some families have, read into a [`Variant`] and written from one.

use serde_json::{Map, Value, json};

use super::families::{FamilyKeys, is_gemma};
use super::fields::Fields;
use crate::ModelError;
use crate::config::{DecoderConfig, Family, NormPlace, Residual, Variant};

/// The layers with a sliding window, as fields of [`DecoderConfig`].
pub(super) struct Windows {
    pub sliding_window: Option<usize>,
    pub full_layers: usize,
    pub window_layers: Option<Vec<bool>>,
}

/// Reads the keys that a family has in addition to the common ones, without positions and windows.
pub(super) fn read(keys: &FamilyKeys, fields: &mut Fields, width: usize, layers: usize) -> Result<Variant, ModelError> {
    let plain = Variant::default();
    let family = keys.family;
    Ok(match family {
        Family::Gemma | Family::Gemma2 | Family::Gemma3 => {
            let both = family != Family::Gemma;
            // Absent keys have a default; null means no cap.
            let capped = |key: &str, absent: f64, fields: &mut Fields| match fields.contains(key) {
                false => Ok((family == Family::Gemma2).then_some(absent)),
                true => fields.optional_number(key),
            };
            let scalar = if both { fields.optional_number("query_pre_attn_scalar")?.or(Some(256.0)) } else { None };
            Variant {
                norm_place: if both { NormPlace::Both } else { NormPlace::Before },
                zero_centred_norms: true,
                embedding_multiplier: (width as f64).sqrt(),
                attention_multiplier: scalar.map(|scalar| 1.0 / scalar.sqrt()),
                // A Gemma 3 has the key, of which neither transformers nor llama.cpp takes notice.
                attention_softcap: match family {
                    Family::Gemma2 => capped("attn_logit_softcapping", 50.0, fields)?,
                    Family::Gemma3 => {
                        fields.take("attn_logit_softcapping");
                        None
                    }
                    _ => None,
                },
                logit_softcap: if both { capped("final_logit_softcapping", 30.0, fields)? } else { None },
                ..plain
            }
        }
        Family::Granite => Variant {
            embedding_multiplier: fields.optional_number("embedding_multiplier")?.unwrap_or(1.0),
            residual_multiplier: fields.optional_number("residual_multiplier")?.unwrap_or(1.0),
            logit_divisor: fields.optional_number("logits_scaling")?.unwrap_or(1.0),
            attention_multiplier: Some(fields.optional_number("attention_multiplier")?.unwrap_or(1.0)),
            ..plain
        },
        Family::Olmo2 => Variant { norm_place: NormPlace::After, qk_norm_over_heads: true, ..plain },
        Family::SmolLm3 => Variant { unrotated_layers: unrotated_layers(fields, layers)?, ..plain },
        Family::StableLm => {
            let parallel = fields.flag("use_parallel_residual", false)?;
            let residual = if parallel { Residual::ParallelOneNorm } else { Residual::Sequential };
            Variant { residual, ..plain }
        }
        Family::GptNeoX => {
            let parallel = fields.flag("use_parallel_residual", true)?;
            let residual = if parallel { Residual::Parallel } else { Residual::Sequential };
            Variant { residual, ..plain }
        }
        Family::Gpt2 | Family::Llama | Family::Qwen2 | Family::Qwen3 | Family::Mistral | Family::Phi3 => plain,
    })
}

/// `no_rope_layers` has a 1 for each layer that is rotated.
fn unrotated_layers(fields: &mut Fields, layers: usize) -> Result<Vec<usize>, ModelError> {
    let interval = fields.optional_size("no_rope_layer_interval")?.unwrap_or(4);
    match fields.take("no_rope_layers") {
        None => Ok((0..layers).filter(|layer| (layer + 1) % interval == 0).collect()),
        Some(Value::Array(rotated)) if rotated.len() >= layers => {
            Ok((0..layers).filter(|&layer| rotated[layer] == 0 || rotated[layer] == false).collect())
        }
        Some(_) => Err(fields.error(
            "no_rope_layers must have one number for each layer: give 1 for layers with rotary positions and 0 for \
             those without"
                .into(),
        )),
    }
}

/// Reads which layers have a sliding window. `layer_types` (5.x) says what older keys imply.
pub(super) fn windows(
    keys: &FamilyKeys,
    fields: &mut Fields,
    layers: usize,
    variant: &Variant,
) -> Result<Windows, ModelError> {
    let family = keys.family;
    let window = match family {
        Family::Qwen2 | Family::Qwen3 | Family::SmolLm3 => {
            let on = fields.flag("use_sliding_window", false)?;
            fields.optional_size("sliding_window")?.filter(|_| on)
        }
        Family::Mistral | Family::Gemma2 | Family::Gemma3 if !fields.contains("sliding_window") => Some(4096),
        Family::Mistral | Family::Gemma2 | Family::Gemma3 | Family::Phi3 => fields.optional_size("sliding_window")?,
        _ => None,
    };
    let implied: Vec<bool> = match family {
        Family::Qwen2 | Family::Qwen3 => {
            let full = fields.optional_count("max_window_layers")?.unwrap_or(28);
            (0..layers).map(|layer| layer >= full).collect()
        }
        Family::Gemma2 => (0..layers).map(|layer| layer % 2 == 0).collect(),
        Family::Gemma3 => {
            let each = fields.optional_size("_sliding_window_pattern")?;
            let each = fields.optional_size("sliding_window_pattern")?.or(each).unwrap_or(6);
            (0..layers).map(|layer| (layer + 1) % each != 0).collect()
        }
        Family::SmolLm3 => (0..layers).map(|layer| variant.unrotated_layers.contains(&layer)).collect(),
        _ => vec![true; layers],
    };
    let windowed = match fields.texts("layer_types")? {
        None if window.is_some() => implied,
        None => vec![false; layers],
        Some(types) => {
            let known = types.iter().all(|kind| kind == "full_attention" || kind == "sliding_attention");
            if types.len() != layers || !known {
                return Err(fields.error(
                    "layer_types must have one entry for each layer, full_attention or sliding_attention; use another \
                     model"
                        .into(),
                ));
            }
            types.iter().map(|kind| kind == "sliding_attention").collect()
        }
    };
    let full_layers = windowed.iter().take_while(|windowed| !**windowed).count();
    match window {
        _ if full_layers == layers => Ok(Windows { sliding_window: None, full_layers: 0, window_layers: None }),
        None => Err(fields.error(
            "layer_types has sliding_attention but use_sliding_window or sliding_window is off; set both".into(),
        )),
        Some(_) if windowed[full_layers..].iter().all(|windowed| *windowed) => {
            Ok(Windows { sliding_window: window, full_layers, window_layers: None })
        }
        Some(_) => Ok(Windows { sliding_window: window, full_layers: 0, window_layers: Some(windowed) }),
    }
}

/// Writes the keys that only some families have.
pub(super) fn write(object: &mut Map<String, Value>, config: &DecoderConfig) {
    let mut set = |key: &str, value: Value| object.insert(key.into(), value);
    let variant = &config.variant;
    let family = config.family;
    if is_gemma(family) && family != Family::Gemma {
        // transformers expects a whole number; reading the file back detects any other.
        let scalar = variant.attention_multiplier.map_or(config.head_dim as f64, |multiplier| multiplier.powi(-2));
        set("query_pre_attn_scalar", json!(scalar.round() as u64));
        set("attn_logit_softcapping", json!(variant.attention_softcap));
        set("final_logit_softcapping", json!(variant.logit_softcap));
    }
    match family {
        Family::Granite => {
            set("embedding_multiplier", json!(variant.embedding_multiplier));
            set("residual_multiplier", json!(variant.residual_multiplier));
            set("logits_scaling", json!(variant.logit_divisor));
            let usual = 1.0 / (config.head_dim as f64).sqrt();
            set("attention_multiplier", json!(variant.attention_multiplier.unwrap_or(usual)));
        }
        Family::SmolLm3 => {
            let rotated = |layer: usize| u8::from(!variant.unrotated_layers.contains(&layer));
            set("no_rope_layers", json!((0..config.layers).map(rotated).collect::<Vec<_>>()));
        }
        Family::StableLm | Family::GptNeoX => {
            set("use_parallel_residual", json!(variant.residual != Residual::Sequential));
        }
        _ => {}
    }
    write_windows(object, config);
}

fn write_windows(object: &mut Map<String, Value>, config: &DecoderConfig) {
    let mut set = |key: &str, value: Value| object.insert(key.into(), value);
    let with_layer_types =
        matches!(config.family, Family::Qwen2 | Family::Qwen3 | Family::Gemma2 | Family::Gemma3 | Family::SmolLm3);
    if matches!(config.family, Family::Mistral | Family::Phi3) || with_layer_types {
        // transformers makes Gemma's mask of windows also where no layer uses it.
        let unused = matches!(config.family, Family::Gemma2 | Family::Gemma3).then_some(config.context);
        set("sliding_window", json!(config.sliding_window.or(unused)));
    }
    if with_layer_types {
        let kind = |layer| if config.is_windowed(layer) { "sliding_attention" } else { "full_attention" };
        set("layer_types", json!((0..config.layers).map(kind).collect::<Vec<_>>()));
    }
    if matches!(config.family, Family::Qwen2 | Family::Qwen3) {
        let full_layers = (0..config.layers).take_while(|&layer| !config.is_windowed(layer)).count();
        set("max_window_layers", json!(full_layers));
    }
    if matches!(config.family, Family::Qwen2 | Family::Qwen3 | Family::SmolLm3) {
        set("use_sliding_window", json!(config.sliding_window.is_some()));
    }
}
