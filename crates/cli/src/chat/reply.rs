//! A reply as it arrives: its shown text, and its end near the token limit.

use super::opening_quote::OpeningQuote;
use super::sentences;

/// The text of a reply. It ends at the model's end token, or, after three quarters of its tokens, at the end of a
/// sentence.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Text of the model.
    written: String,
    /// Text that is shown.
    shown: String,
    opening: OpeningQuote,
    /// Number of tokens so far.
    tokens: usize,
    /// Largest number of tokens.
    budget: usize,
    /// Whether it ended near its limit, with a whole sentence.
    ended_early: bool,
}

impl Reply {
    /// An empty reply of at most `budget` tokens.
    pub fn new(budget: usize) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Adds the text that one more token completes, which may be empty; returns the text that may be shown now. `None`
    /// if the reply has to end before this token: it is near its limit, and a sentence has just ended.
    pub fn push(&mut self, piece: &str) -> Option<String> {
        let late = self.tokens >= self.budget - self.budget / 4;
        self.ended_early |= late && sentences::ended(&self.written, piece);
        if self.ended_early {
            return None;
        }
        self.tokens += 1;
        Some(self.show(piece))
    }

    /// Ends the reply with its incomplete rest; returns the text that is still to be shown.
    pub fn finish(&mut self, rest: &str) -> String {
        // An interrupt may leave an incomplete character.
        let shown = self.show(rest.trim_end_matches(char::REPLACEMENT_CHARACTER));
        let held = std::mem::take(&mut self.opening).finish();
        self.shown += &held;
        shown + &held
    }

    fn show(&mut self, piece: &str) -> String {
        self.written += piece;
        let shown = self.opening.push(piece);
        self.shown += &shown;
        shown
    }

    /// Whether [`push`](Self::push) ended it.
    pub fn ended_early(&self) -> bool {
        self.ended_early
    }

    /// Shown text.
    pub fn text(&self) -> &str {
        &self.shown
    }

    /// Shown text up to the end of its last whole sentence; all of it if no sentence ends.
    pub fn whole_sentences(&self) -> &str {
        sentences::whole(&self.shown).unwrap_or(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reply of these pieces, one a token, of which it may have 8.
    fn reply(pieces: &[&str]) -> Reply {
        let mut reply = Reply::new(8);
        let ended = pieces.iter().any(|piece| reply.push(piece).is_none());
        assert_eq!(reply.ended_early(), ended);
        reply.finish("");
        reply
    }

    #[test]
    fn near_its_limit_a_reply_ends_with_a_sentence() {
        let check = |pieces: &[&str], text: &str, early: bool| {
            let reply = reply(pieces);
            assert_eq!((reply.text(), reply.ended_early()), (text, early));
        };
        check(&["One", ".", " Two", "."], "One. Two.", false);
        check(&["One", ".", " Two", ".", " So", ".", " Four", "."], "One. Two. So.", true);
        check(&["One", ".", " Two", ".", " a", " b", " c", "."], "One. Two. a b c.", false);
    }

    #[test]
    fn a_reply_that_was_cut_off_has_whole_sentences() {
        assert_eq!(reply(&["One", ".", " Two", " and"]).whole_sentences(), "One.");
        assert_eq!(reply(&["One", " and", " two"]).whole_sentences(), "One and two");
    }

    #[test]
    fn what_is_shown_begins_with_no_stray_quote_and_ends_in_no_half_character() {
        let mut reply = Reply::new(8);
        assert_eq!(reply.push(" \"The").as_deref(), Some(""));
        assert_eq!(reply.finish(" fox\u{FFFD}"), "The fox");
        assert_eq!(reply.text(), "The fox");
    }
}
