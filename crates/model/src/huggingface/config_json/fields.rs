//! The keys of a JSON object. Each key that is read is removed, so that unknown keys remain and can be refused.

use std::path::Path;

use serde_json::{Map, Value};

use crate::ModelError;

/// A larger size means a damaged file; below it no product of two sizes overflows.
const LARGEST_SIZE: u64 = i32::MAX as u64;

/// A key that is refused where it is off.
const CAUSAL: &str = "is_causal";

pub(super) struct Fields<'a> {
    path: &'a Path,
    /// The object's place in the file, to name keys by: empty, or `rope_parameters.`.
    prefix: &'static str,
    left: Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(path: &'a Path, bytes: &[u8]) -> Result<Self, ModelError> {
        // Some editors put a byte-order mark before the text.
        match serde_json::from_slice(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)) {
            Ok(Value::Object(left)) => Ok(Self { path, prefix: "", left }),
            Ok(_) => Err(config_error(path, "not a JSON object; copy config.json again from its source".into())),
            Err(error) => {
                Err(config_error(path, format!("not valid JSON ({error}); copy config.json again from its source")))
            }
        }
    }

    pub(super) fn error(&self, message: String) -> ModelError {
        config_error(self.path, message)
    }

    pub(super) fn wrong(&self, key: &str, value: &Value, expected: &str) -> ModelError {
        self.error(format!("{}{key} is {value}; it must be {expected}", self.prefix))
    }

    /// Removes a key and returns its value; `null` counts as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.left.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.left.contains_key(key)
    }

    pub(super) fn optional_size(&mut self, key: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.as_u64() {
            Some(size) if (1..=LARGEST_SIZE).contains(&size) => Ok(Some(size as usize)),
            _ => Err(self.wrong(key, &value, "a positive whole number below 2^31")),
        }
    }

    pub(super) fn size(&mut self, key: &str) -> Result<usize, ModelError> {
        self.optional_size(key)?.ok_or_else(|| {
            self.error(format!("{}{key} is missing; add it, or copy config.json again from its source", self.prefix))
        })
    }

    /// A count that may be 0.
    pub(super) fn optional_count(&mut self, key: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.as_u64() {
            Some(count) if count <= LARGEST_SIZE => Ok(Some(count as usize)),
            _ => Err(self.wrong(key, &value, "a whole number below 2^31")),
        }
    }

    pub(super) fn optional_number(&mut self, key: &str) -> Result<Option<f64>, ModelError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if number > 0.0 && number.is_finite() => Ok(Some(number)),
            _ => Err(self.wrong(key, &value, "a positive number")),
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Result<f64, ModelError> {
        self.optional_number(key)?
            .ok_or_else(|| self.error(format!("{}{key} is missing; add it, a positive number", self.prefix)))
    }

    /// A list of positive numbers.
    pub(super) fn numbers(&mut self, key: &str) -> Result<Vec<f64>, ModelError> {
        let Some(value) = self.take(key) else {
            return Err(self.error(format!("{}{key} is missing; add it, a list of positive numbers", self.prefix)));
        };
        let numbers = value.as_array().and_then(|items| items.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
        numbers
            .filter(|numbers| numbers.iter().all(|number| *number > 0.0 && number.is_finite()))
            .ok_or_else(|| self.error(format!("{}{key} is not a list of positive numbers; copy it again", self.prefix)))
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> Result<bool, ModelError> {
        match self.take(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(value) => Err(self.wrong(key, &value, "true or false")),
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, ModelError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => Err(self.wrong(key, &value, "a string")),
        }
    }

    pub(super) fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>, ModelError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        serde_json::from_value(value.clone()).map(Some).map_err(|_| self.wrong(key, &value, "a list of strings"))
    }

    /// One token id, or several. Some files write −1 for none.
    pub(super) fn token_ids(&mut self, key: &str) -> Result<Vec<u32>, ModelError> {
        let Some(value) = self.take(key) else { return Ok(vec![]) };
        let ids = match &value {
            Value::Array(ids) => ids.clone(),
            id => vec![id.clone()],
        };
        ids.iter()
            .filter(|id| **id != -1)
            .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
            .collect::<Option<_>>()
            .ok_or_else(|| self.wrong(key, &value, "a token id or a list of them"))
    }

    /// The object under a key.
    pub(super) fn object(&mut self, key: &'static str, prefix: &'static str) -> Result<Option<Fields<'a>>, ModelError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Object(left)) => Ok(Some(Fields { path: self.path, prefix, left })),
            Some(value) => Err(self.wrong(key, &value, "an object")),
        }
    }

    /// Refuses the remaining keys, except those that are inert or switched off (`null`, `false`, empty).
    pub(super) fn finish(self, inert: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        self.finish_with(inert, "use another model, or remove the key if it does not change the arithmetic")
    }

    /// [`finish`](Self::finish) with advice of its own.
    pub(super) fn finish_with(self, inert: impl Fn(&str) -> bool, advice: &str) -> Result<(), ModelError> {
        let off = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            _ => false,
        };
        if let Some(value) = self.left.get(CAUSAL).filter(|value| !value.is_null() && **value != true) {
            return Err(self.wrong(CAUSAL, value, "true: this decoder sees no later tokens; use another model"));
        }
        match self.left.iter().find(|(key, value)| !off(value) && !inert(key) && *key != CAUSAL) {
            None => Ok(()),
            Some((key, value)) => Err(self.error(format!(
                "{}{} = {value} is not supported by this decoder; {advice}",
                self.prefix,
                key.escape_debug(),
            ))),
        }
    }
}

pub(super) fn config_error(path: &Path, message: String) -> ModelError {
    ModelError::Config { path: path.to_owned(), message }
}
