//! Bounds on templates, which may be untrusted: the work of a rendering, the size of its output, and the depth of its
//! values.
//!
//! minijinja's fuel bounds work and memory, but not the nesting of values: a list that is put into itself again and
//! again, or a namespace that holds itself, would overflow the stack when it is printed or dropped. So every value that
//! `{% set %}` stores goes through a filter, which refuses such values.
//!
//! Likewise, a filter makes a loop over `none` an error, as in Python; minijinja treats it as an empty list.

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use serde_json::{Map, Value as Json};

use super::source::{Part, parts};

/// The longest template, in bytes: ten times the longest that are in use.
pub(crate) const LONGEST_TEMPLATE: usize = 1 << 20;
/// The longest tag or expression, in bytes: six times the longest that are in use.
const LONGEST_TAG: usize = 1 << 14;
/// Most `elif` of a template.
const MOST_BRANCHES: usize = 500;
/// Stack of the thread that compiles a template: 4 KiB for each byte of the longest tag.
pub(crate) const COMPILER_STACK: usize = LONGEST_TAG << 12;
/// Fuel of a rendering: one for an instruction or for 64 bytes. It bounds memory to about 256 MB.
const FUEL: u64 = 4_000_000;
/// A conversation longer than this gets more fuel, in proportion to its bytes.
const LONG: usize = 1 << 18;
const FUEL_A_BYTE: u64 = 16;
/// Deepest nesting of a value.
const DEEPEST: usize = 64;
/// Most values in a value.
const MOST_VALUES: usize = 1_000_000;

/// Filter for values stored in a variable or in an attribute of a namespace.
const KEPT: &str = "__fireclay_kept";
const KEPT_IN_NAMESPACE: &str = "__fireclay_kept_in_namespace";
/// Filter for values that a loop iterates over.
const LOOPED: &str = "__fireclay_looped";

pub(crate) fn add_to(environment: &mut Environment) {
    environment.add_filter(KEPT, |value: Value| bounded(value, false));
    environment.add_filter(KEPT_IN_NAMESPACE, |value: Value| bounded(value, true));
    environment.add_filter(LOOPED, |value: Value| match value.is_none() {
        true => Err(Error::new(ErrorKind::InvalidOperation, "'none' is not iterable")),
        false => Ok(value),
    });
    environment.set_fuel(Some(FUEL));
}

/// The fuel for a context that is long; `None` for others.
pub(crate) fn larger_fuel(context: &Map<String, Json>) -> Option<u64> {
    let bytes: usize = context.iter().map(|(key, value)| key.len() + size(value)).sum();
    (bytes > LONG).then_some(FUEL_A_BYTE * bytes as u64)
}

/// Approximate size of a value as JSON, in bytes.
fn size(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len() + 2,
        Json::Array(items) => items.iter().map(size).sum::<usize>() + 2,
        Json::Object(entries) => entries.iter().map(|(key, value)| key.len() + 4 + size(value)).sum::<usize>() + 2,
        _ => 5,
    }
}

fn bounded(value: Value, in_namespace: bool) -> Result<Value, Error> {
    let refuse = |what: &str| Err(Error::new(ErrorKind::InvalidOperation, what.to_owned()));
    // A slice is made of the value it is cut from each time it is read: a list does not grow so.
    let value = match value.kind() {
        ValueKind::Iterable => value.try_iter()?.take(MOST_VALUES + 1).collect(),
        _ => value,
    };
    let mut waiting = vec![(value.clone(), 0)];
    let mut count = 0;
    while let Some((value, depth)) = waiting.pop() {
        count += 1;
        if depth > DEEPEST {
            return refuse("a value is nested too deep");
        }
        if count > MOST_VALUES {
            return refuse("a value holds too many others");
        }
        if is_namespace(&value) {
            if in_namespace {
                return refuse("a namespace cannot hold a namespace");
            }
            continue;
        }
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                waiting.extend(value.try_iter()?.take(MOST_VALUES).map(|item| (item, depth + 1)));
            }
            ValueKind::Map => {
                for key in value.try_iter()? {
                    waiting.push((value.get_item(&key)?, depth + 1));
                }
            }
            _ => {}
        }
    }
    Ok(value)
}

fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"))
}

