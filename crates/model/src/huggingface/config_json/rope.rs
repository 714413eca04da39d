//! Rotary parameters in both spellings: `rope_theta` and `rope_scaling` (transformers 4.x), `rope_parameters` (5.x).

#![expect(clippy::float_cmp, reason = "two spellings of one number are parsed alike, and 1 is exact")]

use serde_json::{Map, Value, json};

use super::families::FamilyKeys;
use super::fields::Fields;
use crate::ModelError;
use crate::config::{DecoderConfig, Family, PositionEncoding, RotaryScaling, Variant};

/// Default rotary base of Gemma 3's layers with a sliding window.
const LOCAL_THETA: f64 = 10_000.0;

/// One object of rotary parameters.
#[derive(Clone, Debug, PartialEq)]
struct Entries {
    theta: Option<f64>,
    scaling: RotaryScaling,
    /// The share of a head that is rotated.
    part: Option<f64>,
}

/// Context in which an object of rotary parameters is read.
#[derive(Clone, Copy)]
struct RopeContext {
    context: usize,
    /// `original_max_position_embeddings` of the file itself.
    original: Option<usize>,
    /// Whether the file calls `LongRoPE` by other names.
    phi3: bool,
}

/// Reads the rotary positions of a config in either spelling; if it has both, they must agree. Settings that only some
/// families have are written to `variant`.
pub(super) fn read(
    keys: &FamilyKeys,
    fields: &mut Fields,
    context: usize,
    head_dim: usize,
    variant: &mut Variant,
) -> Result<PositionEncoding, ModelError> {
    let (part_key, theta_key) = match keys.family {
        Family::GptNeoX => ("rotary_pct", "rotary_emb_base"),
        _ => ("partial_rotary_factor", "rope_theta"),
    };
    let mut parts = vec![fields.optional_number(part_key)?];
    let mut thetas = vec![fields.optional_number(theta_key)?];
    if keys.family == Family::GptNeoX {
        parts.push(fields.optional_number("partial_rotary_factor")?);
        thetas.push(fields.optional_number("rope_theta")?);
    }
    let original = fields.optional_size("original_max_position_embeddings")?;
    let outer = RopeContext { context, original, phi3: keys.family == Family::Phi3 };
    let old = fields.object("rope_scaling", "rope_scaling.")?;
    let old = old.map(|entries| read_entries(entries, outer)).transpose()?;
    let (new, local) = read_parameters(fields, outer)?;
    let agree = match (&old, &new) {
        (Some(old), Some(new)) => old.scaling == new.scaling,
        _ => true,
    };
    thetas.extend([&old, &new].into_iter().flatten().map(|entries| entries.theta));
    parts.extend([&old, &new].into_iter().flatten().map(|entries| entries.part));
    let thetas: Vec<f64> = thetas.into_iter().flatten().collect();
    let parts: Vec<f64> = parts.into_iter().flatten().collect();
    let differ = |numbers: &[f64]| numbers.windows(2).any(|pair| pair[0] != pair[1]);
    if !agree || differ(&thetas) || differ(&parts) {
        return Err(fields.error(
            "rope_parameters and rope_theta/rope_scaling contradict each other; keep the one that the weights were \
             trained with"
                .into(),
        ));
    }
    variant.rotary_dims = rotary_dims(keys, fields, parts.first().copied(), head_dim)?;
    let theta = thetas.first().copied().unwrap_or(keys.theta);
    let scaling = new.or(old).map(|entries| entries.scaling).unwrap_or_default();
    let position = PositionEncoding::Rotary { theta, scaling };
    if keys.family == Family::Gemma3 {
        variant.window_position = Some(of_windows(fields, local)?).filter(|local| *local != position);
    } else if local.is_some() {
        return Err(fields.error(
            "rope_parameters differ between kinds of layers, which this family does not support; use a model with one"
                .into(),
        ));
    }
    Ok(position)
}

