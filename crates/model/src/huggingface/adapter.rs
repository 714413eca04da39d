//! Adapters as PEFT's directories: `adapter_config.json` and `adapter_model.safetensors`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::patterns::Patterned;
use super::weights::Checkpoint;
use super::{config_json, make_folder, read_file, weights, write_json};
use crate::{Decoder, ModelError};

/// Writes a decoder's adapters, without the decoder, as a directory that PEFT opens; creates the directory if there is
/// none. `base_model_name` is the folder or hub name of the model that they were trained on, for PEFT to find it.
///
/// # Errors
/// [`ModelError::Invalid`] when the decoder has no adapters, [`ModelError::Io`] when the disk refuses.
pub fn save_adapter(decoder: &Decoder, dir: impl AsRef<Path>, base_model_name: Option<&str>) -> Result<(), ModelError> {
    let dir = dir.as_ref();
    let Some(lora) = &decoder.lora else {
        return Err(ModelError::Invalid("the decoder has no lora adapters to save; save the decoder itself".into()));
    };
    make_folder(dir)?;
    weights::write_adapter(decoder, &dir.join("adapter_model.safetensors"))?;
    let config = config_json::adapter_to_json(lora, decoder.config().family, base_model_name);
    write_json(&dir.join("adapter_config.json"), &config)
}

/// The model that the adapters in `dir` belong to, as their `adapter_config.json` names it: a folder or a GGUF file.
/// The path is tried as it is, relative to `dir`, and relative to its parent. `None` if `dir` is not an adapter's
/// folder, or is also a model's.
///
/// # Errors
/// [`ModelError::Config`] when it names none, or one that does not exist or is an adapter itself.
pub fn adapter_base(dir: impl AsRef<Path>) -> Result<Option<PathBuf>, ModelError> {
    let dir = dir.as_ref();
    let path = dir.join("adapter_config.json");
    if !path.is_file() || dir.join("config.json").exists() {
        return Ok(None);
    }
    let wrong = |message: String| ModelError::Config { path: path.clone(), message };
    let hint = "make the file readable";
    let config: Value = serde_json::from_slice(&read_file(&path, hint)?)
        .map_err(|error| wrong(format!("not valid JSON ({error}); copy it again")))?;
    let Some(name) = config.get("base_model_name_or_path").and_then(Value::as_str).filter(|name| !name.is_empty())
    else {
        return Err(wrong("it names no base model; set base_model_name_or_path to the base model's folder".into()));
    };
    let shown: String = name.chars().filter(|c| !c.is_control()).take(300).collect();
    let around = dir.parent().unwrap_or(dir);
    let found = [PathBuf::from(name), dir.join(name), around.join(name)].into_iter().find(|path| path.exists());
    match found {
        None => Err(wrong(format!(
            "the adapter's base model {shown:?} is not on this machine; fetch it, and set base_model_name_or_path to \
             its folder"
        ))),
        Some(base) if base.join("adapter_config.json").is_file() && !base.join("config.json").exists() => {
            Err(wrong(format!("the base model {shown:?} is itself an adapter; give that adapter's base model")))
        }
        Some(base) => Ok(Some(base)),
    }
}

/// Freezes `decoder` and adds the adapters in `dir`, which were trained on the same weights, here or by PEFT.
///
/// # Errors
/// [`ModelError::Io`] for files that are missing or cannot be read, [`ModelError::Config`] for an `adapter_config.json`
/// that needs an option our adapters do not have, [`ModelError::Weights`] for tensors that are missing, left over,
/// damaged, or of another shape, [`ModelError::Invalid`] when the decoder already has adapters or lacks the maps that
/// these are for.
pub fn load_adapter(decoder: Decoder, dir: impl AsRef<Path>) -> Result<Decoder, ModelError> {
    let dir = dir.as_ref();
    let path = dir.join("adapter_config.json");
    let hint = "an adapter is a folder with adapter_config.json and adapter_model.safetensors";
    let mut peft = config_json::parse_adapter(&path, &read_file(&path, hint)?)?;
    let mut weights = Checkpoint::open_adapter(dir, decoder.config())?;
    if peft.lora.targets.is_empty() {
        peft.lora.targets = weights.adapted_maps()?;
    }
    let config = decoder.config().clone();
    let mut source = Patterned { source: &mut weights, peft: &peft, config };
    let decoder = decoder.with_adapters(&peft.common(), &mut source)?;
    weights.refuse_unused()?;
    Ok(decoder)
}
