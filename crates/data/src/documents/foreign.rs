//! Values of columns that JSON has none for, such as bytes: a stand-in each, which is refused where it is read.

use serde_json::Value;

/// The key of stand-ins, which no column has.
const KEY: &str = "\u{0}foreign";

/// The stand-in of a value; `what` says in a few words what it is.
#[cfg(feature = "parquet")]
pub(crate) fn foreign(what: &str) -> Value {
    serde_json::json!({ KEY: what })
}

/// What the first stand-in in a value stands for.
pub(crate) fn foreign_in(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.iter().find_map(foreign_in),
        Value::Object(object) => match object.get(KEY) {
            Some(what) => what.as_str(),
            None => object.values().find_map(foreign_in),
        },
        _ => None,
    }
}
