//! `.jsonl`: one JSON object a line.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::Document;
use super::input::{Input, mark_length, valid_text};
use crate::DataError;

const CHUNK: usize = 64 << 10;

/// The string under `text` of every line; blank lines are passed over.
pub(super) struct JsonLines {
    input: Input,
    path: Arc<Path>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were passed on already.
    start: usize,
    ended: bool,
    line: u64,
    offset: u64,
    limit: usize,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

impl JsonLines {
    pub(super) fn new(input: Input, path: Arc<Path>, limit: usize) -> Self {
        Self { input, path, buffer: Vec::new(), start: 0, ended: false, line: 0, offset: 0, limit }
    }

    /// The next line's range in the buffer, without its line end; `None` at the end of the file.
    fn next_line(&mut self) -> Result<Option<std::ops::Range<usize>>, DataError> {
        let mut searched = self.start;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|&byte| byte == b'\n') {
                return Ok(Some(self.start..searched + at));
            }
            if self.ended {
                let rest = self.start..self.buffer.len();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            if self.buffer.len() - self.start > self.limit {
                return Err(DataError::TooLong {
                    path: self.path.as_ref().into(),
                    line: self.line + 1,
                    limit: self.limit,
                    hint: "is this one JSON object a line? split the document",
                });
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            let at_start = self.offset == 0 && searched == 0;
            let from = self.offset + searched as u64;
            let read = self.input.fill(&mut self.buffer, CHUNK, &self.path, from)?;
            self.ended = read < CHUNK;
            if at_start {
                self.start = mark_length(&self.buffer);
                self.offset = self.start as u64;
                searched = self.start;
            }
        }
    }

    fn next_document(&mut self) -> Result<Option<Document>, DataError> {
        while let Some(range) = self.next_line()? {
            self.line += 1;
            let line = valid_text(&self.buffer[range.clone()], true, &self.path, self.line, self.offset)?;
            let document = if line.trim().is_empty() { None } else { Some(self.parse(line)?) };
            let consumed = (range.end + 1).min(self.buffer.len()) - range.start;
            self.start = range.start + consumed;
            self.offset += consumed as u64;
            if let Some(text) = document {
                return Ok(Some(Document::new(text, format!("{}:{}", self.path.display(), self.line))));
            }
        }
        Ok(None)
    }

    fn parse(&self, line: &str) -> Result<String, DataError> {
        match serde_json::from_str::<Record>(line) {
            Ok(record) => Ok(record.text.into_owned()),
            Err(_) => Err(self.explain(line)),
        }
    }

    fn explain(&self, line: &str) -> DataError {
        let path = self.path.as_ref().into();
        match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(object)) => DataError::Keys { path, line: self.line, found: describe_keys(&object) },
            Ok(other) => DataError::Json { path, line: self.line, reason: format!("found {}", kind(&other)) },
            Err(error) if error.is_eof() => DataError::Json {
                path,
                line: self.line,
                reason: format!("the line ends early, at column {}", error.column()),
            },
            Err(error) => DataError::Json { path, line: self.line, reason: on_one_line(&error) },
        }
    }
}

impl Iterator for JsonLines {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_document().transpose()
    }
}

fn on_one_line(error: &serde_json::Error) -> String {
    // serde_json counts lines within the one line it was given.
    error.to_string().replace("line 1 column", "column").replace('\n', " ")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn describe_keys(object: &serde_json::Map<String, Value>) -> String {
    if let Some(value) = object.get("text") {
        return if value.is_string() { "the key `text` twice".into() } else { format!("{} under it", kind(value)) };
    }
    if object.is_empty() {
        return "no keys".into();
    }
    let shown: Vec<_> = object.keys().take(8).map(|key| format!("`{}`", key.escape_default())).collect();
    let more = if object.len() > shown.len() { ", …" } else { "" };
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
    format!("{}{more}{meaning}", shown.join(", "))
}
