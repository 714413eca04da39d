//! Examples in a `.json` file that lie in a list under a key, beside other keys.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::DataError;

/// Keys of a list of examples.
const LISTS: [&str; 6] = ["data", "train", "validation", "test", "examples", "rows"];
/// Keys of a row as the Hugging Face hub's server writes it.
const ROW: [&str; 3] = ["row_idx", "row", "truncated_cells"];

/// The list of examples in the only object of a file; `None` if it is an example itself.
///
/// # Errors
/// When there are several lists, or columns in their place.
pub(super) fn list<'a>(path: &Path, object: &'a str) -> Result<Option<&'a str>, DataError> {
    let Ok(entries) = serde_json::from_str::<BTreeMap<String, &'a RawValue>>(object) else { return Ok(None) };
    let lists = LISTS.into_iter().filter_map(|key| Some((key, entries.get(key)?.get())));
    let lists: Vec<(&str, &str)> = lists.filter(|(_, value)| holds_examples(value)).collect();
    let refused = |expected: &str, found: String| {
        Err(DataError::Keys { path: path.into(), line: 1, expected: expected.into(), found })
    };
    match lists.as_slice() {
        [] if !entries.is_empty() && entries.values().all(|value| is_column(value.get())) => {
            refused("a list of examples", "columns; write the file by rows (in pandas with orient=\"records\")".into())
        }
        [] => Ok(None),
        [(_, list)] => Ok(Some(list)),
        several => {
            let names: Vec<String> = several.iter().map(|(key, _)| format!("`{key}`")).collect();
            refused("one list of examples in a file", names.join(" and "))
        }
    }
}

/// Whether a value is a column: an object of values by the number of their row.
fn is_column(value: &str) -> bool {
    value.starts_with('{')
        && serde_json::from_str::<BTreeMap<String, &RawValue>>(value)
            .is_ok_and(|rows| !rows.is_empty() && rows.keys().all(|row| row.parse::<u64>().is_ok()))
}

/// Whether a value is a list of objects that are not messages.
fn holds_examples(value: &str) -> bool {
    if !value.trim_start().starts_with('[') {
        return false;
    }
    let items: Vec<&RawValue> = serde_json::from_str(value).unwrap_or_default();
    let first = items.first().and_then(|item| serde_json::from_str::<Value>(item.get()).ok());
    first.is_some_and(|first| first.is_object() && !is_message(&first))
}

/// Whether a value looks like a message.
pub(super) fn is_message(value: &Value) -> bool {
    value.get("role").is_some() || value.get("from").is_some()
}

/// The row within what the Hugging Face hub's server writes around it; other objects as they are.
///
/// # Errors
/// When cells of the row are cut off.
pub(super) fn row(path: &Path, line: u64, mut object: Map<String, Value>) -> Result<Map<String, Value>, DataError> {
    let is_row =
        object.get("row").is_some_and(Value::is_object) && object.keys().all(|key| ROW.contains(&key.as_str()));
    if !is_row {
        return Ok(object);
    }
    if object.get("truncated_cells").and_then(Value::as_array).is_some_and(|cells| !cells.is_empty()) {
        let (expected, found) = ("a whole row".to_owned(), "one with `truncated_cells`".to_owned());
        return Err(DataError::Keys { path: path.into(), line, expected, found });
    }
    match object.remove("row") {
        Some(Value::Object(row)) => Ok(row),
        _ => unreachable!("it was an object"),
    }
}
