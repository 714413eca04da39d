//! Stand-ins: unique text in place of a message's own, to find its place in a rendering.

use serde_json::Value;

use super::Message;
use super::message::REASONING;

/// First and last character of a stand-in: a code point that Unicode promises never to make a character.
pub(super) const STAND_IN: char = '\u{FDD1}';

/// A text that does not occur elsewhere.
pub(super) fn stand_in(number: u64) -> String {
    format!("{STAND_IN}{number}{STAND_IN}")
}

/// Replaces all texts of a message, and the name of each function that it calls.
pub(super) fn replace_words(message: &mut Message, words: &str) {
    words.clone_into(&mut message.content);
    message.no_content = false;
    for key in REASONING {
        if let Some(reasoning) = message.extra.get_mut(key).filter(|value| value.is_string()) {
            *reasoning = words.into();
        }
    }
    for name in call_names(message) {
        *name = words.into();
    }
}

/// The names of the functions that a message calls.
pub(super) fn call_names(message: &mut Message) -> impl Iterator<Item = &mut Value> {
    let calls = message.extra.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten();
    calls.filter_map(|call| match call.get("function") {
        Some(_) => call["function"].get_mut("name"),
        None => call.get_mut("name"),
    })
}
