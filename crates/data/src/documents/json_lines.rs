//! `.jsonl`: one JSON object a line.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::input::Input;
use super::lines::Lines;
use super::{Document, json_value};
use crate::DataError;

/// The string under one key of every line; blank lines are skipped.
pub(super) struct JsonLines {
    lines: Lines,
    path: Arc<Path>,
    key: String,
}

#[derive(Deserialize)]
struct LineRecord<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

impl JsonLines {
    pub(super) fn new(input: Input, path: Arc<Path>, limit: usize, key: &str) -> Self {
        Self { lines: Lines::new(input, Arc::clone(&path), limit), path, key: key.to_owned() }
    }

    fn next_document(&mut self) -> Result<Option<Document>, DataError> {
        let Some((number, line)) = self.lines.next_line()? else { return Ok(None) };
        if self.key != "text" {
            // The rare, slower case: the whole object is parsed.
            let object = json_value::parse(line).ok().map(|parsed| parsed.value);
            let text = object.as_ref().and_then(|object| object.as_object()?.get(&self.key)?.as_str());
            let origin = format!("{}:{number}", self.path.display());
            return match text {
                Some(text) => Ok(Some(Document::new(text, origin))),
                None => Err(explain(&self.path, number, line, &self.key)),
            };
        }
        match serde_json::from_str::<LineRecord>(line) {
            Ok(record) => Ok(Some(Document::new(record.text, format!("{}:{number}", self.path.display())))),
            Err(_) => Err(explain(&self.path, number, line, &self.key)),
        }
    }
}

fn explain(path: &Path, line: u64, text: &str, key: &str) -> DataError {
    match json_value::parse(text).map(|parsed| parsed.value) {
        Ok(Value::Object(object)) => DataError::Keys {
            path: path.into(),
            line,
            expected: format!("the key `{key}` with a string"),
            found: found_instead(&object, key),
        },
        Ok(other) => DataError::Json { path: path.into(), line, reason: format!("found {}", kind(&other)) },
        Err(error) => json_line_error(path, line, text, &error),
    }
}

/// Error of a line that is not JSON, which may be the first line of a longer value.
pub(crate) fn json_line_error(path: &Path, line: u64, text: &str, error: &serde_json::Error) -> DataError {
    let mut failed = json_error(path, line, error);
    if let DataError::Json { reason, .. } = &mut failed
        && error.is_eof()
        && ["[", "{", "[{"].contains(&text.trim())
    {
        reason.push_str(" (a list or an object that takes several lines belongs in a file called .json)");
    }
    failed
}

/// Error of a line that is not JSON.
pub(crate) fn json_error(path: &Path, line: u64, error: &serde_json::Error) -> DataError {
    let reason = if error.is_eof() {
        format!("the line ends early, at column {}", error.column())
    } else {
        // serde_json counts lines within the one line it was given.
        error.to_string().replace("line 1 column", "column").replace('\n', " ")
    };
    DataError::Json { path: path.into(), line, reason }
}

impl Iterator for JsonLines {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_document().transpose()
    }
}

/// Type of a value, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The keys of an object, the first eight of them.
pub(crate) fn describe_keys(object: &serde_json::Map<String, Value>) -> String {
    if object.is_empty() {
        return "no keys".into();
    }
    let shown: Vec<_> = object.keys().take(8).map(|key| format!("`{}`", key.escape_default())).collect();
    let more = if object.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn found_instead(object: &serde_json::Map<String, Value>, key: &str) -> String {
    if let Some(value) = object.get(key) {
        return format!("{} under it", kind(value));
    }
    let has = |key: &str| object.contains_key(key);
    let meaning = if has("messages") || has("conversations") {
        ": these are conversations, which fine-tuning reads"
    } else if has("chosen") && has("rejected") {
        ": these are preference pairs, which reward training reads"
    } else if has("prompt") {
        ": these are prompts, which reinforcement learning reads"
    } else {
        ""
    };
    format!("{}{meaning}", describe_keys(object))
}
