//! Texts that end a completion, also across token borders: [`StopStrings`].

use std::sync::Arc;

use crate::InferError;

/// The bytes of a vocabulary's tokens. A special token has none.
#[derive(Clone, Debug)]
pub struct TokenBytes(Vec<Box<[u8]>>);

impl TokenBytes {
    /// The bytes of tokens in the order of their ids; `None` is a token that is not text.
    #[must_use]
    pub fn new<'a>(tokens: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        Self(tokens.into_iter().map(|bytes| bytes.unwrap_or_default().into()).collect())
    }

    fn of(&self, id: u32) -> &[u8] {
        self.0.get(id as usize).map_or(&[], |bytes| bytes)
    }
}

/// Texts that end a completion as soon as it contains one of them.
#[derive(Clone, Debug)]
pub struct StopStrings {
    strings: Vec<Box<[u8]>>,
    tokens: Arc<TokenBytes>,
}

impl StopStrings {
    /// Stop strings for completions of these tokens.
    ///
    /// # Errors
    /// [`InferError::Setting`] when a text is empty.
    pub fn new(
        strings: impl IntoIterator<Item = impl AsRef<str>>,
        tokens: Arc<TokenBytes>,
    ) -> Result<Self, InferError> {
        let strings: Vec<Box<[u8]>> = strings.into_iter().map(|string| string.as_ref().as_bytes().into()).collect();
        if strings.iter().any(|string| string.is_empty()) {
            return Err(InferError::Setting {
                setting: "stop",
                value: "\"\"".into(),
                expected: "a text that ends a completion needs a character",
            });
        }
        Ok(Self { strings, tokens })
    }

    fn longest(&self) -> usize {
        self.strings.iter().map(|string| string.len()).max().unwrap_or(0)
    }
}

/// Place of a stop string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Number of newest tokens from the one in which it begins.
    pub tokens: usize,
    /// Number of bytes before it in the first of these tokens.
    pub kept_bytes: usize,
}

/// Searches a completion's text as it grows. It keeps only as much text as the longest stop string needs.
#[derive(Clone, Debug)]
pub(crate) struct StopWatch {
    strings: Arc<StopStrings>,
    /// The end of the text, and the number of bytes of each of the newest tokens.
    tail: Vec<u8>,
    lengths: Vec<usize>,
}

impl StopWatch {
    pub fn new(strings: Arc<StopStrings>) -> Self {
        Self { strings, tail: vec![], lengths: vec![] }
    }

    /// Adds a token. Returns the stop string that begins first, if there is one.
    pub fn push(&mut self, id: u32) -> Option<Found> {
        let bytes = self.strings.tokens.of(id);
        self.tail.extend_from_slice(bytes);
        self.lengths.push(bytes.len());
        let begins = |string: &[u8]| self.tail.windows(string.len()).position(|window| window == string);
        let first = self.strings.strings.iter().filter_map(|string| begins(string)).min();
        let found = first.map(|begin| {
            let (mut tokens, mut start) = (0, self.tail.len());
            while start > begin {
                tokens += 1;
                start -= self.lengths[self.lengths.len() - tokens];
            }
            Found { tokens, kept_bytes: begin - start }
        });
        self.forget();
        found
    }

    /// Drops the oldest tokens, which no later stop string can include.
    fn forget(&mut self) {
        let longest = self.strings.longest();
        let mut dropped = 0;
        while let Some(&length) = self.lengths.first() {
            if self.tail.len() - dropped - length < longest {
                break;
            }
            dropped += length;
            self.lengths.remove(0);
        }
        self.tail.drain(..dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 6] = ["ab", "c", "abc", "x", "é", "END of"];

    fn watch(strings: &[&str]) -> StopWatch {
        let tokens = TokenBytes::new(TOKENS.iter().map(|token| Some(token.as_bytes())).chain([None]));
        StopWatch::new(Arc::new(StopStrings::new(strings, Arc::new(tokens)).unwrap()))
    }

    /// Checks the number of tokens after which a stop string is found, and its place.
    fn check(strings: &[&str], ids: &[u32], expect: Option<(usize, usize, usize)>) {
        let mut watch = watch(strings);
        let found = ids.iter().enumerate().find_map(|(i, &id)| Some((i + 1, watch.push(id)?)));
        assert_eq!(
            found.map(|(count, found)| (count, found.tokens, found.kept_bytes)),
            expect,
            "{strings:?} in {ids:?}"
        );
    }

    #[test]
    fn stop_strings_are_found_inside_of_tokens_and_across_them() {
        check(&["c"], &[3, 0, 1, 0], Some((3, 1, 0)));
        check(&["bc"], &[3, 0, 1, 0], Some((3, 2, 1)));
        check(&["b"], &[3, 2], Some((2, 1, 1)));
        check(&["cab", "ND"], &[0, 1, 0], Some((3, 2, 0)));
        check(&["cab", "ND"], &[5], Some((1, 1, 1)));
        check(&["é"], &[0, 4], Some((2, 1, 0)));
        check(&["aba"], &[0, 1, 0, 3, 0, 6, 0], Some((7, 3, 0)));
        check(&["zz"], &[0, 1, 2, 3, 4, 5, 6], None);
    }

    #[test]
    fn of_two_the_one_that_begins_first_counts() {
        check(&["c", "abc"], &[3, 2], Some((2, 1, 0)));
    }

    #[test]
    fn memory_does_not_grow_with_the_text() {
        let mut watch = watch(&["no such"]);
        assert!((0..1000).all(|i| watch.push(i % 6).is_none()));
        assert!(watch.tail.len() <= "no such".len() + "END of".len() && watch.lengths.len() < 20);
    }

    #[test]
    fn an_empty_stop_string_is_refused() {
        assert!(StopStrings::new(["a", ""], Arc::new(TokenBytes::new([]))).is_err());
    }
}
