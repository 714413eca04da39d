//! Calls of tools in the spellings of data sets, as `{"type": "function", "function": {"name", "arguments"}}`.

use serde_json::{Map, Value, json};

use super::reason;
use super::record::Record;
use crate::DataError;
use crate::documents::json_lines::{describe_keys, kind};

/// Other names of a call's arguments.
const ARGUMENTS: [&str; 3] = ["parameters", "args", "input"];
/// Keys that say nothing about arguments.
const PLAIN: [&str; 4] = ["name", "id", "type", "index"];

/// The calls of a message: a list of calls, one call, or either written as JSON in a string. `place` is where they
/// stand.
pub(super) fn calls(record: &Record, place: &str, value: Value) -> Result<Value, DataError> {
    let calls = match parsed(record, place, value)? {
        Value::Array(calls) => calls,
        one => vec![one],
    };
    calls.into_iter().map(|call| of_function(record, place, call)).collect()
}

fn wrong(record: &Record, place: &str, found: impl Into<String>) -> DataError {
    record.wrong(format!("a call as JSON, `{{\"name\": …, \"arguments\": {{…}}}}`, as `{place}`"), found)
}

fn parsed(record: &Record, place: &str, value: Value) -> Result<Value, DataError> {
    match value {
        Value::String(text) => record.parsed(&text).ok_or_else(|| wrong(record, place, "other text")),
        other => Ok(other),
    }
}

/// One call, with its function under `function`.
fn of_function(record: &Record, place: &str, call: Value) -> Result<Value, DataError> {
    let mut call = match parsed(record, place, call)? {
        Value::Object(call) => call,
        other => return Err(wrong(record, place, kind(&other))),
    };
    if let Some(Value::Object(function)) = call.get_mut("function") {
        named(record, place, function)?;
        return Ok(Value::Object(call));
    }
    named(record, place, &mut call)?;
    // Chat templates know calls in `tool_calls` without `function` too.
    Ok(if place.ends_with(".tool_calls") { call.into() } else { json!({"type": "function", "function": call}) })
}

/// Checks that a function has a name, and puts its arguments under `arguments`: none are `{}`.
fn named(record: &Record, place: &str, function: &mut Map<String, Value>) -> Result<(), DataError> {
    if !function.get("name").is_some_and(Value::is_string) {
        return Err(wrong(record, place, describe_keys(function)));
    }
    if !function.contains_key("arguments") {
        let other = ARGUMENTS.into_iter().find(|key| function.contains_key(*key));
        match other.and_then(|key| function.shift_remove(key)) {
            Some(arguments) => {
                function.insert("arguments".into(), arguments);
            }
            None if function.keys().any(|key| !PLAIN.contains(&key.as_str())) => {
                return Err(wrong(record, place, describe_keys(function)));
            }
            None => {}
        }
    }
    let arguments = function.entry("arguments").or_insert(Value::Null);
    match arguments {
        Value::Null => *arguments = json!({}),
        Value::String(text) if text.trim().is_empty() => *text = "{}".into(),
        Value::String(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() => {
            record.spoil(reason::BROKEN_ARGUMENTS);
        }
        _ => {}
    }
    Ok(())
}
