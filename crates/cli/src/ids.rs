//! Token ids as people type them.

use anyhow::Result;

use crate::error::user;

/// Ids separated by spaces, commas or line ends; brackets around them are ignored, so that a JSON list may be pasted.
///
/// # Errors
/// Names the invalid id, and `origin`, the flag or file it came from.
pub fn parse_ids(origin: &str, text: &str) -> Result<Vec<u32>> {
    let ids = text
        .split(|c: char| c.is_whitespace() || ",[]".contains(c))
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.parse().map_err(|_| {
                user(format!("{origin}: {word:?} is not a token id; give whole numbers such as \"12 7 301\""))
            })
        })
        .collect::<Result<Vec<u32>>>()?;
    if ids.is_empty() {
        return Err(user(format!("{origin}: there is no token id; give whole numbers such as \"12 7 301\"")));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_separated_by_anything_usual() {
        assert_eq!(parse_ids("--ids", "1 2,3\n[4, 5]").unwrap(), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_is_no_id_is_named() {
        for (text, expect) in [
            ("1 two", "\"two\" is not a token id"),
            ("-1", "\"-1\""),
            ("4294967296", "not a token id"),
            (" ", "no token id"),
        ] {
            let message = parse_ids("--ids", text).unwrap_err().to_string();
            assert!(message.starts_with("--ids: ") && message.contains(expect), "{message}");
        }
    }
}
