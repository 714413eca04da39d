//! Hash that identifies the ids of a tokenizer.

use serde_json::{Map, Value};

/// BLAKE3 over the parts that decide ids, each as JSON with sorted keys.
pub(crate) fn hash(library: &tokenizers::Tokenizer) -> [u8; 32] {
    let mut value = serde_json::to_value(&**library).expect("a tokenizer can be written as JSON");
    if let Value::Object(parts) = &mut value {
        // These keys affect only special tokens around the ids and truncation, which `encode` does not do.
        for part in ["version", "truncation", "padding", "post_processor"] {
            parts.remove(part);
        }
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(sorted(value).to_string().as_bytes());
    *hasher.finalize().as_bytes()
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(entries))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
