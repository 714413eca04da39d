//! API keys, [`Keys`], and the account of a request: [`Account`].

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::{HeaderMap, header};
use blake3::Hash;

use crate::error::{ApiError, ServeError};
use crate::store::LOCAL;

/// The account of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(pub String);

/// API keys, and the account of each. Without keys every request belongs to [`LOCAL`].
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<(Hash, String)>);

/// Smallest number of characters of a key, so that it cannot be guessed.
const SHORTEST: usize = 16;

impl Keys {
    /// Reads a file with one key per line, optionally followed by a name: `KEY NAME`. Keys of one name share an
    /// account; a key without a name has its own account. Empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// When the file cannot be read, has no key, has one twice, or one is shorter than 16 characters or has one that no
    /// header carries; the message never contains a key.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ServeError::Setting(format!("cannot read the API keys {shown}: {error}")))?;
        Self::parse(&text).map_err(|error| ServeError::Setting(format!("{shown}: {error}")))
    }

    /// The keys of a file's text.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys: BTreeMap<[u8; 32], (Hash, String)> = BTreeMap::new();
        // Editors of Windows begin a file with this mark.
        let text = text.trim_start_matches('\u{feff}');
        for (line, words) in (1..).zip(text.lines().map(str::split_whitespace)) {
            let words: Vec<&str> = words.collect();
            let (key, name) = match words[..] {
                [] => continue,
                [first, ..] if first.starts_with('#') => continue,
                [key] => (key, None),
                [key, name] => (key, Some(name)),
                _ => return Err(format!("line {line}: give a key and, after it, at most one name")),
            };
            if key.chars().count() < SHORTEST {
                return Err(format!(
                    "line {line}: the key is shorter than {SHORTEST} characters; make it a long random one"
                ));
            }
            if let Some(strange) = key.chars().find(|character| !character.is_ascii_graphic()) {
                return Err(format!(
                    "line {line}: the key has the character U+{:04X}, which no header carries; make it of ASCII \
                     letters and digits",
                    u32::from(strange)
                ));
            }
            let hash = blake3::hash(key.as_bytes());
            let account = match name {
                Some(LOCAL) => return Err(format!("line {line}: the name `{LOCAL}` is that of servers without keys")),
                Some(name) => name.to_owned(),
                None => format!("key-{}", &hash.to_hex()[..24]),
            };
            if keys.insert(*hash.as_bytes(), (hash, account)).is_some() {
                return Err(format!("line {line}: this key is listed twice"));
            }
        }
        match keys.is_empty() {
            true => Err("it has no key; write one per line".into()),
            false => Ok(Self(keys.into_values().collect())),
        }
    }

    /// Whether requests need no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The account of a request.
    ///
    /// # Errors
    /// 401 when it has no key, or none of these.
    pub(crate) fn account(&self, headers: &HeaderMap) -> Result<String, ApiError> {
        if self.is_empty() {
            return Ok(LOCAL.into());
        }
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let scheme_and_key = given.and_then(|value| value.split_once(' '));
        let (_, key) = scheme_and_key
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .ok_or_else(ApiError::unauthorized)?;
        let hash = blake3::hash(key.trim().as_bytes());
        // All hashes are compared, each in constant time.
        let mut found = None;
        for (known, account) in &self.0 {
            if *known == hash {
                found = Some(account);
            }
        }
        found.cloned().ok_or_else(ApiError::unauthorized)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const KEYS: &str = "# keys\nsk-0123456789abcdef ann\n\nsk-fedcba9876543210\n";

    fn account(value: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
        Keys::parse(KEYS).unwrap().account(&headers).ok()
    }

    #[test]
    fn a_key_is_its_accounts() {
        assert_eq!(account("Bearer sk-0123456789abcdef").as_deref(), Some("ann"));
        assert_eq!(account("bearer sk-0123456789abcdef").as_deref(), Some("ann"));
        assert!(account("Bearer sk-fedcba9876543210").unwrap().starts_with("key-"));
        for wrong in
            ["Bearer sk-0123456789abcde", "Bearer", "Bearer ", "Basic sk-0123456789abcdef", "sk-0123456789abcdef"]
        {
            assert_eq!(account(wrong), None, "{wrong}");
        }
        assert!(Keys::parse(KEYS).unwrap().account(&HeaderMap::new()).is_err());
        assert_eq!(Keys::default().account(&HeaderMap::new()).unwrap(), LOCAL);
    }

    #[test]
    fn the_mark_of_an_editor_is_no_part_of_a_key() {
        let keys = Keys::parse("\u{feff}sk-0123456789abcdef ann\r\n").unwrap();
        let with = |value| HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
        assert_eq!(keys.account(&with("Bearer sk-0123456789abcdef")).unwrap(), "ann");
    }

    #[test]
    fn a_file_that_protects_nothing_is_refused() {
        for (text, expect) in [
            ("", "no key"),
            ("# only words", "no key"),
            ("short", "shorter than 16"),
            ("sk-0123456789abcdef a b", "line 1"),
            ("sk-0123456789abcdef a\nsk-0123456789abcdef b", "line 2: this key is listed twice"),
            ("sk-0123456789abcdef local", "the name `local`"),
            ("\n\u{feff}sk-0123456789abcdef", "line 2: the key has the character U+FEFF"),
            ("sk-0123456789abcdé", "line 1: the key has the character U+00E9"),
            ("sk-0123456789\u{1}abcdef", "U+0001"),
        ] {
            let error = Keys::parse(text).unwrap_err();
            assert!(error.contains(expect) && !error.contains("sk-"), "{error}");
        }
    }
}
