//! `'%02d' % n`: Python's formatting operator, which minijinja has as the filter `format` only.
//!
//! A string literal before the operator is rewritten to the filter. Between other values `%` stays the remainder.

/// The source with the operator after string literals rewritten.
pub(crate) fn accept(source: &str) -> String {
    let mut accepted = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        accepted.push_str(before);
        let verbatim = match from.as_bytes().get(1) {
            Some(b'#') => Some(from.find("#}").map_or(from.len(), |end| end + 2)),
            Some(b'%') if is_raw(from) => Some(from.find("endraw").unwrap_or(from.len())),
            Some(b'%' | b'{') => None,
            _ => Some(1),
        };
        let length = match verbatim {
            Some(length) => {
                accepted.push_str(&from[..length]);
                length
            }
            None => tag(from, if from.starts_with("{{") { "}}" } else { "%}" }, &mut accepted),
        };
        rest = &from[length..];
    }
    accepted.push_str(rest);
    accepted
}

fn is_raw(tag: &str) -> bool {
    tag[2..].trim_start_matches(['-', '+']).trim_start().starts_with("raw")
}

/// Writes the tag at the start of `from`, up to `close`; how long it is in the source.
fn tag(from: &str, close: &str, accepted: &mut String) -> usize {
    let bytes = from.as_bytes();
    // Where the literal that was read last begins in `accepted`, if nothing but white space follows it.
    let mut literal = None;
    accepted.push_str(&from[..2]);
    let mut at = 2;
    while at < bytes.len() {
        if from[at..].starts_with(close) {
            accepted.push_str(close);
            return at + close.len();
        }
        match bytes[at] {
            b'\'' | b'"' => {
                literal = Some(accepted.len());
                let end = string_end(from, at);
                accepted.push_str(&from[at..end]);
                at = end;
            }
            b'%' if literal.is_some() && bytes.get(at + 1) != Some(&b'}') => {
                if let Some(operand) = operand(from, at + 1) {
                    accepted.truncate(accepted.trim_end().len());
                    let several = from[operand.clone()].starts_with('(') && operand_is_group(from, &operand);
                    let (open, end) = if several { ("|format", "") } else { ("|format(", ")") };
                    let inner = accept_inner(&from[operand.clone()]);
                    accepted.extend([open, &inner, end]);
                    at = operand.end;
                    literal = None;
                } else {
                    accepted.push('%');
                    at += 1;
                }
            }
            byte => {
                let length = from[at..].chars().next().map_or(1, char::len_utf8);
                accepted.push_str(&from[at..at + length]);
                at += length;
                if !byte.is_ascii_whitespace() {
                    literal = None;
                }
            }
        }
    }
    at
}

/// The operand, which may itself have the operator in it.
fn accept_inner(operand: &str) -> String {
    let mut inner = String::new();
    // A tag without an end: everything is read.
    let wrapped = format!("{{{{{operand}");
    tag(&wrapped, "\0", &mut inner);
    inner[2..].to_owned()
}

/// Whether the operand is one group in parentheses and nothing else.
fn operand_is_group(text: &str, operand: &std::ops::Range<usize>) -> bool {
    group_end(text, operand.start) == operand.end
}

/// The range of a value with its attributes, items, calls and filters.
fn operand(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let skip = |at: usize| at + text[at..].len() - text[at..].trim_start().len();
    let start = skip(from);
    let bytes = text.as_bytes();
    let name_end =
        |at: usize| at + text[at..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len() - at);
    let mut end = match bytes.get(start)? {
        b'(' | b'[' | b'{' => group_end(text, start),
        b'\'' | b'"' => string_end(text, start),
        b'-' | b'+' => name_end(start + 1),
        byte if byte.is_ascii_alphanumeric() || *byte == b'_' => name_end(start),
        _ => return None,
    };
    loop {
        match bytes.get(end) {
            Some(b'(' | b'[') => end = group_end(text, end),
            Some(b'.') => end = name_end(end + 1),
            _ => {
                let bar = skip(end);
                if bytes.get(bar) != Some(&b'|') {
                    return Some(start..end);
                }
                end = name_end(skip(bar + 1));
            }
        }
    }
}

/// The index after the string literal at `at`.
pub(super) fn string_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != bytes[at] {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    let end = (end + 1).min(text.len());
    (end..=text.len()).find(|&end| text.is_char_boundary(end)).unwrap_or(text.len())
}

/// The index after the bracket that closes the one at `at`.
fn group_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut end) = (0_usize, at);
    while end < bytes.len() {
        match bytes[end] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'\'' | b'"' => {
                end = string_end(text, end);
                continue;
            }
            _ => {}
        }
        end += 1;
        if depth == 0 {
            return end;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_behind_a_literal_becomes_a_filter() {
        let check = |source: &str, expected: &str| assert_eq!(accept(source), expected, "{source}");
        check("{{ '%02d' % n }}", "{{ '%02d'|format(n) }}");
        check("{{ '%s-%s' % (a, b.c) ~ 'x' }}", "{{ '%s-%s'|format(a, b.c) ~ 'x' }}");
        check("{% set x = \"%s\" % m['a'][0].f(1)|upper %}", "{% set x = \"%s\"|format(m['a'][0].f(1)|upper) %}");
        check("{{ '%s' % ('%d' % 3) }}", "{{ '%s'|format('%d'|format(3)) }}");
    }

    #[test]
    fn everything_else_stays() {
        for source in [
            "{{ 7 % 3 }}{{ loop.index0 % 2 }}",
            "{% if 'a' %}%{% endif %} 50% {# '%s' % x #}",
            "{% raw %}{{ '%s' % x }}{% endraw %}",
            "{{ {'a': 1}['a'] % 2 }} { % }",
            "{{ 'ü' }} % 'unterminated {{ 'x",
        ] {
            assert_eq!(accept(source), source);
        }
    }
}
