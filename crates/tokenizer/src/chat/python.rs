//! String methods of Python and filters of Jinja that minijinja does not have.

use std::fmt::Write;

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// The most characters that a text is padded to.
const WIDEST: usize = 1 << 20;

/// Whether a format such as `{:>80}` asks for a field of more than [`WIDEST`] characters.
pub(super) fn has_wide_field(format: &str) -> bool {
    let fields = format.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest));
    let mut numbers = fields.flat_map(|field| field.split(|c: char| !c.is_ascii_digit()));
    numbers.any(|number| {
        number.trim_start_matches('0').len() > 7 || number.parse().is_ok_and(|width: usize| width > WIDEST)
    })
}

/// Side of the padding.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pad {
    Left,
    Right,
    Both,
}

pub(super) fn value_error(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.to_owned())
}

/// The methods `ljust`, `rjust`, `center`, `zfill`, `casefold`, `swapcase`, `expandtabs` and `istitle`; `None` for
/// others.
pub(super) fn string_method(text: &str, name: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    let pad = match name {
        "ljust" => Some(Pad::Right),
        "rjust" => Some(Pad::Left),
        "center" => Some(Pad::Both),
        _ => None,
    };
    if let Some(pad) = pad {
        let width = args.first().and_then(|width| usize::try_from(width.clone()).ok());
        let fill = args.get(1).map_or(Some(' '), |fill| fill.as_str().and_then(single));
        return Some(match (width, fill) {
            (Some(width), Some(fill)) => padded(text, width, fill, pad).map(Value::from),
            _ => Err(value_error("a width and one character are expected")),
        });
    }
    match (name, args) {
        ("zfill", [width]) => {
            let width = usize::try_from(width.clone()).unwrap_or(0);
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let digits = padded(digits, width.saturating_sub(sign.len()), '0', Pad::Left);
            Some(digits.map(|digits| format!("{sign}{digits}").into()))
        }
        // Full case folding differs from lower case in a few letters only; this is the one that templates meet.
        ("casefold", []) => Some(Ok(text.to_lowercase().replace('ß', "ss").into())),
        ("swapcase", []) => Some(Ok(swap_case(text).into())),
        ("istitle", []) => Some(Ok(is_title(text).into())),
        ("expandtabs", _) => Some(Ok(expand_tabs(text, args).into())),
        _ => None,
    }
}

fn single(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// `text` with `fill` around it, `width` characters long at least. Where an odd number is put on both sides, Python's
/// rule says which gets more.
pub(super) fn padded(text: &str, width: usize, fill: char, pad: Pad) -> Result<String, Error> {
    if width > WIDEST {
        return Err(value_error("a text cannot be padded so wide"));
    }
    let missing = width.saturating_sub(text.chars().count());
    let left = match pad {
        Pad::Left => missing,
        Pad::Right => 0,
        Pad::Both => missing / 2 + (missing & width & 1),
    };
    let mut out = String::with_capacity(text.len() + missing * fill.len_utf8());
    out.extend(std::iter::repeat_n(fill, left));
    out.push_str(text);
    out.extend(std::iter::repeat_n(fill, missing - left));
    Ok(out)
}

fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_uppercase() {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
    }
    out
}

/// Whether each word begins with an upper-case letter and goes on in lower case.
fn is_title(text: &str) -> bool {
    let (mut inside, mut any) = (false, false);
    for character in text.chars() {
        if character.is_uppercase() == inside && (character.is_uppercase() || character.is_lowercase()) {
            return false;
        }
        inside = character.is_alphabetic();
        any |= inside;
    }
    any
}

fn expand_tabs(text: &str, args: &[Value]) -> String {
    let size = args.first().and_then(|size| usize::try_from(size.clone()).ok()).unwrap_or(8).min(256);
    let (mut out, mut column) = (String::with_capacity(text.len()), 0);
    for character in text.chars() {
        match character {
            '\t' => {
                let spaces = if size == 0 { 0 } else { size - column % size };
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\n' | '\r' => {
                out.push(character);
                column = 0;
            }
            _ => {
                out.push(character);
                column += 1;
            }
        }
    }
    out
}

/// Python's `splitlines`.
pub(super) fn split_lines(text: &str, keeps_ends: bool) -> Vec<&str> {
    const ENDS: [char; 10] =
        ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    let (mut lines, mut rest) = (vec![], text);
    while let Some(at) = rest.find(ENDS) {
        let length = match &rest[at..] {
            end if end.starts_with("\r\n") => 2,
            end => end.chars().next().map_or(0, char::len_utf8),
        };
        lines.push(&rest[..if keeps_ends { at + length } else { at }]);
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// Jinja's `indent`: a line end is added first, so that the last one of the text stays.
#[expect(clippy::needless_pass_by_value, reason = "filters and functions take their arguments by value")]
pub(super) fn indent(
    text: String,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    named: Kwargs,
) -> Result<String, Error> {
    let width = width.map_or_else(|| named.get::<Option<Value>>("width"), |width| Ok(Some(width)))?;
    let flag = |given: Option<bool>, name: &str| {
        given.map_or_else(|| Ok(named.get::<Option<bool>>(name)?.unwrap_or(false)), Ok::<bool, Error>)
    };
    let (first, blank) = (flag(first, "first")?, flag(blank, "blank")?);
    named.assert_all_used()?;
    let indention = match width {
        None => " ".repeat(4),
        Some(width) if width.as_str().is_some() => width.as_str().unwrap_or_default().into(),
        Some(width) => " ".repeat(usize::try_from(width)?.min(WIDEST)),
    };
    let text = text + "\n";
    let lines = split_lines(&text, false);
    if lines.len().saturating_mul(indention.len()) > WIDEST {
        return Err(value_error("a text cannot be indented so far"));
    }
    let mut out = String::with_capacity(text.len() + lines.len() * indention.len());
    for (index, line) in lines.into_iter().enumerate() {
        let (is_first, is_blank) = (index == 0, line.is_empty());
        if !is_first {
            out.push('\n');
        }
        if if is_first { first } else { blank || !is_blank } {
            out.push_str(&indention);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// Jinja's `wordcount`: runs of letters, digits and underscores.
#[expect(clippy::needless_pass_by_value, reason = "filters take their arguments by value")]
pub(super) fn word_count(text: String) -> usize {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).count()
}

/// Jinja's `urlencode`: a text with `/` kept, or pairs as a query.
pub(super) fn url_encode(value: &Value) -> Result<String, Error> {
    if value.kind() == ValueKind::Map {
        let mut pairs = vec![];
        for key in value.try_iter()? {
            let item = value.get_item(&key)?;
            pairs.push(format!("{}={}", in_query(&key), in_query(&item)));
        }
        return Ok(pairs.join("&"));
    }
    Ok(quoted(&value.to_string(), "/"))
}

/// As forms send it: a space is a plus sign.
fn in_query(value: &Value) -> String {
    quoted(&value.to_string(), "").replace("%20", "+")
}

fn quoted(text: &str, safe: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) || safe.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string can be written to");
        }
    }
    out
}