/// Reads `rope_parameters`: of all layers, or of those without and those with a window.
fn read_parameters(fields: &mut Fields, outer: RopeContext) -> Result<(Option<Entries>, Option<Entries>), ModelError> {
    let Some(mut entries) = fields.object("rope_parameters", "rope_parameters.")? else { return Ok((None, None)) };
    let global = entries.object("full_attention", "rope_parameters.full_attention.")?;
    let sliding = entries.object("sliding_attention", "rope_parameters.sliding_attention.")?;
    if global.is_none() && sliding.is_none() {
        return Ok((Some(read_entries(entries, outer)?), None));
    }
    let global = global.map(|entries| read_entries(entries, outer)).transpose()?;
    let local = sliding.map(|entries| read_entries(entries, outer)).transpose()?;
    entries.finish(|_| false)?;
    Ok((global, local))
}

/// The rotary positions of a Gemma 3's layers with a window.
fn of_windows(fields: &mut Fields, local: Option<Entries>) -> Result<PositionEncoding, ModelError> {
    let theta = fields.optional_number("rope_local_base_freq")?;
    let local = local.unwrap_or(Entries { theta, scaling: RotaryScaling::None, part: None });
    if theta.is_some() && local.theta.is_some() && theta != local.theta {
        return Err(fields.error("rope_local_base_freq and rope_parameters contradict each other".into()));
    }
    let theta = local.theta.or(theta).unwrap_or(LOCAL_THETA);
    Ok(PositionEncoding::Rotary { theta, scaling: local.scaling })
}

/// Number of a head's dimensions that are rotated, if not all are.
fn rotary_dims(
    keys: &FamilyKeys,
    fields: &Fields,
    part: Option<f64>,
    head_dim: usize,
) -> Result<Option<usize>, ModelError> {
    let Some(usual) = keys.partial_rotary else {
        return match part {
            None | Some(1.0) => Ok(None),
            Some(part) => Err(fields.error(format!(
                "partial_rotary_factor is {part}, which this family does not support; use a model that rotates whole \
                 heads"
            ))),
        };
    };
    let part = part.unwrap_or(usual);
    if part > 1.0 {
        return Err(fields.error(format!("partial_rotary_factor is {part}; it must be at most 1")));
    }
    let dims = (head_dim as f64 * part) as usize;
    Ok(Some(dims).filter(|&dims| dims != head_dim))
}

fn read_entries(mut entries: Fields, outer: RopeContext) -> Result<Entries, ModelError> {
    let kind = match (entries.text("rope_type")?, entries.text("type")?) {
        (Some(kind), _) | (None, Some(kind)) => kind,
        (None, None) => "default".into(),
    };
    let theta = entries.optional_number("rope_theta")?;
    let part = entries.optional_number("partial_rotary_factor")?;
    let inner = entries.optional_size("original_max_position_embeddings")?;
    // Phi-3's files have the key outside the object, and that one takes precedence.
    let original_context = outer.original.or(inner).unwrap_or(outer.context);
    let scaling = match kind.as_str() {
        "default" => RotaryScaling::None,
        "linear" => RotaryScaling::Linear { factor: entries.number("factor")? },
        "dynamic" => RotaryScaling::Dynamic { factor: entries.number("factor")?, original_context: outer.context },
        "llama3" => {
            let (low_freq_factor, high_freq_factor) =
                (entries.number("low_freq_factor")?, entries.number("high_freq_factor")?);
            if low_freq_factor >= high_freq_factor {
                return Err(entries.error(format!(
                    "low_freq_factor = {low_freq_factor} must be smaller than high_freq_factor = {high_freq_factor}"
                )));
            }
            let factor = entries.number("factor")?;
            RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context }
        }
        "longrope" => long_rope(&mut entries, original_context)?,
        "su" | "yarn" if outer.phi3 => long_rope(&mut entries, original_context)?,
        "yarn" => yarn(&mut entries, original_context, outer.context)?,
        other => {
            return Err(entries.error(format!(
                "rope type {other:?} is not supported (default, linear, dynamic, llama3, yarn and longrope are); use \
                 a model with one of these"
            )));
        }
    };
    entries.finish(|_| false)?;
    Ok(Entries { theta, scaling, part })
}

fn long_rope(entries: &mut Fields, original_context: usize) -> Result<RotaryScaling, ModelError> {
    Ok(RotaryScaling::LongRope {
        short_factor: entries.numbers("short_factor")?,
        long_factor: entries.numbers("long_factor")?,
        original_context,
        factor: entries.optional_number("factor")?,
        attention_factor: entries.optional_number("attention_factor")?,
    })
}

