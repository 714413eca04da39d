//! What Python's `json` writes and JSON does not have: `NaN`, `Infinity`, and halves of characters.

/// A text without them.
pub(crate) struct Repaired {
    pub text: String,
    /// Whether `NaN`, `Infinity` or `-Infinity` became null.
    pub numbers: bool,
    /// Whether half of a character became U+FFFD.
    pub halves: bool,
}

/// The text without them; `None` if it has none.
pub(crate) fn repaired(text: &str) -> Option<Repaired> {
    repair(text, true)
}

/// The text without `NaN`, `Infinity` and `-Infinity`; `None` if it has none.
pub(crate) fn with_numbers_repaired(text: &str) -> Option<String> {
    repair(text, false).map(|repaired| repaired.text)
}

fn repair(text: &str, halves: bool) -> Option<Repaired> {
    let mut repaired = Repaired { text: String::with_capacity(text.len()), numbers: false, halves: false };
    let (mut rest, mut in_string) = (text, false);
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if in_string && first == '\\' {
            length = escape_length(rest);
            if halves && length == 6 && half(rest).is_some() {
                repaired.halves = true;
                repaired.text.push_str("\\ufffd");
                rest = &rest[length..];
                continue;
            }
        } else if first == '"' {
            in_string = !in_string;
        } else if !in_string && let Some(number) = NUMBERS.iter().find(|number| rest.starts_with(**number)) {
            repaired.numbers = true;
            repaired.text.push_str("null");
            rest = &rest[number.len()..];
            continue;
        }
        repaired.text.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    (repaired.numbers || repaired.halves).then_some(repaired)
}

const NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Bytes of the escape at the start of a text; two escapes that are one character count as one.
fn escape_length(text: &str) -> usize {
    match half(text) {
        Some(0xD800..=0xDBFF) if matches!(half(&text[6..]), Some(0xDC00..=0xDFFF)) => 12,
        Some(_) => 6,
        None => 1 + text[1..].chars().next().map_or(0, char::len_utf8),
    }
}

/// The half of a character that a text begins with, as an escape.
fn half(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xD800..0xE000).contains(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, bool, bool)>) {
        let found = repaired(text);
        assert_eq!(found.as_ref().map(|found| (found.text.as_str(), found.numbers, found.halves)), expected, "{text}");
    }

    #[test]
    fn what_python_writes_becomes_json() {
        check(
            r#"{"a": NaN, "b": [-Infinity, Infinity, 1]}"#,
            Some((r#"{"a": null, "b": [null, null, 1]}"#, true, false)),
        );
        check(r#"{"a": "\ud83d x \uDE00", "é": NaN}"#, Some((r#"{"a": "\ufffd x \ufffd", "é": null}"#, true, true)));
        check(r#"{"a": "NaN \" Infinity \\", "b": "\ud83d\ude00 \u00e9 \\ud83d \é"}"#, None);
        assert_eq!(with_numbers_repaired(r#"["\ud83d", NaN]"#).as_deref(), Some(r#"["\ud83d", null]"#));
        assert_eq!(with_numbers_repaired(r#"["\ud83d"]"#), None);
        check(r#""\ud83"#, None);
        check("", None);
    }
}
