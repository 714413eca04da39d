//! Messages of a conversation, in the spellings of common data sets.

use fireclay_tokenizer::Message;
use serde_json::{Map, Value, json};

use super::exchange;
use super::record::Record;
use crate::DataError;
use crate::documents::json_lines::{describe_keys, kind};

impl Record {
    /// The messages under `key`: an array of messages, one message, or a string, which is one message of `role`.
    pub fn text_or_messages(&self, key: &str, role: &str) -> Result<Vec<Message>, DataError> {
        match self.value(key) {
            Some(Value::String(text)) => Ok(vec![Message::new(role, text)]),
            Some(Value::Array(_)) => self.messages(key),
            Some(Value::Object(object)) => Ok(vec![message(self, key, object.clone())?]),
            _ => Err(self.wrong_under(key, "a string or an array of messages")),
        }
    }

    /// The turns under `key`: messages, questions with their answers, or texts of the user and the assistant in turn;
    /// the array may be written as JSON in a string.
    pub fn turns(&self, key: &str) -> Result<Vec<Message>, DataError> {
        let written = match self.value(key) {
            Some(Value::String(text)) => serde_json::from_str::<Vec<Value>>(text).ok(),
            _ => None,
        };
        let items = match &written {
            Some(items) => items,
            None => self.array(key)?,
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
    pub fn messages(&self, key: &str) -> Result<Vec<Message>, DataError> {
        let messages = self.array(key)?.iter().enumerate();
        messages.map(|(index, value)| self.message(&format!("{key}[{index}]"), value)).collect()
    }
}

/// The role by one of its names in any case; `None` for unknown names.
fn role(name: &str) -> Option<&'static str> {
    Some(match name.to_lowercase().as_str() {
        "user" | "human" | "prompter" => "user",
        "assistant" | "gpt" | "chatgpt" | "bing" | "bard" | "model" | "bot" => "assistant",
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
    let message = if from { share_gpt(record, place, object)? } else { openai(record, place, object)? };
    check_weight(record, place, &message)?;
    Ok(message)
}

fn openai(record: &Record, place: &str, mut object: Map<String, Value>) -> Result<Message, DataError> {
    match object.get("role") {
        Some(Value::String(name)) if is_call(name) => {
            let text = object.get("content").and_then(Value::as_str).unwrap_or_default();
            let calls = tool_calls(record, &format!("{place}.content"), text)?;
            object.shift_remove("content");
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
    // OpenAI's older form, with a single call.
    let calls = object.get("tool_calls").is_some_and(|calls| !calls.is_null());
    if !calls && let Some(call) = object.get("function_call").filter(|call| call.is_object()).cloned() {
        object.shift_remove("function_call");
        object.insert("tool_calls".into(), json!([{"type": "function", "function": call}]));
    }
    if !object.contains_key("content") && !object.contains_key("tool_calls") {
        return Err(record.wrong(format!("`content` in `{place}`"), describe_keys(&object)));
    }
    finished(record, place, object)
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
        rest.insert("tool_calls".into(), tool_calls(record, &format!("{place}.value"), &value)?);
    } else {
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
    matches!(role.to_lowercase().as_str(), "function_call" | "tool_call" | "function-call")
}

/// The calls in a JSON text: one `{name, arguments}` or a list of them.
fn tool_calls(record: &Record, place: &str, text: &str) -> Result<Value, DataError> {
    let expected = || format!("a call as JSON, `{{\"name\": …, \"arguments\": {{…}}}}`, as `{place}`");
    let parsed: Value = serde_json::from_str(text).map_err(|_| record.wrong(expected(), "other text"))?;
    let calls = match parsed {
        Value::Array(calls) => calls,
        one => vec![one],
    };
    let calls = calls.into_iter().map(|call| {
        let has_name = call.get("name").is_some_and(Value::is_string);
        if !has_name {
            return Err(record.wrong(expected(), kind(&call)));
        }
        Ok(json!({"type": "function", "function": call}))
    });
    calls.collect()
}

/// Refuses weights other than 0 and 1: an answer is either learned or not.
fn check_weight(record: &Record, place: &str, message: &Message) -> Result<(), DataError> {
    if let Some(train) = message.extra.get("train").filter(|train| !train.is_boolean() && !train.is_null()) {
        return Err(record.wrong(format!("true or false as `{place}.train`"), train.to_string()));
    }
    match message.extra.get("weight") {
        None => Ok(()),
        Some(weight) if [Some(0.0), Some(1.0)].contains(&weight.as_f64()) => Ok(()),
        Some(other) => Err(record.wrong(format!("0 or 1 as `{place}.weight`"), other.to_string())),
    }
}
