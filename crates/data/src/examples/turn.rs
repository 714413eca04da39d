//! Messages of a conversation, in the spellings of common data sets.

use fireclay_tokenizer::Message;
use serde_json::{Map, Value};

use super::calls::calls;
use super::record::{Record, is_nothing};
use super::{exchange, media, reason};
use crate::DataError;
use crate::documents::json_lines::{describe_keys, kind};
use crate::documents::json_value;

impl Record {
    /// The messages under `key`: an array of messages, one message, either of these as JSON in a string, or another
    /// string, which is one message of `role`.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is something else, or a message lacks its role or content.
    pub fn text_or_messages(&self, key: &str, role: &str) -> Result<Vec<Message>, DataError> {
        match self.value(key) {
            Some(Value::String(text)) => Ok(self.written(key)?.unwrap_or_else(|| vec![Message::new(role, text)])),
            Some(Value::Array(_)) => self.messages(key),
            Some(Value::Object(object)) => Ok(vec![message(self, key, object.clone())?]),
            _ => Err(self.wrong_under(key, "a string or an array of messages")),
        }
    }

    /// The messages that a string under `key` holds as JSON; `None` for other text.
    ///
    /// # Errors
    /// [`DataError::Keys`] when one of these messages has another role or other content than is read.
    pub fn written(&self, key: &str) -> Result<Option<Vec<Message>>, DataError> {
        let Some(text) = self.object.get(key).and_then(Value::as_str).map(str::trim_start) else { return Ok(None) };
        if PYTHON.iter().any(|start| text.starts_with(start)) {
            self.spoil(reason::PYTHON);
        }
        let parsed = Some(text).filter(|text| text.starts_with(['[', '{'])).and_then(|text| self.parsed(text));
        let items = match parsed {
            Some(Value::Array(items)) => items,
            Some(object @ Value::Object(_)) => vec![object],
            _ => vec![],
        };
        if items.is_empty() || !items.iter().all(is_whole_message) {
            return Ok(None);
        }
        let messages = items.iter().enumerate();
        messages.map(|(index, item)| self.message(&format!("{key}[{index}]"), item)).collect::<Result<_, _>>().map(Some)
    }

    /// The value of JSON in a string; a number in it that had to be rounded is reported.
    pub fn parsed(&self, text: &str) -> Option<Value> {
        let parsed = json_value::parse(text).ok()?;
        self.report_rounded(parsed.rounded);
        Some(parsed.value)
    }

    /// The turns under `key`: messages, questions with their answers, or texts of the user and the assistant in turn;
    /// the array may be written as JSON in a string.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is no array, or an item is none of these.
    pub fn turns(&self, key: &str) -> Result<Vec<Message>, DataError> {
        let written = match self.value(key) {
            Some(Value::String(text)) => self.parsed(text),
            _ => None,
        };
        let items = match &written {
            Some(Value::Array(items)) => items,
            _ => self.array(key)?,
        };
        if let Some(messages) = exchange::texts_in_turn(items) {
            return Ok(messages);
        }
        let mut messages = vec![];
        for (index, item) in items.iter().enumerate() {
            let place = format!("{key}[{index}]");
            if exchange::is_exchange(item) {
                messages.extend(exchange::messages(self, &place, item)?);
            } else {
                messages.push(self.message(&place, item)?);
            }
        }
        Ok(messages)
    }

    fn message(&self, place: &str, value: &Value) -> Result<Message, DataError> {
        match value {
            Value::Object(object) => message(self, place, object.clone()),
            other => Err(self.wrong(format!("an object with `role` and `content` as `{place}`"), kind(other))),
        }
    }

    /// The array of messages under `key`, each as `{role, content}` or as `{from, value}`.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is no array, or an item is no message.
    pub fn messages(&self, key: &str) -> Result<Vec<Message>, DataError> {
        let messages = self.array(key)?.iter().enumerate();
        messages.map(|(index, value)| self.message(&format!("{key}[{index}]"), value)).collect()
    }
}

/// Messages as Python prints them.
const PYTHON: [&str; 5] = ["[{'role':", "[{'content':", "[{'from':", "[{'value':", "{'role':"];

/// Whether a value is a message of a role that is known, with its content or a call.
fn is_whole_message(value: &Value) -> bool {
    let name = value.get("role").or_else(|| value.get("from")).and_then(Value::as_str);
    let has = |key: &&str| value.get(*key).is_some();
    name.is_some_and(|name| role(name).is_some() || is_call(name))
        && ["content", "value", "tool_calls", "function_call"].iter().any(has)
}

/// The role by one of its names in any case; `None` for unknown names.
fn role(name: &str) -> Option<&'static str> {
    Some(match name.trim().to_lowercase().as_str() {
        "user" | "human" | "prompter" => "user",
        "assistant" | "gpt" | "chatgpt" | "bing" | "bard" | "model" | "bot" | "ai" | "chatbot" => "assistant",
        name if name.starts_with("gpt-") => "assistant",
        "system" => "system",
        "developer" => "developer",
        "tool" | "observation" | "function_response" | "tool_response" | "function" | "ipython" => "tool",
        _ => return None,
    })
}

