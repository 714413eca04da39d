//! Whole numbers that JSON can write and that values of 64 bits cannot hold.

/// The first whole number in a JSON text that becomes another one in a value: one of more than 64 bits, or `-0`.
#[must_use]
pub fn unheld_integer(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                at += bytes[at..].iter().take_while(|byte| is_part(byte)).count();
                let number = &text[start..at];
                if !is_held(number) {
                    return Some(number);
                }
            }
            _ => at += 1,
        }
    }
    None
}

fn is_held(number: &str) -> bool {
    let is_whole = !number.contains(['.', 'e', 'E']);
    number != "-0" && (!is_whole || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_inside_strings_and_fractions_do_not_count() {
        let held = r#"{"a": [18446744073709551615, -9223372036854775808, 1e300, 0.5], "79228162514264337593543950336\"": "\\"}"#;
        assert_eq!(unheld_integer(held), None);
        assert_eq!(unheld_integer(r#"{"a": "b\\", "c": 18446744073709551616}"#), Some("18446744073709551616"));
        assert_eq!((unheld_integer("[1, -0]"), unheld_integer("[-0.0]")), (Some("-0"), None));
    }
}
