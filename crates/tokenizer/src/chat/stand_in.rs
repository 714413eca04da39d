//! Stand-ins: unique text in place of a message's own, to find its place in a rendering.

use serde_json::{Map, Value};

use super::Message;
use super::json::dumps;
use super::message::REASONING;

/// First and last character of a stand-in: a code point that Unicode promises never to make a character.
pub(super) const STAND_IN: char = '\u{FDD1}';

/// A text that does not occur elsewhere.
pub(super) fn stand_in(number: u64) -> String {
    format!("{STAND_IN}{number}{STAND_IN}")
}

/// Replaces all texts of a message, and the names and arguments of its calls.
pub(super) fn replace_words(message: &mut Message, words: &str) {
    replace_said(message, words);
    for name in call_names(message) {
        *name = words.into();
    }
}

/// Replaces the texts of a message and the arguments of its calls, but not the names of the called functions.
pub(super) fn replace_said(message: &mut Message, words: &str) {
    words.clone_into(&mut message.content);
    message.no_content = false;
    for key in REASONING {
        if let Some(reasoning) = message.extra.get_mut(key).filter(|value| value.is_string()) {
            *reasoning = words.into();
        }
    }
    for arguments in calls(message).filter_map(|function| function.get_mut("arguments")) {
        let parsed = arguments.as_str().map(|text| serde_json::from_str(text).unwrap_or_default());
        *arguments = match (&*arguments, parsed) {
            (Value::Object(entries), _) => replaced_values(entries, words).into(),
            (_, Some(Value::Object(entries))) => dumps(&replaced_values(&entries, words).into()).into(),
            _ => words.into(),
        };
    }
}

/// The same keys with other values. Templates may look keys up in the descriptions of tools.
fn replaced_values(arguments: &Map<String, Value>, words: &str) -> Map<String, Value> {
    if arguments.is_empty() {
        return Map::from_iter([(words.to_owned(), words.into())]);
    }
    arguments.keys().map(|key| (key.clone(), words.into())).collect()
}

/// The names of the functions that a message calls.
pub(super) fn call_names(message: &mut Message) -> impl Iterator<Item = &mut Value> {
    calls(message).filter_map(|function| function.get_mut("name"))
}

/// The functions that a message calls, with their arguments.
fn calls(message: &mut Message) -> impl Iterator<Item = &mut Value> {
    let calls = message.extra.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten();
    calls.map(|call| if call.get("function").is_some() { &mut call["function"] } else { call })
}