fn yarn(entries: &mut Fields, original_context: usize, context: usize) -> Result<RotaryScaling, ModelError> {
    let factor = entries.optional_number("factor")?.unwrap_or(context as f64 / original_context as f64);
    // `DeepSeek`'s keys for the factor of cosines and sines.
    let scales = (entries.optional_number("mscale")?, entries.optional_number("mscale_all_dim")?);
    let scaled = |scale: f64| if factor > 1.0 { 0.1 * scale * factor.ln() + 1.0 } else { 1.0 };
    let from_scales = match scales {
        (Some(scale), Some(all)) => Some(scaled(scale) / scaled(all)),
        _ => None,
    };
    Ok(RotaryScaling::Yarn {
        factor,
        original_context,
        beta_fast: entries.optional_number("beta_fast")?.unwrap_or(32.0),
        beta_slow: entries.optional_number("beta_slow")?.unwrap_or(1.0),
        attention_factor: entries.optional_number("attention_factor")?.or(from_scales),
        truncate: entries.flag("truncate", true)?,
    })
}

/// Writes both spellings, which transformers 4.x and 5.x each read without a warning.
pub(super) fn write(object: &mut Map<String, Value>, config: &DecoderConfig) {
    let PositionEncoding::Rotary { theta, scaling } = &config.position else { return };
    let mut entries = scaling_entries(scaling);
    let theta_key = if config.family == Family::GptNeoX { "rotary_emb_base" } else { "rope_theta" };
    object.insert(theta_key.into(), json!(theta));
    if *scaling != RotaryScaling::None {
        object.insert("rope_scaling".into(), entries.clone());
    }
    if config.family == Family::Phi3 {
        let original = match scaling {
            RotaryScaling::LongRope { original_context, .. } => *original_context,
            _ => config.context,
        };
        object.insert("original_max_position_embeddings".into(), json!(original));
    }
    entries["rope_theta"] = json!(theta);
    if FamilyKeys::of(config.family).partial_rotary.is_some() {
        let part = rotary_part(config);
        let key = if config.family == Family::GptNeoX { "rotary_pct" } else { "partial_rotary_factor" };
        object.insert(key.into(), json!(part));
        entries["partial_rotary_factor"] = json!(part);
    }
    if config.family == Family::Gemma3 {
        let local = config.variant.window_position.as_ref().unwrap_or(&config.position);
        if let PositionEncoding::Rotary { theta, scaling } = local {
            let mut sliding = scaling_entries(scaling);
            sliding["rope_theta"] = json!(theta);
            object.insert("rope_local_base_freq".into(), json!(theta));
            entries = json!({"full_attention": entries, "sliding_attention": sliding});
        }
    }
    object.insert("rope_parameters".into(), entries);
}

/// The rotated share of a head: a number that, multiplied by the width and truncated, gives the count.
fn rotary_part(config: &DecoderConfig) -> f64 {
    let Some(dims) = config.variant.rotary_dims else { return 1.0 };
    let part = dims as f64 / config.head_dim as f64;
    match (part * config.head_dim as f64) as usize == dims {
        true => part,
        false => (dims as f64 + 0.5) / config.head_dim as f64,
    }
}

fn scaling_entries(scaling: &RotaryScaling) -> Value {
    let mut entries = match scaling {
        RotaryScaling::None => json!({"rope_type": "default"}),
        RotaryScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
        RotaryScaling::Dynamic { factor, .. } => json!({"rope_type": "dynamic", "factor": factor}),
        RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_context,
        }),
        RotaryScaling::Yarn { factor, original_context, beta_fast, beta_slow, attention_factor, truncate } => json!({
            "rope_type": "yarn",
            "factor": factor,
            "original_max_position_embeddings": original_context,
            "beta_fast": beta_fast,
            "beta_slow": beta_slow,
            "attention_factor": attention_factor,
            "truncate": truncate,
        }),
        RotaryScaling::LongRope { short_factor, long_factor, original_context, factor, attention_factor } => json!({
            "rope_type": "longrope",
            "short_factor": short_factor,
            "long_factor": long_factor,
            "original_max_position_embeddings": original_context,
            "factor": factor,
            "attention_factor": attention_factor,
        }),
    };
    if let Value::Object(entries) = &mut entries {
        entries.retain(|_, value| !value.is_null());
    }
    entries
}
