//! Examples in a `.json` file that lie in a list under a key, beside other keys.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::prompt::{ANSWERED, ASKED};
use super::record::is_nothing;
use crate::DataError;
use crate::documents::json_value;

/// Keys of a list of examples.
const LISTS: [&str; 6] = ["data", "train", "validation", "test", "examples", "rows"];
/// Keys of a row as the Hugging Face hub's server writes it.
const ROW: [&str; 3] = ["row_idx", "row", "truncated_cells"];

/// Keys that hold a whole example, whatever else lies beside them.
const WHOLE: [&str; 11] = [
    "messages",
    "conversations",
    "conversation",
    "dialog",
    "dialogue",
    "message_tree_id",
    "conversation_a",
    "chosen",
    "rejected",
    "choices",
    "continuation",
];
/// Keys that belong to every example: beside a list they would be lost.
const SHARED: [&str; 6] = ["system", "system_prompt", "tools", "functions", "chat_template_kwargs", "history"];
/// Keys that the Hugging Face hub's server writes beside `rows`.
const HUB: [&str; 4] = ["features", "num_rows_total", "num_rows_per_page", "partial"];

/// A list of examples in an object.
pub(super) struct List<'a> {
    pub items: &'a str,
    /// The keys beside it, which nobody reads.
    pub left_out: Vec<String>,
}

/// The list of examples in the only object of a file; `None` if it is an example itself.
///
/// # Errors
/// When there are several lists, columns in their place, or what belongs to every example beside a list.
pub(super) fn list<'a>(path: &Path, object: &'a str) -> Result<Option<List<'a>>, DataError> {
    // What is no object, or has a key twice, is refused where it is read as an example.
    let Ok(entries) = json_value::entries(object) else { return Ok(None) };
    let entries: BTreeMap<String, &'a RawValue> = entries.into_iter().collect();
    let lists = LISTS.into_iter().filter_map(|key| Some((key, entries.get(key)?.get())));
    let lists: Vec<(&str, &str)> = lists.filter(|(_, value)| holds_examples(value)).collect();
    let refused = |expected: &str, found: String| {
        Err(DataError::Keys { path: path.into(), line: 1, expected: expected.into(), found })
    };
    let of_columns = !entries.is_empty() && entries.values().all(|value| is_column(value.get()));
    if of_columns || is_split(&entries) {
        let found = "columns; write the file by rows (in pandas with orient=\"records\")";
        return refused("a list of examples", found.into());
    }
    let Some(&(key, items)) = lists.first() else { return Ok(None) };
    if is_example(&entries, key) {
        return Ok(None);
    }
    let beside = || entries.iter().filter(|(other, _)| *other != key);
    let others = beside().filter(|(other, value)| !is_of_hub(key, other) && looks_like_examples(value.get()));
    let others: Vec<String> = others.map(|(other, _)| format!("`{other}`")).collect();
    if !others.is_empty() {
        let found = format!("`{key}` and {}; split the file, or keep one of them", others.join(" and "));
        return refused("one list of examples in a file", found);
    }
    let left_out = beside().filter(|(other, value)| !is_of_hub(key, other) && !is_empty(value.get()));
    let left_out: Vec<String> = left_out.map(|(other, _)| other.clone()).collect();
    let shared = left_out.iter().filter(|other| SHARED.contains(&other.to_lowercase().as_str()));
    let shared: Vec<String> = shared.map(|other| format!("`{other}`")).collect();
    if shared.is_empty() {
        Ok(Some(List { items, left_out }))
    } else {
        let names = shared.join(" and ");
        refused(&format!("{names} in each example"), format!("{names} beside `{key}`; write it into the examples"))
    }
}

/// Whether an object with a list under `list` is an example of its own: it has a conversation or answers, or a prompt.
/// Beside `data`, which may be a conversation too, the prompt needs an answer.
fn is_example(entries: &BTreeMap<String, &RawValue>, list: &str) -> bool {
    let has = |keys: &[&str]| {
        let holds = |value: &str| value.starts_with(['"', '[', '{']);
        entries.iter().any(|(key, value)| keys.contains(&key.to_lowercase().as_str()) && holds(value.get()))
    };
    has(&WHOLE) || (has(&ASKED) && (list != "data" || has(&ANSWERED)))
}

fn is_of_hub(list: &str, key: &str) -> bool {
    list == "rows" && HUB.contains(&key)
}

fn is_empty(value: &str) -> bool {
    serde_json::from_str(value).is_ok_and(|value: Value| is_nothing(&value))
}

/// Whether a value under any key is a list whose first item is an example: an object with a key of one, or messages.
fn looks_like_examples(value: &str) -> bool {
    let is_key = |key: &String| {
        let key = key.to_lowercase();
        [&WHOLE[..], &ASKED, &ANSWERED, &["text", "row"]].concat().contains(&key.as_str())
    };
    match first_of(value) {
        Some(Value::Object(first)) => is_message(&Value::Object(first.clone())) || first.keys().any(is_key),
        Some(first) => is_conversation(&first),
        None => false,
    }
}

/// The first item of a list.
fn first_of(value: &str) -> Option<Value> {
    if !value.starts_with('[') {
        return None;
    }
    let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
    serde_json::from_str(items.first()?.get()).ok()
}

fn is_conversation(value: &Value) -> bool {
    value.as_array().and_then(|messages| messages.first()).is_some_and(is_message)
}

/// Whether an object is a table as pandas writes it with orient="split": names of columns beside rows without names.
fn is_split(entries: &BTreeMap<String, &RawValue>) -> bool {
    let named = |key: &str| entries.get(key).map(|value| value.get());
    let columns = named("columns").and_then(|columns| serde_json::from_str::<Vec<String>>(columns).ok());
    columns.is_some_and(|columns| !columns.is_empty())
        && named("data").and_then(first_of).is_some_and(|row| row.is_array())
}

/// Whether a value is a column: an object of values by the number of their row.
fn is_column(value: &str) -> bool {
    value.starts_with('{')
        && serde_json::from_str::<BTreeMap<String, &RawValue>>(value)
            .is_ok_and(|rows| !rows.is_empty() && rows.keys().all(|row| row.parse::<u64>().is_ok()))
}

/// Whether a value is a list of objects that are not messages, or of lists of messages.
fn holds_examples(value: &str) -> bool {
    first_of(value).is_some_and(|first| (first.is_object() && !is_message(&first)) || is_conversation(&first))
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
