//! Messages of people, as patterns: `"[what is|what's] your name[?|]"`, and which wordings belong to which split.
//!
//! A pattern has alternatives in brackets, which may nest and be empty, and gaps `{name}` that are filled later. A
//! wording is one expansion of a pattern. It belongs to one split by a hash of its normal form, so that wordings of
//! validation never occur in training, however they are spelled there: with capitals or without, with or without
//! punctuation, "what's" or "what is".

use super::Split;
use super::dice::{Dice, fingerprint};
use super::template::Bindings;

/// Of 8 wordings, one belongs to the validation split alone.
const HELD_OUT_ONE_IN: u64 = 8;

/// Draws of a wording before the pattern is taken for one that has none of the split.
const MOST_DRAWS: usize = 20_000;

/// First words that many people type, greetings apart. Training never has them, in any spelling: what a model answers
/// to them is measured, not learned by heart.
pub const HELD_OUT_FIRST_WORDS: &[&str] = &[
    "What is your name?",
    "Who are you?",
    "Are you human?",
    "Are you a robot?",
    "What can you do?",
    "Help",
    "What do you know?",
    "Thank you!",
    "I am sad.",
    "I'm happy today",
    "You are stupid.",
    "Good night",
    "I love you",
    "Tell me a joke",
    "Tell me a story.",
    "Tell me a story about a dog.",
    "Tell me a story about a girl named Anna.",
    "Can you write a story about a rabbit and a fox?",
    "A short story please",
    "Tell me a story about a frog.",
    "What is 2+2?",
    "2 + 3",
    "What is 7 plus 5?",
    "9 - 4 =",
    "what is 12 + 30?",
    "How much is 25 + 14?",
    "15 minus 8?",
    "What is 50 - 20?",
    "What is 3 + 4?",
    "And 5 + 6?",
    "What is 1 + 1?",
    "What is the capital of France?",
    "Who was Napoleon?",
    "Write a Python function that sorts a list.",
    "What is the weather tomorrow?",
    "Who won the world cup in 1998?",
    "你是谁？",
    "给我讲一个故事",
    "谢谢你",
    "你会做什么？",
    "My name is Tom.",
    "What is my name?",
];

/// One expansion of `pattern`, its gaps still open.
///
/// # Panics
/// If a bracket is not closed: the patterns are part of the program, and the tests expand all of them.
pub(super) fn expand(pattern: &str, dice: &mut Dice) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(open) = rest.find('[') {
        text.push_str(&rest[..open]);
        let (alternatives, after) = alternatives(&rest[open + 1..]);
        text.push_str(&expand(alternatives[dice.below(alternatives.len())], dice));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The alternatives of a bracket that has just been opened, and what follows its end.
fn alternatives(inside: &str) -> (Vec<&str>, &str) {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b'|' if depth == 0 => {
                found.push(&inside[start..at]);
                start = at + 1;
            }
            b']' if depth == 0 => {
                found.push(&inside[start..at]);
                return (found, &inside[at + 1..]);
            }
            b']' => depth -= 1,
            _ => {}
        }
    }
    panic!("a bracket is not closed in {inside:?}")
}

/// A wording of `split` from one of `patterns`, with single spaces, its gaps still open.
///
/// # Panics
/// If the patterns have no wording of the split: the tests draw from all of them.
pub(super) fn draw(patterns: &[&str], split: Split, dice: &mut Dice) -> String {
    for _ in 0..MOST_DRAWS {
        let wording = spaced(&expand(dice.word(patterns), dice));
        let of = if is_one_word(&wording) { Split::Train } else { split_of(&wording) };
        if of == split {
            return wording;
        }
    }
    panic!("no wording of {} among {patterns:?}", split.name())
}

/// Whether a wording is one word, in Chinese of two characters at most, which is in training always: "yes" has no other
/// wording from which it could be learned.
fn is_one_word(wording: &str) -> bool {
    let chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    !wording.contains([' ', '{']) && wording.chars().filter(|&c| chinese(c)).count() <= 2
}

/// A wording of `split` whose gaps are filled; in training never one of [`HELD_OUT_FIRST_WORDS`].
pub(super) fn filled(patterns: &[&str], split: Split, bindings: &Bindings, dice: &mut Dice) -> String {
    (0..MOST_DRAWS)
        .map(|_| bindings.fill(&draw(patterns, split, dice)))
        .find(|text| split == Split::Validation || !is_held_out(text))
        .unwrap_or_else(|| panic!("every wording of {patterns:?} is held out"))
}

