//! Rotary parameters in both spellings: `rope_theta` and `rope_scaling` (transformers 4.x), `rope_parameters` (5.x).

#![allow(clippy::float_cmp, reason = "two spellings of one number are parsed alike, and 1 is exact")]

use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::ModelError;
use crate::config::{Position, RotaryScaling};

/// What transformers takes where a file gives no base.
const DEFAULT_THETA: f64 = 10_000.0;

/// Reads the rotary position of a config in either spelling; where it has both, they must agree.
pub(super) fn read(fields: &mut Fields, context: usize) -> Result<Position, ModelError> {
    if let Some(part) = fields.optional_number("partial_rotary_factor")?
        && part != 1.0
    {
        return Err(fields.error(format!(
            "partial_rotary_factor is {part}, which this decoder does not have; use a model that rotates whole heads"
        )));
    }
    let outer_theta = fields.optional_number("rope_theta")?;
    let old = match fields.object("rope_scaling", "rope_scaling.")? {
        Some(entries) => Some(read_entries(entries, context)?),
        None => None,
    };
    let new = match fields.object("rope_parameters", "rope_parameters.")? {
        Some(entries) => Some(read_entries(entries, context)?),
        None => None,
    };
    let agree = match (&old, &new) {
        (Some((_, old)), Some((_, new))) => old == new,
        _ => true,
    };
    let thetas: Vec<f64> =
        [outer_theta, old.as_ref().and_then(|o| o.0), new.as_ref().and_then(|n| n.0)].into_iter().flatten().collect();
    if !agree || thetas.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(fields.error(
            "rope_parameters and rope_theta/rope_scaling contradict each other; keep the one that the weights were \
             trained with"
                .into(),
        ));
    }
    let theta = thetas.first().copied().unwrap_or(DEFAULT_THETA);
    let scaling = new.or(old).map(|(_, scaling)| scaling).unwrap_or_default();
    Ok(Position::Rotary { theta, scaling })
}

/// The base, where given, and the scaling of one object of rotary parameters.
fn read_entries(mut entries: Fields, context: usize) -> Result<(Option<f64>, RotaryScaling), ModelError> {
    let kind = match (entries.text("rope_type")?, entries.text("type")?) {
        (Some(kind), _) | (None, Some(kind)) => kind,
        (None, None) => "default".into(),
    };
    let theta = entries.optional_number("rope_theta")?;
    if entries.optional_number("partial_rotary_factor")?.is_some_and(|part| part != 1.0) {
        return Err(entries.error("partial_rotary_factor is not 1; use a model that rotates whole heads".into()));
    }
    let scaling = match kind.as_str() {
        "default" => RotaryScaling::None,
        "linear" => RotaryScaling::Linear { factor: entries.number("factor")? },
        "llama3" => {
            let scaling = (
                entries.number("factor")?,
                entries.number("low_freq_factor")?,
                entries.number("high_freq_factor")?,
                entries.optional_size("original_max_position_embeddings")?.unwrap_or(context),
            );
            let (factor, low_freq_factor, high_freq_factor, original_context) = scaling;
            if low_freq_factor >= high_freq_factor {
                return Err(entries.error(format!(
                    "low_freq_factor = {low_freq_factor} must be smaller than high_freq_factor = {high_freq_factor}"
                )));
            }
            RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context }
        }
        other => {
            return Err(entries.error(format!(
                "rope type {other:?} is not supported (default, linear and llama3 are); use a model with one of these"
            )));
        }
    };
    // Unscaled models keep their pretraining context here; without scaling it does nothing.
    let inert = |key: &str| key == "original_max_position_embeddings" && scaling == RotaryScaling::None;
    entries.finish(inert)?;
    Ok((theta, scaling))
}

/// Writes both spellings, which transformers 4.x and 5.x each read without a warning.
pub(super) fn write(object: &mut Map<String, Value>, theta: f64, scaling: &RotaryScaling) {
    let mut entries = match *scaling {
        RotaryScaling::None => json!({"rope_type": "default"}),
        RotaryScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
        RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_context,
        }),
    };
    object.insert("rope_theta".into(), json!(theta));
    if *scaling != RotaryScaling::None {
        object.insert("rope_scaling".into(), entries.clone());
    }
    entries["rope_theta"] = json!(theta);
    object.insert("rope_parameters".into(), entries);
}
