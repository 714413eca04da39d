//! The parts of a template's source, which is rewritten before it is compiled.

use super::percent::string_end;

/// A piece of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// `{% … %}`, also one that is not closed.
    Tag(&'a str),
    /// `{{ … }}`
    Expression(&'a str),
    /// Text, comments, and the source between `raw` and `endraw`, these tags included.
    Other(&'a str),
}

impl<'a> Part<'a> {
    /// As it stands in the source.
    pub(super) fn source(self) -> &'a str {
        match self {
            Self::Tag(source) | Self::Expression(source) | Self::Other(source) => source,
        }
    }
}

/// The parts in their order; together they are the source.
pub(super) fn parts(mut source: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    while let Some(open) = next_open(source) {
        let (text, from) = source.split_at(open);
        if !text.is_empty() {
            parts.push(Part::Other(text));
        }
        let (part, length) = match &from[..2] {
            "{#" => {
                let length = from[2..].find("#}").map_or(from.len(), |end| end + 4);
                (Part::Other(&from[..length]), length)
            }
            "{{" => {
                let length = expression_end(from);
                (Part::Expression(&from[..length]), length)
            }
            _ => {
                let length = tag_end(from);
                match raw_end(from, length) {
                    Some(end) => (Part::Other(&from[..end]), end),
                    None => (Part::Tag(&from[..length]), length),
                }
            }
        };
        parts.push(part);
        source = &from[length..];
    }
    if !source.is_empty() {
        parts.push(Part::Other(source));
    }
    parts
}

/// Where the next tag, expression or comment begins.
fn next_open(source: &str) -> Option<usize> {
    source.as_bytes().windows(2).position(|two| two[0] == b'{' && matches!(two[1], b'%' | b'{' | b'#'))
}

/// The index after the tag at the start of `from`.
fn tag_end(from: &str) -> usize {
    let bytes = from.as_bytes();
    let mut at = 2;
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => at = string_end(from, at),
            b'%' if bytes.get(at + 1) == Some(&b'}') => return at + 2,
            _ => at += 1,
        }
    }
    from.len()
}

/// The index after the expression at the start of `from`, which may contain dicts.
fn expression_end(from: &str) -> usize {
    let bytes = from.as_bytes();
    let (mut at, mut depth) = (2, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => {
                at = string_end(from, at);
                continue;
            }
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return at + 2,
            _ => {}
        }
        at += 1;
    }
    from.len()
}

/// The index after the `endraw` of the tag at the start of `from`, if that is `raw`. Each byte is read a few times at
/// most, for any source.
fn raw_end(from: &str, length: usize) -> Option<usize> {
    fn name(tag: &str) -> &str {
        let inside = tag.strip_prefix("{%").unwrap_or(tag);
        let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside).trim_start();
        inside.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
    }
    if name(&from[..length]) != "raw" {
        return None;
    }
    let mut tags = from[length..].match_indices("{%").map(|(at, _)| length + at);
    let start = tags.find(|&start| name(&from[start..]) == "endraw");
    Some(start.map_or(from.len(), |start| from[start..].find("%}").map_or(from.len(), |end| start + end + 2)))
}

#[cfg(test)]
mod tests {
    use super::Part::{Expression, Other, Tag};
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let check = |source: &str, expected: &[Part]| {
            let found = parts(source);
            assert_eq!(found, expected, "{source}");
            assert_eq!(found.iter().map(|part| part.source()).collect::<String>(), source);
        };
        check(
            "a{% if x %}b{# {% set y = 1 %} #}",
            &[Other("a"), Tag("{% if x %}"), Other("b"), Other("{# {% set y = 1 %} #}")],
        );
        check(
            "{{ '{% set x = 1 %}}}' }}{{ {'a': {'b': 1}} }}c",
            &[Expression("{{ '{% set x = 1 %}}}' }}"), Expression("{{ {'a': {'b': 1}} }}"), Other("c")],
        );
        check(
            "{%- raw %}{% generation %}{{{%- endraw -%}{% set x = '%}' %}",
            &[Other("{%- raw %}{% generation %}{{{%- endraw -%}"), Tag("{% set x = '%}' %}")],
        );
        check("{% raw %}{", &[Other("{% raw %}{")]);
        check("{{ a", &[Expression("{{ a")]);
        check("{", &[Other("{")]);
    }
}
