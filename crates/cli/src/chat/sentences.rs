//! Ends of sentences, so that a short reply need not break off inside one.

/// Marks that end a sentence wherever they stand.
const WIDE_MARKS: [char; 3] = ['。', '！', '？'];
/// Characters that may follow the mark.
const CLOSING: [char; 9] = ['"', '”', '\'', '’', ')', ']', '」', '』', '*'];
/// Abbreviations, whose full stop does not end a sentence.
const ABBREVIATIONS: [&str; 8] = ["Mr", "Mrs", "Ms", "Dr", "St", "e.g", "i.e", "vs"];

/// Whether `text` ends with a sentence, if `next` follows.
pub fn ended(text: &str, next: &str) -> bool {
    let body = text.trim_end();
    let apart = body.len() < text.len() || next.starts_with(char::is_whitespace);
    let wide = !next.is_empty() && !next.starts_with(CLOSING) && !next.starts_with(WIDE_MARKS) && ends_wide(body);
    (apart || wide) && ends_sentence(body)
}

/// The text up to its last sentence's end; `None` where no sentence ends.
pub fn whole(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let mut ends = text.char_indices().rev().map(|(at, character)| at + character.len_utf8());
    let end = ends.find(|&end| match &text[end..] {
        "" => ends_sentence(text),
        next => ended(&text[..end], next),
    });
    end.map(|end| text[..end].trim_end())
}

fn ends_wide(text: &str) -> bool {
    text.trim_end_matches(CLOSING).ends_with(WIDE_MARKS)
}

fn ends_sentence(text: &str) -> bool {
    let body = text.trim_end_matches(CLOSING);
    match body.chars().next_back() {
        Some('!' | '?' | '…') => true,
        Some('.') => is_full_stop(body),
        _ => ends_wide(body),
    }
}

/// Whether the dot at the end of `text` is a full stop: not that of an abbreviation, of an initial, or of the number
/// that begins a line of a list.
fn is_full_stop(text: &str) -> bool {
    let text = text.trim_end_matches('.');
    let start = text.rfind(char::is_whitespace).map_or(0, |at| text.len() - text[at..].trim_start().len());
    let word = text[start..].trim_start_matches(|character: char| !character.is_alphanumeric());
    let before = text[..start].trim_end_matches([' ', '\t']);
    let numbers_a_line = word.chars().all(|character| character.is_ascii_digit()) && before.ends_with('\n');
    let initial = word.chars().count() == 1 && word != "I" && word.chars().all(char::is_uppercase);
    !(word.is_empty() || numbers_a_line || initial || ABBREVIATIONS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_at_its_mark_once_something_else_begins() {
        for (text, next) in [
            ("The rabbit ran.", " It"),
            ("The rabbit ran. ", "It"),
            ("Did it run?", "\n"),
            ("\"Run!\"", " she"),
            ("It costs 3.", " Take it"),
            ("It was I.", " We"),
            ("So it ran…", " and"),
            ("火很热。", "泥"),
            ("他说：「很热。」", "泥"),
        ] {
            assert!(ended(text, next), "{text:?} {next:?}");
        }
        for (text, next) in [
            ("The rabbit", " ran"),
            ("It costs 3.", "14"),
            ("It ran.", "\""),
            ("It ran.", ""),
            ("I met Mr.", " Fox"),
            ("I met J.", " R. Fox"),
            ("Some, e.g.", " this"),
            ("A list:\n1.", " First"),
            ("A list:\n  12.", " Twelfth"),
            ("很热。", "」"),
            ("", " The"),
            ("...", " The"),
        ] {
            assert!(!ended(text, next), "{text:?} {next:?}");
        }
    }

    #[test]
    fn the_whole_sentences_of_a_text_that_was_cut_off() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(whole(text), expect, "{text:?}");
        check("The fox ran. It met a", Some("The fox ran."));
        check("The fox ran. It met Mr. Rab", Some("The fox ran."));
        check("\"Run!\" she said. And", Some("\"Run!\" she said."));
        check("The fox ran. It ran.", Some("The fox ran. It ran."));
        check("The fox ran.\n\nIt", Some("The fox ran."));
        check("It costs 3.14 and", None);
        check("Pi is 3.14. It", Some("Pi is 3.14."));
        check("火很热。泥", Some("火很热。"));
        check("no end", None);
        check("", None);
    }
}
