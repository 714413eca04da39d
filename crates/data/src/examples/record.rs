//! One object of a file, with typed access to its keys.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::openai;
use crate::DataError;
use crate::documents::foreign::foreign_in;
use crate::documents::json_lines::{describe_keys, kind};

/// Keys of a judgement: TRL's, and LLaMA-Factory's.
pub(super) const LABELS: [&str; 2] = ["label", "kto_tag"];
/// Keys of the reasoning of an answer, as messages have them.
pub(super) const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];

/// A JSON object and its place in a file.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub path: Arc<Path>,
    /// From 1.
    pub line: u64,
    pub object: Map<String, Value>,
    /// The keys that were read.
    used: RefCell<BTreeSet<String>>,
    /// Why it cannot be used, if that was found deep inside it.
    fault: RefCell<Option<String>>,
    /// A whole number in it that no value holds.
    rounded: RefCell<Option<String>>,
    /// Whether something in it was no number of JSON, and is null.
    pub no_numbers: bool,
    /// Keys of the file that lie beside the list of which this is the first object.
    pub left_out: Vec<String>,
}

impl Record {
    pub fn new(path: Arc<Path>, line: u64, object: Map<String, Value>) -> Self {
        let object = openai::flat(lower_case(object));
        let (used, fault, rounded) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { path, line, object, used, fault, rounded, no_numbers: false, left_out: vec![] }
    }

    /// Has a number named that had to be rounded.
    pub fn report_rounded(&self, number: Option<String>) {
        if let Some(number) = number {
            self.rounded.borrow_mut().get_or_insert(number);
        }
    }

    /// Whether a number had to be rounded.
    pub fn is_rounded(&self) -> bool {
        self.rounded.borrow().is_some()
    }

    /// Has the example skipped for this reason, once it is read.
    pub fn spoil(&self, reason: impl Into<String>) {
        self.fault.borrow_mut().get_or_insert_with(|| reason.into());
    }

    /// The first reason to skip the example that was found inside it.
    pub fn fault(&self) -> Option<String> {
        self.fault.borrow().clone()
    }

    /// `path:line`
    pub fn origin(&self) -> String {
        format!("{}:{}", self.path.display(), self.line)
    }

    /// Whether something other than null lies under `key`.
    pub fn has(&self, key: &str) -> bool {
        self.object.get(key).is_some_and(|value| !value.is_null())
    }

    /// The first of `keys` under which something other than null lies.
    pub fn first_of<'a>(&self, keys: &[&'a str]) -> Option<&'a str> {
        keys.iter().copied().find(|key| self.has(key))
    }

    /// The value under `key`, which counts as read.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.used.borrow_mut().insert(key.to_owned());
        self.object.get(key)
    }

    /// The first key that was read though what lies there has no form in JSON, and what that is.
    pub fn foreign(&self) -> Option<(&str, &str)> {
        let used = self.used.borrow();
        let read = self.object.iter().filter(|(key, _)| used.contains(*key));
        read.into_iter().find_map(|(key, value)| Some((key.as_str(), foreign_in(value)?)))
    }

    /// Unread keys whose value is not null or empty.
    pub fn unread(&self) -> Vec<&str> {
        let used = self.used.borrow();
        let says = |value: &Value| value.is_boolean() || !is_nothing(value);
        let entries = self.object.iter().filter(|(key, value)| !used.contains(*key) && says(value));
        entries.map(|(key, _)| key.as_str()).collect()
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

    pub fn wrong_under(&self, key: &str, expected: &str) -> DataError {
        match self.object.get(key) {
            Some(value) => self.wrong(format!("{expected} under `{key}`"), kind(value)),
            None => self.wrong(format!("the key `{key}` with {expected}"), describe_keys(&self.object)),
        }
    }

    /// The string under `key`.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is none.
    pub fn string(&self, key: &str) -> Result<&str, DataError> {
        self.value(key).and_then(Value::as_str).ok_or_else(|| self.wrong_under(key, "a string"))
    }

    /// The string under `key`, or the number there as it is written.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is neither.
    pub fn string_or_number(&self, key: &str) -> Result<String, DataError> {
        match self.value(key) {
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => self.string(key).map(str::to_owned),
        }
    }

    /// The string under `key`; `None` if there is nothing or null.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is something else.
    pub fn optional_string(&self, key: &str) -> Result<Option<&str>, DataError> {
        if self.has(key) { self.string(key).map(Some) } else { Ok(None) }
    }

    /// The truth value under `key`.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is none.
    pub fn bool(&self, key: &str) -> Result<bool, DataError> {
        self.value(key).and_then(Value::as_bool).ok_or_else(|| self.wrong_under(key, "true or false"))
    }

    /// The number under `key`; `None` if there is nothing or null.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is something else.
    pub fn optional_number(&self, key: &str) -> Result<Option<f64>, DataError> {
        if !self.has(key) {
            return Ok(None);
        }
        let number = self.value(key).and_then(Value::as_f64);
        number.map(Some).ok_or_else(|| self.wrong_under(key, "a number"))
    }

    /// The whole number from 0 on under `key`.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is none.
    pub fn index(&self, key: &str) -> Result<usize, DataError> {
        let value = self.value(key).and_then(Value::as_u64);
        value.map(|value| value as usize).ok_or_else(|| self.wrong_under(key, "a whole number from 0 on"))
    }

    /// The array under `key`.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is none.
    pub fn array(&self, key: &str) -> Result<&[Value], DataError> {
        let value = self.value(key).and_then(Value::as_array);
        value.map(Vec::as_slice).ok_or_else(|| self.wrong_under(key, "an array"))
    }

    /// The array of strings under `key`.
    ///
    /// # Errors
    /// [`DataError::Keys`] when there is none, or an item is something else.
    pub fn strings(&self, key: &str) -> Result<Vec<String>, DataError> {
        let strings = self.array(key)?.iter().map(|value| value.as_str().map(str::to_owned));
        strings.collect::<Option<_>>().ok_or_else(|| self.wrong(format!("strings under `{key}`"), "something else"))
    }
}

/// The object with its keys in lower case, where this makes no two of them equal: data sets also write `Question` and
/// `INSTRUCTION`.
fn lower_case(object: Map<String, Value>) -> Map<String, Value> {
    if !object.keys().any(|key| key.contains(char::is_uppercase)) {
        return object;
    }
    let lower = |key: &str| {
        let lower = key.to_lowercase();
        let equal = object.keys().filter(|other| other.to_lowercase() == lower).count();
        if equal > 1 { key.to_owned() } else { lower }
    };
    let keys: Vec<String> = object.keys().map(|key| lower(key)).collect();
    keys.into_iter().zip(object).map(|(key, (_, value))| (key, value)).collect()
}

/// Whether a value is empty, as in columns that a row does not use.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.values().all(is_nothing),
        _ => false,
    }
}