/// The source with filters added to the values of each `{% set … = … %}` and of each `{% for … in name %}`.
pub(crate) fn accept(source: &str) -> String {
    let rewritten = |part: Part| match part {
        Part::Tag(tag) => set_tag(tag).or_else(|| for_tag(tag)).unwrap_or_else(|| tag.to_owned()),
        part => part.source().to_owned(),
    };
    parts(source).into_iter().map(rewritten).collect()
}

/// Refuses tags and expressions that are nested too deep for the recursive compiler, whose stack has room for one level
/// per byte of the longest.
///
/// # Errors
/// The part that is too long, and the line in which it begins.
pub(crate) fn check(source: &str) -> Result<(), (usize, String)> {
    let (mut line, mut branches) = (1, 0);
    for part in parts(source) {
        if let Part::Tag(inner) | Part::Expression(inner) = part {
            if inner.len() > LONGEST_TAG {
                return Err((line, format!("a tag has {} bytes, more than the limit of {LONGEST_TAG}", inner.len())));
            }
            branches += usize::from(inside(inner).is_some_and(|(_, inner, _)| inner.trim_start().starts_with("elif")));
            if branches > MOST_BRANCHES {
                return Err((line, format!("it has more than {MOST_BRANCHES} `elif`")));
            }
        }
        line += part.source().matches('\n').count();
    }
    Ok(())
}

/// The content of a tag, between its signs for white space.
fn inside(tag: &str) -> Option<(&str, &str, &str)> {
    let inner = tag.strip_prefix("{%")?.strip_suffix("%}")?;
    let (left, inner) = inner.split_at(usize::from(inner.starts_with(['-', '+'])));
    let (inner, right) = inner.split_at(inner.len() - usize::from(inner.ends_with(['-', '+'])));
    Some((left, inner, right))
}

/// The tag with the filter, if it is a loop through a variable or a field of one.
fn for_tag(tag: &str) -> Option<String> {
    let (left, inner, right) = inside(tag)?;
    let (targets, from) = inner.trim_start().strip_prefix("for ")?.split_once(" in ")?;
    let from = from.trim_start();
    let end = from.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(from.len());
    let (name, rest) = from.split_at(end);
    let next = rest.trim_start();
    let goes_on = rest.len() > next.len() && (next.starts_with("if ") || next.starts_with("recursive"));
    let alone = next.is_empty() || goes_on;
    let named = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    (alone && named).then(|| format!("{{%{left} for {targets} in {name}|{LOOPED}{rest} {right}%}}"))
}

/// The tag with the filter, if it sets something to a value.
fn set_tag(tag: &str) -> Option<String> {
    let (left, inner, right) = inside(tag)?;
    let assignment = inner.trim_start().strip_prefix("set")?;
    if !assignment.starts_with(char::is_whitespace) {
        return None;
    }
    let (target, value) = assignment.split_once('=')?;
    // A filter on a block, `{% set x | upper %}`, may have an argument by name.
    if target.contains(['|', '(']) || value.starts_with('=') {
        return None;
    }
    let filter = if target.contains('.') { KEPT_IN_NAMESPACE } else { KEPT };
    Some(format!("{{%{left} set{target}= ({value})|{filter} {right}%}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_goes_through_the_filter() {
        let check = |source: &str, expected: &str| {
            let expected = expected.replace("NS", KEPT_IN_NAMESPACE).replace("KEPT", KEPT).replace("LOOPED", LOOPED);
            assert_eq!(accept(source), expected, "{source}");
        };
        check("{%- set x = a == 1 -%}", "{%- set x = ( a == 1 )|KEPT -%}");
        check("{% set ns.x = '%}' %}b", "{% set ns.x = ( '%}' )|NS %}b");
        check("{%- for t in tools -%}", "{%- for t in tools|LOOPED  -%}");
        check("{% for k, v in a.b if k %}", "{% for k, v in a.b|LOOPED if k  %}");
        check(
            "{% for i in range(3) %}{% for m in ms[1:] %}{% for m in ms|list %}",
            "{% for i in range(3) %}{% for m in ms[1:] %}{% for m in ms|list %}",
        );
        check("{% set x %}=1{% endset %}{% settle x = 1 %}", "{% set x %}=1{% endset %}{% settle x = 1 %}");
    }
}
