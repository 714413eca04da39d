//! A quotation mark that opens a reply and is never closed: [`OpeningQuote`].

/// Passes on a reply as it arrives. A quotation mark at its beginning, and the text after it, is held back until the
/// matching mark arrives; if there is none, the mark is removed. A closing mark at the beginning has no match and is
/// removed at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningQuote {
    state: State,
}

impl Default for OpeningQuote {
    fn default() -> Self {
        Self { state: State::Before(String::new()) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Only this white space so far.
    Before(String),
    /// The whole reply, from the white space before its quotation mark on; there is no matching mark yet.
    Open { held: String, partner: char },
    /// A mark was removed, and only white space followed so far.
    Dropped,
    /// All text is passed on.
    Through,
}

impl OpeningQuote {
    /// Adds the next piece; returns the text that may be shown now.
    pub fn push(&mut self, piece: &str) -> String {
        piece.chars().filter_map(|character| self.take(character)).collect()
    }

    /// Ends the reply; returns the text held back, without its mark.
    pub fn finish(self) -> String {
        match self.state {
            State::Before(held) => held,
            State::Open { held, .. } => without_mark(&held).into(),
            _ => String::new(),
        }
    }

    /// Text that may be shown after this character.
    fn take(&mut self, character: char) -> Option<String> {
        match std::mem::replace(&mut self.state, State::Through) {
            State::Before(held) => self.begin(held, character),
            State::Dropped if character.is_whitespace() => {
                self.state = State::Dropped;
                None
            }
            State::Through | State::Dropped => Some(character.into()),
            State::Open { mut held, partner } => {
                held.push(character);
                if character == partner {
                    return Some(held);
                }
                self.state = State::Open { held, partner };
                None
            }
        }
    }

    /// A character after only the white space `held`.
    fn begin(&mut self, mut held: String, character: char) -> Option<String> {
        held.push(character);
        self.state = match character {
            '"' | '“' | '‘' => State::Open { held, partner: partner_of(character) },
            '”' => State::Dropped,
            _ if character.is_whitespace() => State::Before(held),
            _ => return Some(held),
        };
        None
    }
}

fn partner_of(mark: char) -> char {
    match mark {
        '“' => '”',
        '‘' => '’',
        mark => mark,
    }
}

/// The text after its opening quotation mark.
fn without_mark(held: &str) -> &str {
    let mut text = held.trim_start().chars();
    text.next();
    text.as_str().trim_start()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reply as it is shown when it comes in these pieces, and how much of it was shown before its end.
    fn show(pieces: &[&str]) -> (String, usize) {
        let mut quote = OpeningQuote::default();
        let early: String = pieces.iter().map(|piece| quote.push(piece)).collect();
        let length = early.len();
        (early + &quote.finish(), length)
    }

    fn check(reply: &str, expect: &str) {
        assert_eq!(show(&[reply]).0, expect);
        let characters: Vec<String> = reply.chars().map(String::from).collect();
        let pieces: Vec<&str> = characters.iter().map(String::as_str).collect();
        assert_eq!(show(&pieces).0, expect, "one character at a time");
    }

    #[test]
    fn a_quote_with_its_partner_stays() {
        check("\"Come in,\" she said.", "\"Come in,\" she said.");
        check("“Come in,” she said.", "“Come in,” she said.");
        check("‘Come in,’ she said.", "‘Come in,’ she said.");
        check(" \"Yes.\"", " \"Yes.\"");
        check("\"\"", "\"\"");
    }

    #[test]
    fn a_quote_without_a_partner_is_left_out() {
        check("\"The rabbit ran home.", "The rabbit ran home.");
        check("“The rabbit ran home.\"", "The rabbit ran home.\"");
        check("  \" The rabbit", "The rabbit");
        check("‘The rabbit", "The rabbit");
        check("”The rabbit", "The rabbit");
        check("” The rabbit", "The rabbit");
        check("\"", "");
        check("\" ", "");
    }

    #[test]
    fn other_replies_are_as_they_were() {
        check("The rabbit said \"no.", "The rabbit said \"no.");
        check("  two spaces\n", "  two spaces\n");
        check("'tis so", "'tis so");
        check("", "");
        check(" \n", " \n");
    }

    #[test]
    fn only_what_may_change_is_held_back() {
        assert_eq!(show(&["The", " rabbit"]).1, 10);
        assert_eq!(show(&["\"Yes\"", " she"]).1, 9, "all of it, once the partner is there");
        assert_eq!(show(&["\"Yes,", " she"]).1, 0);
        assert_eq!(show(&["”Yes,", " she"]).1, 8);
    }

    proptest! {
        #[test]
        fn nothing_but_one_mark_and_space_beside_it_is_ever_left_out(reply in "[ \"“”‘’ab\n]{0,12}", cut in 0_usize..12) {
            let cut = reply.char_indices().nth(cut).map_or(reply.len(), |(at, _)| at);
            let shown = show(&[&reply[..cut], &reply[cut..]]).0;
            prop_assert_eq!(&shown, &show(&[&reply]).0);
            prop_assert!(reply.ends_with(&shown));
            let left_out = reply[..reply.len() - shown.len()].trim();
            prop_assert!(left_out.chars().count() <= 1);
            prop_assert!(left_out.is_empty() || "\"“”‘".contains(left_out));
        }
    }
}
