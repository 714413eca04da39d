//! JSON as values that lose nothing: keys that stand twice are errors, and whole numbers of more than 64 bits stay as
//! they are written where they are arguments of calls.

use std::fmt;

use fireclay_tokenizer::unheld_integer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Names of a call's arguments.
const ARGUMENTS: [&str; 4] = ["arguments", "parameters", "args", "input"];
/// Keys of functions, of which `parameters` are a schema.
const FUNCTIONS: [&str; 2] = ["tools", "functions"];

/// A value, and the first whole number in it that had to be rounded.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub value: Value,
    pub rounded: Option<String>,
}

/// Parses JSON. Arguments of a call with a number that a value cannot hold become a string, as `OpenAI` writes them.
///
/// # Errors
/// When the text is not JSON, or an object has a key twice.
pub(crate) fn parse(text: &str) -> serde_json::Result<Parsed> {
    let Strict(value) = serde_json::from_str(text)?;
    let mut rounded = None;
    let value = if unheld_integer(text).is_some() { kept(text.trim(), true, &mut rounded)? } else { value };
    Ok(Parsed { value, rounded })
}

/// The entries of an object in order, as they are written.
///
/// # Errors
/// When the text is not an object, or it has a key twice.
pub(crate) fn entries(text: &str) -> serde_json::Result<Vec<(String, &RawValue)>> {
    serde_json::from_str(text).map(|Entries(entries)| entries)
}

/// The value of a text with numbers that a value cannot hold.
fn kept(text: &str, may_call: bool, rounded: &mut Option<String>) -> serde_json::Result<Value> {
    if text.starts_with('{') {
        let entries = entries(text)?;
        let is_call = may_call && entries.iter().any(|(key, _)| key == "name");
        let mut object = Map::new();
        for (key, raw) in entries {
            let raw = raw.get();
            let is_arguments = is_call && ARGUMENTS.contains(&key.as_str()) && raw.starts_with('{');
            let value = if is_arguments && unheld_integer(raw).is_some() {
                raw.into()
            } else {
                kept(raw, may_call && !FUNCTIONS.contains(&key.as_str()), rounded)?
            };
            object.insert(key, value);
        }
        return Ok(object.into());
    }
    if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text)?;
        return items.into_iter().map(|raw| kept(raw.get(), may_call, rounded)).collect();
    }
    match unheld_integer(text) {
        // As in Python.
        Some("-0") => return Ok(0.into()),
        Some(number) => {
            rounded.get_or_insert_with(|| number.to_owned());
        }
        None => {}
    }
    serde_json::from_str(text)
}

/// A value without keys that stand twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = vec![];
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(twice(&key));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

/// The entries of an object without keys that stand twice.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut entries, mut keys) = (vec![], std::collections::HashSet::new());
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if !keys.insert(key.clone()) {
                        return Err(twice(&key));
                    }
                    entries.push((key, value));
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(EntriesVisitor).map(Self)
    }
}

fn twice<E: Error>(key: &str) -> E {
    E::custom(format!("the key `{}` twice", key.escape_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, value: &Value, rounded: Option<&str>) {
        let parsed = parse(text).unwrap();
        assert_eq!((&parsed.value, parsed.rounded.as_deref()), (value, rounded), "{text}");
    }

    #[test]
    fn values_are_those_of_json() {
        let text = r#" {"a": [null, true, -3, 18446744073709551615, 1.5e3, "\u00e9\n\"-0\""], "b": {"c": {}}} "#;
        check(text, &serde_json::from_str(text).unwrap(), None);
        assert!(parse("[1, 2").is_err() && parse("").is_err() && parse("1 2").is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "c": 2, "a": 3}}]"#] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.starts_with("the key `a` twice"), "{message}");
        }
        assert!(entries(r#"{"a": 1, "a": 1}"#).unwrap_err().to_string().starts_with("the key `a` twice"));
    }

    #[test]
    fn whole_numbers_of_more_than_64_bits_are_kept_in_arguments_and_reported_elsewhere() {
        let (big, rounded) = ("79228162514264337593543950336", 79_228_162_514_264_337_593_543_950_336.0);
        let call = |key: &str| format!(r#"{{"name": "t", "{key}": {{"x": {big}, "y": -0, "z": 1.10}}}}"#);
        for key in ARGUMENTS {
            let arguments = format!(r#"{{"x": {big}, "y": -0, "z": 1.10}}"#);
            check(&call(key), &json!({"name": "t", key: arguments}), None);
        }
        check(&format!(r#"{{"id": {big}, "a": "{big}"}}"#), &json!({"id": rounded, "a": big}), Some(big));
        check(r#"{"a": -0, "b": -0.0}"#, &json!({"a": 0, "b": -0.0}), None);
        // The parameters of a tool are a schema.
        let schema = json!({"tools": [{"name": "t", "parameters": {"x": rounded, "y": 0, "z": 1.1}}]});
        check(&format!(r#"{{"tools": [{}]}}"#, call("parameters")), &schema, Some(big));
    }
}
