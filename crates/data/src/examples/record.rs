//! One object of a file, and what lies under its keys.

use std::path::Path;
use std::sync::Arc;

use fireclay_tokenizer::Message;
use serde_json::{Map, Value};

use crate::DataError;
use crate::documents::json_lines::{describe_keys, kind};

/// A JSON object and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub path: Arc<Path>,
    /// From 1.
    pub line: u64,
    pub object: Map<String, Value>,
}

impl Record {
    /// `path:line`
    pub fn origin(&self) -> String {
        format!("{}:{}", self.path.display(), self.line)
    }

    /// Whether something other than null lies under `key`.
    pub fn has(&self, key: &str) -> bool {
        self.object.get(key).is_some_and(|value| !value.is_null())
    }

    /// The error that the object has none of the forms that are read.
    pub fn unknown(&self, expected: &str) -> DataError {
        self.wrong(expected, describe_keys(&self.object))
    }

    /// The error that something else than `expected` was found.
    pub fn wrong(&self, expected: impl Into<String>, found: impl Into<String>) -> DataError {
        let path = self.path.as_ref().into();
        DataError::Keys { path, line: self.line, expected: expected.into(), found: found.into() }
    }

    fn wrong_under(&self, key: &str, expected: &str) -> DataError {
        match self.object.get(key) {
            Some(value) => self.wrong(format!("{expected} under `{key}`"), kind(value)),
            None => self.wrong(format!("the key `{key}` with {expected}"), describe_keys(&self.object)),
        }
    }

    pub fn string(&self, key: &str) -> Result<&str, DataError> {
        self.object.get(key).and_then(Value::as_str).ok_or_else(|| self.wrong_under(key, "a string"))
    }

    /// The string under `key`; `None` if there is nothing or null.
    pub fn optional_string(&self, key: &str) -> Result<Option<&str>, DataError> {
        if self.has(key) { self.string(key).map(Some) } else { Ok(None) }
    }

    pub fn bool(&self, key: &str) -> Result<bool, DataError> {
        self.object.get(key).and_then(Value::as_bool).ok_or_else(|| self.wrong_under(key, "true or false"))
    }

    /// The number under `key`; `None` if there is nothing or null.
    pub fn optional_number(&self, key: &str) -> Result<Option<f64>, DataError> {
        if !self.has(key) {
            return Ok(None);
        }
        self.object[key].as_f64().map(Some).ok_or_else(|| self.wrong_under(key, "a number"))
    }

    /// A whole number from 0 on.
    pub fn index(&self, key: &str) -> Result<usize, DataError> {
        let value = self.object.get(key).and_then(Value::as_u64);
        value.map(|value| value as usize).ok_or_else(|| self.wrong_under(key, "a whole number from 0 on"))
    }

    pub fn array(&self, key: &str) -> Result<&[Value], DataError> {
        let value = self.object.get(key).and_then(Value::as_array);
        value.map(Vec::as_slice).ok_or_else(|| self.wrong_under(key, "an array"))
    }

    pub fn strings(&self, key: &str) -> Result<Vec<String>, DataError> {
        let strings = self.array(key)?.iter().map(|value| value.as_str().map(str::to_owned));
        strings.collect::<Option<_>>().ok_or_else(|| self.wrong(format!("strings under `{key}`"), "something else"))
    }

    /// The messages under `key`: an array of `{role, content}`, or a string, which is one message of `role`.
    pub fn text_or_messages(&self, key: &str, role: &str) -> Result<Vec<Message>, DataError> {
        match self.object.get(key) {
            Some(Value::String(text)) => Ok(vec![Message::new(role, text)]),
            Some(Value::Array(_)) => self.messages(key),
            _ => Err(self.wrong_under(key, "a string or an array of messages")),
        }
    }

    /// The array of `{role, content}` under `key`.
    pub fn messages(&self, key: &str) -> Result<Vec<Message>, DataError> {
        self.array(key)?.iter().enumerate().map(|(index, value)| self.message(key, index, value)).collect()
    }

    fn message(&self, key: &str, index: usize, value: &Value) -> Result<Message, DataError> {
        let Value::Object(object) = value else {
            return Err(self.wrong(format!("an object with `role` and `content` as `{key}[{index}]`"), kind(value)));
        };
        let mut extra = object.clone();
        let mut take = |name: &str| match extra.remove(name) {
            Some(Value::String(text)) => Ok(text),
            // Messages that only call tools have no content.
            None | Some(Value::Null) if name == "content" && object.contains_key("tool_calls") => Ok(String::new()),
            Some(Value::Null) if name == "content" => Ok(String::new()),
            Some(other) => Err(self.wrong(format!("a string as `{key}[{index}].{name}`"), kind(&other))),
            None => Err(self.wrong(format!("`{name}` in `{key}[{index}]`"), describe_keys(object))),
        };
        let (role, content) = (take("role")?, take("content")?);
        Ok(Message { role, content, extra })
    }
}
