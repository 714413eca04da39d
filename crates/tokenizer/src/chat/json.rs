//! `tojson` as templates written for Python expect it.

use std::fmt::Write;

use minijinja::value::{Kwargs, Value};
use minijinja::{Error, ErrorKind};
use serde_json::Value as Json;

/// Most spaces of a level of `indent`.
const DEEPEST_INDENT: usize = 64;

/// `apply_chat_template`'s own `tojson`: Python's `json.dumps`, HTML left alone.
#[expect(clippy::needless_pass_by_value, reason = "filters take their arguments by value")]
pub(crate) fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::InvalidOperation, "an undefined value has no JSON form"));
    }
    let json = serde_json::to_value(value)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, "the value has no JSON form").with_source(error))?;
    let indent: Option<usize> = options.get("indent")?;
    if indent.is_some_and(|indent| indent > DEEPEST_INDENT) {
        let why = format!("tojson: an indent of more than {DEEPEST_INDENT}");
        return Err(Error::new(ErrorKind::InvalidOperation, why));
    }
    let separators: Option<(String, String)> = match options.get::<Option<Value>>("separators")? {
        Some(pair) if !pair.is_none() => {
            Some((pair.get_item_by_index(0)?.to_string(), pair.get_item_by_index(1)?.to_string()))
        }
        _ => None,
    };
    let comma = if indent.is_some() { "," } else { ", " };
    let (comma, colon) = separators.unwrap_or((comma.to_owned(), ": ".to_owned()));
    let format = JsonFormat {
        ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        sort: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        indent,
        comma,
        colon,
    };
    options.assert_all_used()?;
    let mut text = String::new();
    format.write(&mut text, &json, 1);
    Ok(text)
}

/// A value as Python's `json.dumps` writes it, without escapes for what is not ASCII.
pub(super) fn dumps(value: &Json) -> String {
    let format = JsonFormat { ascii: false, sort: false, indent: None, comma: ", ".into(), colon: ": ".into() };
    let mut text = String::new();
    format.write(&mut text, value, 1);
    text
}

struct JsonFormat {
    ascii: bool,
    sort: bool,
    indent: Option<usize>,
    comma: String,
    colon: String,
}

impl JsonFormat {
    fn write(&self, out: &mut String, value: &Json, depth: usize) {
        match value {
            Json::Null => out.push_str("null"),
            Json::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Json::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => out.push_str(&float_repr(float)),
                _ => out.push_str(&number.to_string()),
            },
            Json::String(text) => self.write_string(out, text),
            Json::Array(items) => {
                self.write_items(out, ['[', ']'], depth, items.iter(), |out, item| {
                    self.write(out, item, depth + 1);
                });
            }
            Json::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                if self.sort {
                    entries.sort_by(|a, b| a.0.cmp(b.0));
                }
                self.write_items(out, ['{', '}'], depth, entries.into_iter(), |out, (key, value)| {
                    self.write_string(out, key);
                    out.push_str(&self.colon);
                    self.write(out, value, depth + 1);
                });
            }
        }
    }

    fn write_items<T>(
        &self,
        out: &mut String,
        [open, close]: [char; 2],
        depth: usize,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut String, T),
    ) {
        let empty = items.len() == 0;
        out.push(open);
        for (index, item) in items.enumerate() {
            if index > 0 {
                out.push_str(&self.comma);
            }
            self.new_line(out, depth);
            write(out, item);
        }
        if !empty {
            self.new_line(out, depth - 1);
        }
        out.push(close);
    }

    fn new_line(&self, out: &mut String, depth: usize) {
        if let Some(indent) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    fn write_string(&self, out: &mut String, text: &str) {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => push_escape(out, u32::from(character)),
                _ if self.ascii && !(' '..='~').contains(&character) => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        push_escape(out, u32::from(*unit));
                    }
                }
                _ => out.push(character),
            }
        }
        out.push('"');
    }
}

fn push_escape(out: &mut String, code: u32) {
    write!(out, "\\u{code:04x}").expect("a string can be written to");
}

/// Python's `repr` of a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 up.
pub(crate) fn float_repr(float: f64) -> String {
    if !float.is_finite() {
        return float.to_string().to_lowercase();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&power) || float == 0.0 {
        let plain = float.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_python() {
        for (float, repr) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (1e15, "1000000000000000.0"),
        ] {
            assert_eq!(float_repr(float), repr);
        }
    }
}
