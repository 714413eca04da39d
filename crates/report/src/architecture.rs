//! The shape of the trained model, read from a checkpoint without loading its weights.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use super::format::grouped;

/// Largest header in bytes; a larger one is treated as damaged.
const LARGEST_HEADER: u64 = 64 << 20;

/// Architecture from config.json and the headers of the weights.
#[derive(Debug, PartialEq)]
pub struct Architecture {
    /// `model_type` of config.json: `qwen3`, `gpt2`, …
    pub model_type: String,
    /// Floating-point numbers in the weights' files; `None` when a header cannot be read.
    pub parameters: Option<f64>,
    /// Named sizes in reading order, as text.
    pub sizes: Vec<(&'static str, String)>,
}

/// Reads a Hugging Face model directory; `None` if it is not one.
pub fn read(checkpoint: &Path) -> Option<Architecture> {
    let config: Map<String, Value> = serde_json::from_slice(&fs::read(checkpoint.join("config.json")).ok()?).ok()?;
    // The first spelling is that of llama and qwen, the second GPT-2's.
    let names: [(&str, &[&str]); 7] = [
        ("Layers", &["num_hidden_layers", "n_layer"]),
        ("Width", &["hidden_size", "n_embd"]),
        ("Attention heads", &["num_attention_heads", "n_head"]),
        ("Key/value heads", &["num_key_value_heads"]),
        ("Feed-forward width", &["intermediate_size", "n_inner"]),
        ("Longest context", &["max_position_embeddings", "n_positions"]),
        ("Vocabulary", &["vocab_size"]),
    ];
    let size = |keys: &[&str]| keys.iter().find_map(|key| config.get(*key)?.as_f64());
    Some(Architecture {
        model_type: config.get("model_type").and_then(Value::as_str).unwrap_or("unknown").to_owned(),
        parameters: parameters(checkpoint),
        sizes: names.iter().filter_map(|(name, keys)| Some((*name, grouped(size(keys)?)))).collect(),
    })
}

fn parameters(checkpoint: &Path) -> Option<f64> {
    let files = fs::read_dir(checkpoint).ok()?.flatten().map(|entry| entry.path());
    let weights = files.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    let counts: Vec<f64> = weights.map(|path| count(&path)).collect::<Option<_>>()?;
    (!counts.is_empty()).then(|| counts.iter().sum())
}

/// Sums the sizes in a safetensors header: eight bytes of length (little-endian), then a JSON object of tensors.
fn count(path: &Path) -> Option<f64> {
    let mut file = File::open(path).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > LARGEST_HEADER {
        return None;
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).ok()?;
    let tensors: Map<String, Value> = serde_json::from_slice(&header).ok()?;
    let is_float = |tensor: &&Value| tensor["dtype"].as_str().is_some_and(|dtype| dtype.contains('F'));
    let elements = |tensor: &Value| Some(tensor["shape"].as_array()?.iter().filter_map(Value::as_f64).product::<f64>());
    Some(tensors.values().filter(is_float).filter_map(elements).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_summed_from_the_header() {
        let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},
            "b":{"dtype":"BF16","shape":[5],"data_offsets":[48,58]},"ids":{"dtype":"I64","shape":[9],"data_offsets":[58,130]}}"#;
        let folder = tempfile::tempdir().expect("temporary folder");
        let folder = folder.path();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        fs::write(folder.join("model.safetensors"), &bytes).expect("writes");
        assert_eq!(read(folder), None, "no config.json: no model");

        fs::write(folder.join("config.json"), r#"{"model_type":"gpt2","n_layer":4,"vocab_size":65000}"#)
            .expect("writes");
        let architecture = read(folder).expect("a model");
        assert_eq!((architecture.model_type.as_str(), architecture.parameters), ("gpt2", Some(17.0)));
        assert_eq!(architecture.sizes, [("Layers", "4".to_owned()), ("Vocabulary", "65,000".to_owned())]);

        fs::write(folder.join("model.safetensors"), &bytes[..20]).expect("writes");
        assert_eq!(read(folder).expect("still a model").parameters, None);
    }
}
