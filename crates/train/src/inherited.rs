//! Files of a model directory beside its weights, which are copied to checkpoints that are trained from it.

use std::fs;
use std::path::Path;

use fireclay_model::huggingface::SamplingDefaults;
use serde_json::{Map, Value};

/// The keys of the number format in which a model is to be opened, in both spellings.
const DTYPE: &str = "dtype";
const TORCH_DTYPE: &str = "torch_dtype";

/// Files of a model directory, and the keys that are kept of them; an empty list keeps all.
const FILES: [(&str, &[&str]); 2] = [
    ("generation_config.json", &[]),
    ("config.json", &["bos_token_id", "eos_token_id", "pad_token_id", DTYPE, TORCH_DTYPE]),
];

/// Keys of the files of a model directory, by the files' names.
#[derive(Clone, Debug, Default)]
pub struct Inherited {
    files: Vec<(&'static str, Map<String, Value>)>,
}

impl Inherited {
    /// Adds sampling settings, which take precedence over settings that are added later.
    #[must_use]
    pub fn with_sampling(mut self, sampling: &SamplingDefaults) -> Self {
        let mut keys = Map::new();
        sampling.write_into(&mut keys);
        self.files.push((FILES[0].0, keys));
        self
    }

    /// Adds the `generation_config.json` of `base`, and from its `config.json` the token ids and the number format. A
    /// file that is missing or not JSON is ignored.
    #[must_use]
    pub fn of(mut self, base: &Path) -> Self {
        for (file, keys) in FILES {
            let text = fs::read(base.join(file)).unwrap_or_default();
            if let Ok(Value::Object(mut object)) = serde_json::from_slice(&text) {
                object.retain(|key, value| !value.is_null() && (keys.is_empty() || keys.contains(&key.as_str())));
                for (one, other) in [(DTYPE, TORCH_DTYPE), (TORCH_DTYPE, DTYPE)] {
                    if let Some(format) = object.get(other).cloned().filter(|_| !object.contains_key(one)) {
                        object.insert(one.into(), format);
                    }
                }
                self.files.push((file, object));
            }
        }
        self
    }

    /// The number format in which the model is to be opened, such as `bfloat16`.
    #[must_use]
    pub fn number_format(&self) -> Option<&str> {
        self.files.iter().find_map(|(_, keys)| keys.get(DTYPE)).and_then(Value::as_str)
    }

    /// Removes the number format.
    #[must_use]
    pub fn without_number_format(mut self) -> Self {
        for (_, keys) in &mut self.files {
            keys.retain(|key, _| key != DTYPE && key != TORCH_DTYPE);
        }
        self
    }

    /// Writes the keys into the files of a directory that is being written. Existing keys are kept, except the number
    /// format, which is always written.
    ///
    /// # Errors
    /// When a file is not a JSON object, or cannot be written.
    pub fn write_into(&self, dir: &Path) -> std::io::Result<()> {
        for (name, inherited) in &self.files {
            let file = dir.join(name);
            let Ok(text) = fs::read(&file) else { continue };
            let mut own: Map<String, Value> = serde_json::from_slice(&text)?;
            for (key, value) in inherited {
                if own.get(key).is_none_or(Value::is_null) || key == DTYPE || key == TORCH_DTYPE {
                    own.insert(key.clone(), value.clone());
                }
            }
            fs::write(&file, serde_json::to_string_pretty(&own)? + "\n")?;
        }
        Ok(())
    }
}
