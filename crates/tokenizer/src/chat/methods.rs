//! Methods and tests of Python's values that templates rely on.

use minijinja::value::{Tuple, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, escape_formatter};

use super::json::float_repr;
use super::python::{self, Pad, padded, url_encode, word_count};

pub(crate) fn add_to(environment: &mut Environment) {
    environment.set_unknown_method_callback(method);
    environment.set_formatter(print);
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map)
    });
    environment.add_test("iterable", |value: &Value| {
        // minijinja iterates over none as over nothing; Python does not.
        matches!(value.kind(), ValueKind::String | ValueKind::Undefined) || !value.is_none() && value.try_iter().is_ok()
    });
    environment.add_filter("wordcount", word_count);
    environment
        .add_filter("center", |text: String, width: Option<usize>| padded(&text, width.unwrap_or(80), ' ', Pad::Both));
    environment.add_filter("urlencode", url_encode);
}

fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match f64::try_from(value.clone()) {
        Ok(float) if value.is_number() && !value.is_integer() => out
            .write_str(&float_repr(float))
            .map_err(|error| Error::new(ErrorKind::WriteFailure, "cannot write a number").with_source(error)),
        _ => escape_formatter(out, state, value),
    }
}

/// The methods of minijinja-contrib, and a few that strings and lists have beyond them.
fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        if name == "format" && python::has_wide_field(text) {
            return Err(python::value_error("a field is too wide"));
        }
        if let [argument, more @ ..] = args
            && let Some(pattern) = argument.as_str()
            && let Some(result) = string_method(text, name, pattern, more)
        {
            return result;
        }
        if let Some(result) = python::string_method(text, name, args) {
            return result;
        }
    }
    if let (ValueKind::Seq, "index", [wanted]) = (value.kind(), name, args) {
        let at = value.try_iter()?.position(|item| item == *wanted);
        return at.map(Value::from).ok_or_else(|| python::value_error("the list does not have the value"));
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}

fn string_method(text: &str, name: &str, pattern: &str, more: &[Value]) -> Option<Result<Value, Error>> {
    Some(Ok(match name {
        "removeprefix" => text.strip_prefix(pattern).unwrap_or(text).into(),
        "removesuffix" => text.strip_suffix(pattern).unwrap_or(text).into(),
        "partition" => match text.split_once(pattern) {
            Some((before, after)) => tuple([before, pattern, after]),
            None => tuple([text, "", ""]),
        },
        "rpartition" => match text.rsplit_once(pattern) {
            Some((before, after)) => tuple([before, pattern, after]),
            None => tuple(["", "", text]),
        },
        "rsplit" => {
            let splits = more.first().and_then(|limit| usize::try_from(limit.clone()).ok());
            let parts = splits.map_or(usize::MAX, |splits| splits.saturating_add(1));
            let mut parts: Vec<&str> = text.rsplitn(parts, pattern).collect();
            parts.reverse();
            list(parts)
        }
        "index" | "rindex" => {
            let at = if name == "index" { text.find(pattern) } else { text.rfind(pattern) };
            match at {
                Some(at) => text[..at].chars().count().into(),
                None => return Some(Err(python::value_error("substring not found"))),
            }
        }
        _ => return None,
    }))
}

fn tuple(texts: [&str; 3]) -> Value {
    Tuple::from(texts.map(Value::from)).into()
}

fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    texts.into_iter().map(Value::from).collect()
}
