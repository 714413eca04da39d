//! Methods and tests of Python's values that templates rely on.

use minijinja::value::{Kwargs, Tuple, Value, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, Output, State, escape_formatter};

use super::json::float_repr;
use super::python::{self, Pad, indent, padded, url_encode, word_count};

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
    environment.add_filter("indent", indent);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_function("dict", dict);
}

/// Jinja's `default`, whose `boolean` may be named.
#[expect(clippy::needless_pass_by_value, reason = "filters and functions take their arguments by value")]
fn default(value: Value, other: Option<Value>, boolean: Option<bool>, named: Kwargs) -> Result<Value, Error> {
    let other = other.map_or_else(|| named.get::<Option<Value>>("default_value"), |other| Ok(Some(other)))?;
    let boolean = boolean.map_or_else(|| named.get::<Option<bool>>("boolean"), |boolean| Ok(Some(boolean)))?;
    named.assert_all_used()?;
    let is_missing = value.is_undefined() || (boolean == Some(true) && !value.is_true());
    Ok(if is_missing { other.unwrap_or_else(|| "".into()) } else { value })
}

/// Python's `dict`, of a dictionary or of pairs whose first item is a text, and of named values.
fn dict(of: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let Some(pairs) = of.as_ref().filter(|of| matches!(of.kind(), ValueKind::Seq | ValueKind::Iterable)) else {
        return minijinja::functions::dict(of, named);
    };
    let mut entries: Vec<(String, Value)> = vec![];
    for pair in pairs.try_iter()? {
        let items: Vec<Value> = pair.try_iter()?.collect();
        match items.as_slice() {
            [key, value] if key.as_str().is_some() => entries.push((key.to_string(), value.clone())),
            _ => return Err(python::value_error("dict: expected pairs of a text and a value")),
        }
    }
    for name in named.args() {
        entries.push((name.into(), named.peek(name)?));
    }
    minijinja::functions::dict(None, entries.into_iter().collect())
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
    if let (ValueKind::Seq | ValueKind::Map, "copy", []) = (value.kind(), name, args) {
        return Ok(value.clone());
    }
    let positional = by_position(name, args)?;
    let args = positional.as_deref().unwrap_or(args);
    if let Some(text) = value.as_str() {
        if name == "splitlines" {
            let (keeps_ends,): (Option<bool>,) = from_args(args)?;
            return Ok(list(python::split_lines(text, keeps_ends == Some(true))));
        }
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

/// Arguments of `split`, `rsplit` and `splitlines` that have names, in their places; `None` where none has.
fn by_position(name: &str, args: &[Value]) -> Result<Option<Vec<Value>>, Error> {
    let names: &[&str] = match name {
        "split" | "rsplit" => &["sep", "maxsplit"],
        "splitlines" => &["keepends"],
        _ => return Ok(None),
    };
    let Some((last, given)) = args.split_last().filter(|(last, _)| last.is_kwargs()) else { return Ok(None) };
    let named = Kwargs::try_from(last.clone())?;
    let mut all = given.to_vec();
    for name in names.iter().skip(given.len()) {
        all.push(named.get::<Option<Value>>(name)?.unwrap_or_else(|| ().into()));
    }
    named.assert_all_used()?;
    while all.last().is_some_and(Value::is_none) {
        all.pop();
    }
    Ok(Some(all))
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
