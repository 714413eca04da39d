//! The text of a reply as its tokens arrive.

use fireclay_tokenizer::{DecodeStream, Tokenizer};

/// A reply's text as its tokens arrive: whole characters, without the tokens that end it, and only up to a stop string.
/// Text that may be the beginning of a stop string is held back until it is not.
pub struct ReplyText {
    stream: Option<DecodeStream>,
    stop_ids: Vec<u32>,
    stop_strings: Vec<String>,
    /// Text that may be the beginning of a stop string.
    held: String,
    written: usize,
    shown: usize,
    ended: bool,
}

/// Text that a token added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextDelta {
    /// Text that may be shown now.
    pub text: String,
    /// Bytes of the reply's text before this token's.
    pub start: usize,
}

impl ReplyText {
    /// An empty reply. Special tokens are left out of its text, as in a chat; any of `stop_ids` ends it.
    pub fn new(tokenizer: &Tokenizer, stop_ids: Vec<u32>) -> Self {
        Self::of(tokenizer.stream_skip_specials(), stop_ids)
    }

    /// An empty reply whose text spells special tokens out, as in the continuation of a raw text.
    pub fn with_specials(tokenizer: &Tokenizer, stop_ids: Vec<u32>) -> Self {
        Self::of(tokenizer.stream(), stop_ids)
    }

    fn of(stream: DecodeStream, stop_ids: Vec<u32>) -> Self {
        let stop_strings = vec![];
        Self { stream: Some(stream), stop_ids, stop_strings, held: String::new(), written: 0, shown: 0, ended: false }
    }

    /// The same reply, which also ends at any of `stop_strings`.
    ///
    /// # Panics
    /// When one is empty.
    #[must_use]
    pub fn stopped_by(self, stop_strings: Vec<String>) -> Self {
        assert!(stop_strings.iter().all(|stop| !stop.is_empty()), "an empty text would end every reply");
        Self { stop_strings, ..self }
    }

    /// Whether this token ends the reply, and so is not part of it.
    pub fn ends_with(&self, id: u32) -> bool {
        self.stop_ids.contains(&id)
    }

    /// Takes the next token; returns the text that may be shown now, which is empty while a stop string may begin.
    pub fn push(&mut self, id: u32) -> TextDelta {
        let start = self.written;
        if self.ended || self.ends_with(id) {
            return TextDelta { text: String::new(), start };
        }
        let text = self.stream.as_mut().and_then(|stream| stream.push(id)).unwrap_or_default();
        TextDelta { text: self.take(&text), start }
    }

    /// Whether a stop string was found. No more text is returned then.
    pub fn is_stopped(&self) -> bool {
        self.ended
    }

    /// Bytes of the text that was shown.
    pub fn shown(&self) -> usize {
        self.shown
    }

    /// Whether all text has been returned.
    pub fn is_flushed(&self) -> bool {
        self.held.is_empty()
    }

    /// Ends the reply; returns the text held back, with an incomplete character as U+FFFD.
    pub fn finish(&mut self) -> String {
        let rest = self.stream.take().and_then(DecodeStream::finish).unwrap_or_default();
        if self.ended {
            return String::new();
        }
        let text = self.take(&rest);
        let held = std::mem::take(&mut self.held);
        self.shown += held.len();
        text + &held
    }

    fn take(&mut self, text: &str) -> String {
        self.written += text.len();
        self.held += text;
        let begins = self.stop_strings.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        let certain = match begins {
            Some(begin) => {
                self.ended = true;
                self.held.truncate(begin);
                begin
            }
            None => self.held.len() - self.longest_beginning(),
        };
        self.shown += certain;
        self.held.drain(..certain).collect()
    }

    /// Number of bytes at the end of the held text that may begin a stop string.
    fn longest_beginning(&self) -> usize {
        let longest = self.stop_strings.iter().map(String::len).max().unwrap_or(0).saturating_sub(1);
        let lengths = (1..=longest.min(self.held.len())).rev();
        let begins = |length: &usize| {
            let end = &self.held.as_bytes()[self.held.len() - length..];
            self.stop_strings.iter().any(|stop| stop.len() > *length && stop.as_bytes().starts_with(end))
        };
        // A stop string begins with a whole character, so that the cut is between two.
        lengths.into_iter().find(begins).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use fireclay_tokenizer::BpeConfig;

    use super::*;

    fn tokenizer() -> Tokenizer {
        let documents = ["the kiln is hot", "the clay is in the kiln"].map(String::from);
        let config = BpeConfig { vocab_size: 280, ..BpeConfig::default() };
        Tokenizer::train_bpe(documents.into_iter(), &config).unwrap()
    }

    /// The deltas of a text, one a token, the last from `finish`; and whether a stop string was found.
    fn pieces(text: &str, stop: &[&str]) -> (Vec<String>, bool) {
        let tokenizer = tokenizer();
        let mut reply = ReplyText::new(&tokenizer, vec![]).stopped_by(stop.iter().map(|&stop| stop.into()).collect());
        let mut pieces: Vec<String> = tokenizer.encode(text).into_iter().map(|id| reply.push(id).text).collect();
        pieces.push(reply.finish());
        assert_eq!(pieces.concat().len(), reply.shown());
        (pieces, reply.is_stopped())
    }

    #[test]
    fn pieces_joined_are_the_text() {
        for text in ["the kiln is hot", "热 kiln 🦊!", ""] {
            assert_eq!(pieces(text, &[]).0.concat(), text);
            assert_eq!(pieces(text, &["never", "kilns"]).0.concat(), text, "nothing that was held is lost");
        }
    }

    #[test]
    fn nothing_is_shown_from_a_stop_string_on() {
        let check = |text: &str, stop: &[&str], expect: &str| {
            let (pieces, stopped) = pieces(text, stop);
            assert_eq!((pieces.concat().as_str(), stopped), (expect, true), "{text:?} {stop:?}");
        };
        check("the kiln is hot", &["is"], "the kiln ");
        check("the kiln is hot", &["hot", "n i"], "the kil");
        check("is it", &["is"], "");
        check("a热b", &["热"], "a");
        check("xaab", &["aab"], "x");
    }

    #[test]
    fn tokens_that_end_a_text_are_no_part_of_it() {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode("ab");
        let mut reply = ReplyText::new(&tokenizer, vec![ids[1]]);
        assert_eq!(reply.push(ids[0]), TextDelta { text: "a".into(), start: 0 });
        assert_eq!(reply.push(ids[1]), TextDelta { text: String::new(), start: 1 });
        assert_eq!(reply.finish(), "");
    }
}
