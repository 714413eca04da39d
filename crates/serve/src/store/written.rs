//! Texts and JSON as columns hold them: without the character NUL, which models and people may write, and `PostgreSQL`
//! does not take.

use serde::Serialize;
use serde_json::{Map, Value};

/// A text with the sign for an unknown character instead of NUL.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The JSON of a column, without the character NUL.
pub(super) fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("JSON values and plain structures can be written");
    match text.contains("\\u0000").then(|| serde_json::from_str(&text)) {
        Some(Ok(value)) => value_without_nul(value).to_string(),
        _ => text,
    }
}

/// A value as the JSON of a column has it.
pub(super) fn value_without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => without_nul(&text).into(),
        Value::Array(list) => list.into_iter().map(value_without_nul).collect(),
        Value::Object(object) => map_without_nul(object).into(),
        other => other,
    }
}

/// An object as the JSON of a column has it.
pub(super) fn map_without_nul(object: Map<String, Value>) -> Map<String, Value> {
    object.into_iter().map(|(name, value)| (without_nul(&name), value_without_nul(value))).collect()
}
