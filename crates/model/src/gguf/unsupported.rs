//! Refuses metadata that would change what a model computes and that this decoder does not do.

#![expect(clippy::float_cmp, reason = "0 and 1 are exact")]

use fireclay_gguf::{GgufFile, Value as Entry};

use crate::ModelError;
use crate::config::Family;

/// Value of a key that changes nothing.
#[derive(Clone, Copy)]
enum Off {
    /// 0, false, or an array of these.
    Zero,
    /// 1, or 0 for an absent value.
    One,
    /// True.
    True,
}

/// Keys after the architecture that no family here honours, or only the listed ones.
const KEYS: [(&str, Off, &[Family]); 22] = [
    ("logit_scale", Off::One, &[Family::Granite]),
    ("embedding_scale", Off::One, &[Family::Granite]),
    ("residual_scale", Off::One, &[Family::Granite]),
    ("attention.scale", Off::Zero, &[Family::Granite]),
    ("attention.output_scale", Off::One, &[]),
    ("attention.causal", Off::True, &[]),
    ("attention.clamp_kqv", Off::Zero, &[]),
    ("attention.max_alibi_bias", Off::Zero, &[]),
    ("attention.temperature_length", Off::Zero, &[]),
    ("attention.temperature_scale", Off::Zero, &[]),
    ("attention.kv_lora_rank", Off::Zero, &[]),
    ("attention.q_lora_rank", Off::Zero, &[]),
    ("attn_logit_softcapping", Off::Zero, &[Family::Gemma2, Family::Gemma3]),
    ("final_logit_softcapping", Off::Zero, &[Family::Gemma2, Family::Gemma3]),
    ("router_logit_softcapping", Off::Zero, &[]),
    ("expert_count", Off::Zero, &[]),
    ("expert_used_count", Off::Zero, &[]),
    ("nextn_predict_layers", Off::Zero, &[]),
    ("rope.dimension_sections", Off::Zero, &[]),
    ("rope.scaling.yarn_ext_factor", Off::One, &[]),
    ("rope.scaling.yarn_log_multiplier", Off::Zero, &[]),
    // Converters write it for a StableLM whether or not its layers are parallel; its tensors say which they are.
    ("use_parallel_residual", Off::Zero, &[Family::StableLm, Family::GptNeoX]),
];

/// Checks the kind of a file, and its keys other than those that the reader honours.
pub(super) fn refuse(file: &GgufFile, architecture: &str, family: Family, head_dim: f64) -> Result<(), ModelError> {
    if let Some(kind) = file.value("general.type")
        && file.text("general.type") != Some("model")
    {
        let message =
            format!("general.type is {}, so it is not a whole model; give the file of the model itself", shown(kind));
        return Err(file.error(message).into());
    }
    if let Some(parts) = file.unsigned("split.count").filter(|parts| *parts > 1) {
        let message =
            format!("split.count is {parts}: it is one part of a model; join the parts with gguf-split --merge");
        return Err(file.error(message).into());
    }
    for (name, off, families) in KEYS {
        let key = format!("{architecture}.{name}");
        let Some(value) = file.value(&key).filter(|_| !families.contains(&family)) else { continue };
        let numbers = match value {
            Entry::Bool(flag) => Some(vec![f64::from(*flag)]),
            Entry::Array(_) => file.numbers(&key),
            _ => file.number(&key).map(|number| vec![number]),
        };
        let is_off = |number: f64| match off {
            Off::Zero => number == 0.0,
            Off::One => number == 0.0 || number == 1.0,
            Off::True => number == 1.0,
        };
        let usual = |number: f64| name == "attention.scale" && (number * head_dim.sqrt() - 1.0).abs() < 1e-5;
        if !numbers.is_some_and(|numbers| numbers.into_iter().all(|number| is_off(number) || usual(number))) {
            let message = format!("{key} = {} is not supported by this decoder; use another model", shown(value));
            return Err(file.error(message).into());
        }
    }
    Ok(())
}

/// A value for a message.
pub(super) fn shown(value: &Entry) -> String {
    match value {
        Entry::Unsigned(number) => number.to_string(),
        Entry::Signed(number) => number.to_string(),
        Entry::Float(number) => number.to_string(),
        Entry::Bool(flag) => flag.to_string(),
        Entry::Text(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Entry::Array(_) => "an array".into(),
    }
}