/// One of `things` that belongs to `split`: 1 in 8 is kept for validation.
pub(super) fn thing<'a>(things: &[&'a str], split: Split, dice: &mut Dice) -> &'a str {
    (0..MOST_DRAWS)
        .map(|_| dice.word(things))
        .find(|thing| split_of(thing) == split)
        .unwrap_or_else(|| panic!("nothing of {} among {things:?}", split.name()))
}

/// The split that a wording or a thing belongs to.
pub(super) fn split_of(text: &str) -> Split {
    if fingerprint(&format!("wording:{}", normal(text))).is_multiple_of(HELD_OUT_ONE_IN) {
        Split::Validation
    } else {
        Split::Train
    }
}

/// Whether a message is one of [`HELD_OUT_FIRST_WORDS`], in any spelling.
pub fn is_held_out(text: &str) -> bool {
    let text = normal(text);
    HELD_OUT_FIRST_WORDS.iter().any(|words| normal(words) == text)
}

/// Lower case, no punctuation, contractions written out, single spaces.
pub(super) fn normal(text: &str) -> String {
    let mut written_out = text.to_lowercase().replace('’', "'");
    for (short, long) in CONTRACTIONS {
        written_out = replace_word(&written_out, short, long);
        written_out = replace_word(&written_out, &short.replace('\'', ""), long);
    }
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '+' | '-' | '{' | '}' | '_');
    let spaced = written_out.chars().map(|c| if kept(c) { c } else { ' ' });
    let signs = spaced.flat_map(|c| if matches!(c, '+' | '-') { vec![' ', c, ' '] } else { vec![c] });
    self::spaced(&signs.collect::<String>())
}

/// Contractions and their long forms.
pub(super) const CONTRACTIONS: &[(&str, &str)] = &[
    ("what's", "what is"),
    ("who's", "who is"),
    ("where's", "where is"),
    ("how's", "how is"),
    ("i'm", "i am"),
    ("you're", "you are"),
    ("it's", "it is"),
    ("that's", "that is"),
    ("don't", "do not"),
    ("can't", "cannot"),
    ("didn't", "did not"),
    ("doesn't", "does not"),
    ("isn't", "is not"),
    ("i'd", "i would"),
    ("let's", "let us"),
];

/// `text` with every whole word `from` replaced, however it is written.
pub(super) fn replace_word(text: &str, from: &str, to: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '\'';
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        replaced.push_str(before);
        let alone = !replaced.ends_with(word) && !after.starts_with(word);
        replaced.push_str(if alone { to } else { from });
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

/// `text` with single spaces, and none before a comma or at its ends.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ,", ",")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_pattern_gives_all_its_expansions_and_no_other() {
        let mut dice = Dice::new(1, "test", 0);
        let all: BTreeSet<String> = (0..500).map(|_| expand("[a|b[c|]|] {x}", &mut dice)).collect();
        assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), [" {x}", "a {x}", "b {x}", "bc {x}"]);
    }

    #[test]
    fn spellings_of_one_wording_are_one() {
        for text in ["What's your name?", "what is your name", "Whats your  name!", "WHAT IS YOUR NAME ?"] {
            assert_eq!(normal(text), "what is your name");
            assert!(is_held_out(text));
        }
        assert_eq!(normal("2+2="), normal("2 + 2 ?"));
        assert!(!is_held_out("What is your real name?"));
    }

    #[test]
    fn wordings_of_the_splits_are_disjoint() {
        let patterns = &["[tell|give|show] me [a|the|one|some] [pot|jug|cup|bowl|mug]"];
        let all = |split| {
            let mut dice = Dice::new(2, "test", 0);
            (0..400).map(|_| draw(patterns, split, &mut dice)).collect::<BTreeSet<_>>()
        };
        let (train, validation) = (all(Split::Train), all(Split::Validation));
        assert!(!validation.is_empty() && validation.is_disjoint(&train));
    }

    #[test]
    fn messages_of_one_word_are_all_in_training() {
        let patterns = &["[yes|sure|thanks|hello|bye|why|ok|no|hm|you]", "[你好|好的|再见|谢谢|嗯|想]"];
        let mut dice = Dice::new(3, "test", 0);
        let all: BTreeSet<_> = (0..400).map(|_| draw(patterns, Split::Train, &mut dice)).collect();
        assert_eq!(all.len(), 16);
        assert!(!is_one_word("tell me") && !is_one_word("{x}") && !is_one_word("你是谁"));
    }

    #[test]
    fn only_whole_words_are_replaced() {
        assert_eq!(replace_word("cant cantor decant cant", "cant", "cannot"), "cannot cantor decant cannot");
    }
}