/// The message that an object holds: `{role, content}` or `{from, value}`, or one key of each. `place` is where it
/// stands.
fn message(record: &Record, place: &str, mut object: Map<String, Value>) -> Result<Message, DataError> {
    let has = |object: &Map<String, Value>, key: &str| object.get(key).is_some_and(|value| !value.is_null());
    let from = has(&object, "from") && !has(&object, "role");
    let (own, other) = if from { ("value", "content") } else { ("content", "value") };
    if !has(&object, own)
        && let Some(text) = object.get(other).filter(|text| text.is_string()).cloned()
    {
        object.shift_remove(other);
        object.insert(own.into(), text);
    }
    if let Some(reason) = media::in_message(&object, place, own) {
        record.spoil(reason);
    }
    let mut message = if from { share_gpt(record, place, object)? } else { openai(record, place, object)? };
    read_marks(record, place, &mut message)?;
    Ok(message)
}

fn openai(record: &Record, place: &str, mut object: Map<String, Value>) -> Result<Message, DataError> {
    match object.get("role") {
        Some(Value::String(name)) if is_call(name) => {
            let content = object.shift_remove("content").unwrap_or_default();
            let calls = calls(record, &format!("{place}.content"), content)?;
            object.insert("role".into(), "assistant".into());
            object.insert("tool_calls".into(), calls);
        }
        Some(Value::String(name)) => {
            // Other role names are passed to the template unchanged.
            if let Some(known) = role(name) {
                object.insert("role".into(), known.into());
            }
        }
        None => return Err(record.wrong(format!("`role` in `{place}`"), describe_keys(&object))),
        Some(other) => return Err(record.wrong(format!("a string as `{place}.role`"), kind(other))),
    }
    read_calls(record, place, &mut object)?;
    read_refusal(&mut object);
    if !object.contains_key("content") && !object.contains_key("tool_calls") {
        return Err(record.wrong(format!("`content` in `{place}`"), describe_keys(&object)));
    }
    finished(record, place, object)
}

/// Puts the calls of a message under `tool_calls`, which may be under `function_call`, the older form of `OpenAI`.
fn read_calls(record: &Record, place: &str, object: &mut Map<String, Value>) -> Result<(), DataError> {
    let has = |object: &Map<String, Value>, key: &str| object.get(key).is_some_and(|value| !is_nothing(value));
    let Some(key) = ["tool_calls", "function_call"].into_iter().find(|key| has(object, key)) else { return Ok(()) };
    let value = object.shift_remove(key).unwrap_or_default();
    let calls = calls(record, &format!("{place}.{key}"), value)?;
    object.insert("tool_calls".into(), calls);
    Ok(())
}

/// Puts what an answer refuses, which has a field of its own in `OpenAI`'s form, after its other words.
fn read_refusal(object: &mut Map<String, Value>) {
    let Some(refusal) = object.get("refusal").and_then(Value::as_str) else { return };
    let both = match object.get("content") {
        None | Some(Value::Null) if !refusal.is_empty() => refusal.to_owned(),
        Some(Value::String(words)) => format!("{words}{refusal}"),
        _ => return,
    };
    if object.get("role").is_some_and(|role| role == "assistant") {
        object.shift_remove("refusal");
        object.insert("content".into(), both.into());
    }
}

fn finished(record: &Record, place: &str, object: Map<String, Value>) -> Result<Message, DataError> {
    Message::from_object(object)
        .map_err(|(expected, found)| record.wrong(expected.replace("`content`", &format!("`{place}.content`")), found))
}

/// `ShareGPT`'s messages; a `function_call` is a message of the assistant.
fn share_gpt(record: &Record, place: &str, object: Map<String, Value>) -> Result<Message, DataError> {
    let text = |key: &str| match object.get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(record.wrong(format!("a string as `{place}.{key}`"), kind(other))),
        None => Err(record.wrong(format!("a string as `{place}.{key}`"), describe_keys(&object))),
    };
    let (from, value) = (text("from")?, text("value")?);
    let mut rest = object;
    rest.shift_remove("from");
    rest.shift_remove("value");
    if is_call(&from) {
        rest.insert("role".into(), "assistant".into());
        rest.insert("tool_calls".into(), calls(record, &format!("{place}.value"), value.into())?);
    } else {
        read_calls(record, place, &mut rest)?;
        let Some(role) = role(&from) else {
            let expected = format!("human, gpt, system, tool, function_call or observation as `{place}.from`");
            return Err(record.wrong(expected, format!("{from:?}")));
        };
        rest.insert("role".into(), role.into());
        rest.insert("content".into(), value.into());
    }
    finished(record, place, rest)
}

/// Whether a message of this role holds a call as JSON, which is the assistant's.
fn is_call(role: &str) -> bool {
    matches!(role.trim().to_lowercase().as_str(), "function_call" | "tool_call" | "function-call")
}

/// Keys that say whether an answer is learned.
pub(super) const MARKS: [&str; 6] = ["weight", "train", "training", "loss", "loss_mask", "trainable"];

/// Has the marks say in one key, `train`, whether the answer is learned; `weight` stays beside it. Refuses what is
/// neither on nor off.
fn read_marks(record: &Record, place: &str, message: &mut Message) -> Result<(), DataError> {
    let mut off = false;
    for key in MARKS {
        let Some(value) = message.extra.get(key) else { continue };
        off |= match (value.as_bool(), value.as_f64()) {
            (Some(on), _) => !on,
            (_, Some(0.0)) => true,
            (_, Some(1.0)) => false,
            _ => {
                let expected = if key == "weight" { "0 or 1" } else { "true or false" };
                return Err(record.wrong(format!("{expected} as `{place}.{key}`"), value.to_string()));
            }
        };
        if !matches!(key, "weight" | "train") {
            message.extra.shift_remove(key);
        }
    }
    if off {
        message.extra.insert("train".into(), false.into());
    }
    Ok(())
}
