//! Arguments of tool calls, in the form that a template takes.
//!
//! `OpenAI`'s interface and many data sets write a call's arguments as JSON in a string. Templates that apply `tojson`
//! would quote such a string once more, as `transformers` then does; servers parse the string before they render. Other
//! templates print the string as it is, or join it to other text, which an object cannot be. A short conversation shows
//! which of these a template is.

use serde_json::{Value, json};

use super::Message;
use super::integers::unheld_integer;
use super::json::dumps;
use super::stand_in::stand_in;

/// The form of arguments that a template takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Objects, and strings as they are.
    AsGiven,
    /// Objects only: JSON in a string has to be parsed.
    Objects,
    /// Strings only: it fails on objects, which have to be written as JSON.
    Strings,
}

/// Whether a call's arguments, written in a string, have a whole number that a value cannot hold.
pub(super) fn has_unheld_integer(message: &Message) -> bool {
    let calls = message.extra.get("tool_calls").and_then(Value::as_array);
    calls.into_iter().flatten().any(|call| {
        let arguments = call.get("function").unwrap_or(call).get("arguments").and_then(Value::as_str);
        arguments.is_some_and(|text| unheld_integer(text).is_some())
    })
}

impl Arguments {
    /// Finds it out with `render`, which gives `None` where the template refuses a conversation.
    pub(super) fn of(render: &dyn Fn(&[Message]) -> Option<String>) -> Self {
        let [asked, name, value] = [0, 1, 2].map(stand_in);
        let object = json!({ "at": value });
        let text = dumps(&object);
        let render = |arguments: Value| {
            ["", "Let me look."].into_iter().find_map(|words| {
                let mut call = Message::new("assistant", words);
                let function = json!({"name": name, "arguments": arguments});
                call.extra.insert(
                    "tool_calls".into(),
                    json!([{"id": "look00000", "type": "function", "function": function}]),
                );
                render(&[Message::new("user", &asked), call])
            })
        };
        match (render(text.clone().into()), render(object)) {
            (Some(shown), object) if shown.contains(&text) && object.is_some() => Self::AsGiven,
            (Some(shown), None) if shown.contains(&text) => Self::Strings,
            _ => Self::Objects,
        }
    }

    /// The message with its arguments in this form. A string that holds no JSON object stays as it is.
    pub(super) fn given_to(self, message: &Message) -> Message {
        let mut message = message.clone();
        let calls = message.extra.get_mut("tool_calls").and_then(Value::as_array_mut);
        for call in calls.into_iter().flatten() {
            let function = if call.get("function").is_some() { &mut call["function"] } else { call };
            let Some(arguments) = function.get_mut("arguments") else { continue };
            let other = match (self, &*arguments) {
                (Self::Objects, Value::String(text)) => {
                    serde_json::from_str(text).ok().filter(|parsed: &Value| parsed.is_object())
                }
                (Self::Strings, Value::Object(_)) => Some(dumps(arguments).into()),
                _ => None,
            };
            if let Some(other) = other {
                *arguments = other;
            }
        }
        message
    }
}
