//! Methods and tests of Python's values that templates rely on.

use minijinja::value::{Tuple, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, escape_formatter};

use super::json::float_repr;

pub(crate) fn add_to(environment: &mut Environment) {
    environment.set_unknown_method_callback(method);
    environment.set_formatter(print);
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map)
    });
    environment.add_test("iterable", |value: &Value| {
        matches!(value.kind(), ValueKind::String | ValueKind::Undefined) || value.try_iter().is_ok()
    });
}

fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match f64::try_from(value.clone()) {
        Ok(float) if value.is_number() && !value.is_integer() => out
            .write_str(&float_repr(float))
            .map_err(|error| Error::new(ErrorKind::WriteFailure, "cannot write a number").with_source(error)),
        _ => escape_formatter(out, state, value),
    }
}

/// Those of minijinja-contrib, and a few that strings have beyond them.
fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let (Some(text), [argument, more @ ..]) = (value.as_str(), args)
        && let Some(pattern) = argument.as_str()
        && let Some(result) = string_method(text, name, pattern, more)
    {
        return Ok(result);
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}

fn string_method(text: &str, name: &str, pattern: &str, more: &[Value]) -> Option<Value> {
    Some(match name {
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
        _ => return None,
    })
}

fn tuple(texts: [&str; 3]) -> Value {
    Tuple::from(texts.map(Value::from)).into()
}

fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    texts.into_iter().map(Value::from).collect()
}
