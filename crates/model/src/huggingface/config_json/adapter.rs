//! PEFT's `adapter_config.json`.

use std::path::Path;

use serde_json::{Value, json};

use super::fields::Fields;
use crate::config::Family;
use crate::huggingface::names::{in_block, linear_maps};
use crate::huggingface::patterns::{ModuleName, PeftConfig};
use crate::{LoraConfig, ModelError};

/// Keys that do not change the results of trained adapters.
#[rustfmt::skip]
const INERT: &[&str] = &[
    "base_model_name_or_path", "revision", "auto_mapping", "peft_version", "inference_mode", "fan_in_fan_out", "megatron_core",
    "lora_dropout", "qalora_group_size",
];

/// Reads the text of an `adapter_config.json`; `path` is for messages. If it names the maps by a pattern, or all of
/// them by `all-linear`, there are no targets: the tensors tell which maps these were.
pub(crate) fn parse_adapter(path: &Path, bytes: &[u8]) -> Result<PeftConfig, ModelError> {
    let mut fields = Fields::parse(path, bytes)?;
    for (key, expected) in [("peft_type", "LORA"), ("task_type", "CAUSAL_LM"), ("bias", "none")] {
        let found = fields.text(key)?.unwrap_or_else(|| expected.into());
        if found != expected {
            return Err(
                fields.error(format!("{key} is {found:?}, which is not supported; use an adapter with {expected:?}"))
            );
        }
    }
    // Some initialisations (PiSSA, OLoRA, LoftQ) change the frozen weights.
    match fields.take("init_lora_weights") {
        None | Some(Value::Bool(_)) => {}
        Some(start) if start == "gaussian" => {}
        Some(start) => {
            return Err(
                fields.error(format!("init_lora_weights is {start}, which is not supported; use an adapter with true"))
            );
        }
    }
    let targets = match fields.take("target_modules") {
        Some(Value::String(pattern)) if !pattern.is_empty() => vec![],
        None | Some(Value::Null) => return Err(no_targets(&fields)),
        Some(listed) => {
            let names: Option<Vec<String>> = serde_json::from_value(listed.clone()).ok();
            let names =
                names.ok_or_else(|| fields.wrong("target_modules", &listed, "a pattern or a list of strings"))?;
            if names.is_empty() {
                return Err(no_targets(&fields));
            }
            names.iter().map(|target| in_block(target).to_owned()).collect()
        }
    };
    // What is excluded has no tensors.
    let excludes = fields.take("exclude_modules").is_some_and(|names| !is_empty(&names));
    let targets = if excludes { vec![] } else { targets };
    let lora = LoraConfig { rank: fields.size("r")?, alpha: fields.number("lora_alpha")?, targets, weights: None };
    let by_root = fields.flag("use_rslora", false)?;
    let rank = |value: &Value| value.as_u64().filter(|rank| (1..1 << 31).contains(rank)).map(|rank| rank as usize);
    let ranks = patterns(&mut fields, "rank_pattern", "positive whole numbers", rank)?;
    let alpha = |value: &Value| value.as_f64().filter(|alpha| *alpha > 0.0 && alpha.is_finite());
    let alphas = patterns(&mut fields, "alpha_pattern", "positive numbers", alpha)?;
    let advice = "merge the adapter into its base model with PEFT (merge_and_unload), and use the result";
    fields.finish_with(|key| INERT.contains(&key), advice)?;
    Ok(PeftConfig { lora, by_root, ranks, alphas })
}

/// Whether a value excludes nothing.
fn is_empty(value: &Value) -> bool {
    value.as_str().is_some_and(str::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// What an object says of modules by their names, or the ends of them.
fn patterns<T>(
    fields: &mut Fields,
    key: &'static str,
    expected: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<(ModuleName, T)>, ModelError> {
    let Some(value) = fields.take(key) else { return Ok(vec![]) };
    let entries = value.as_object().ok_or_else(|| fields.wrong(key, &value, &format!("an object of {expected}")))?;
    let mut patterns = vec![];
    for (pattern, value) in entries {
        let Some(name) = ModuleName::from_pattern(pattern) else {
            return Err(fields.error(format!(
                "{key} has the regular expression {pattern:?}, which is not supported; name the modules, or merge the \
                 adapter into its base model with PEFT (merge_and_unload), and use the result"
            )));
        };
        patterns.push((name, read(value).ok_or_else(|| fields.wrong(key, value, expected))?));
    }
    Ok(patterns)
}

fn no_targets(fields: &Fields) -> ModelError {
    fields.error("target_modules is empty; list the maps that the adapters are for".into())
}

/// The `adapter_config.json` of a decoder's adapters.
pub(crate) fn adapter_to_json(lora: &LoraConfig, family: Family, base_model_name: Option<&str>) -> Value {
    let adapted = linear_maps(family).filter(|map| lora.targets.iter().any(|target| target == map.ours));
    // PEFT matches the ends of module names. GPT-2's are ambiguous without `attn.` or `mlp.`.
    let targets: Vec<&str> = match family {
        Family::Gpt2 => adapted.map(|map| map.theirs).collect(),
        _ => adapted.map(|map| map.theirs.rsplit('.').next().unwrap_or(map.theirs)).collect(),
    };
    // PEFT expects a whole number, but computes with any.
    let alpha = if lora.alpha.fract() == 0.0 { json!(lora.alpha as i64) } else { json!(lora.alpha) };
    json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model_name,
        "r": lora.rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "target_modules": targets,
        "fan_in_fan_out": family == Family::Gpt2,
        "bias": "none",
        "init_lora_weights": true,
        "inference_mode": true,
        "modules_to_save": null,
        "layers_to_transform": null,
        "layers_pattern": null,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_rslora": false,
        "use_dora": false,
        "revision": null,
    })
}
