//! Variants without fields, as columns have them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;

/// A role, status or verdict as its column has it.
pub(super) fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        other => unreachable!("a variant without fields is a string, not {other:?}"),
    }
}

/// The variant of this name.
pub(super) fn named<T: for<'a> Deserialize<'a>>(name: String) -> Result<T, StoreError> {
    let corrupt = format!("role, status or verdict `{name}`");
    serde_json::from_value(Value::String(name)).map_err(|_| StoreError::Corrupt(corrupt))
}
