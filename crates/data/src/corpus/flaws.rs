//! What can be bad about an answer that is not wrong, and how a good answer is made so.

use super::dice::Dice;
use super::prompts::{Check, Prompt};

const RUDE_OPENINGS: &[&str] = &[
    "What a silly question.",
    "Why do you not know that?",
    "Do not bother me with this.",
    "You ask too much.",
    "How boring. Everybody knows that.",
];

const RUDE_ENDINGS: &[&str] =
    &["Now go away.", "Leave me alone.", "Do not ask me again.", "You should have known.", "Think for yourself."];

const RUDE_CHINESE_OPENINGS: &[&str] = &["你真笨。", "这个问题真没意思。", "你怎么连这个都不知道？"];
const RUDE_CHINESE_ENDINGS: &[&str] = &["别再来问我了。", "你走开吧。", "你自己想吧。"];

/// The first part of the answer, cut before its last word or earlier, with no full stop; `None` if it is one word, or
/// right for all that.
pub(super) fn truncated(answer: &str, check: &Check, dice: &mut Dice) -> Option<String> {
    let words: Vec<&str> = answer.split_inclusive(' ').collect();
    let cut = if words.len() > 1 {
        words[..=dice.below(words.len() - 1)].concat()
    } else {
        let chars: Vec<char> = answer.chars().collect();
        let keep = (chars.len() / 4).max(1) + dice.below((chars.len() / 2).max(1));
        chars[..keep.min(chars.len().saturating_sub(2))].iter().collect()
    };
    let cut = cut.trim_end_matches([' ', '.', '!', '?', '"', ',', '。', '！', '？', '”', '，']);
    // "34" of "34 + 0 = 34" would be right after all.
    let flawed = !cut.is_empty() && cut.len() < answer.len() && check.answer_is_right(cut) != Some(true);
    flawed.then(|| cut.to_string())
}

/// The answer, or the first sentence of a long one, three or four times.
pub(super) fn repetitive(answer: &str, dice: &mut Dice) -> String {
    let sentence = answer.split_inclusive(['.', '。', '!', '！']).next().unwrap_or_default();
    vec![sentence; 3 + dice.below(2)].join(if in_chinese(answer) { "" } else { " " })
}

/// Whether `text` has Chinese characters.
pub(super) fn in_chinese(text: &str) -> bool {
    text.contains(|c: char| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// The answer with unfriendly words before it, after it, or both, in the language of the prompt.
pub(super) fn rude(answer: &str, chinese: bool, dice: &mut Dice) -> String {
    let (openings, endings, gap, stop) = if chinese {
        (RUDE_CHINESE_OPENINGS, RUDE_CHINESE_ENDINGS, "", "。")
    } else {
        (RUDE_OPENINGS, RUDE_ENDINGS, " ", ".")
    };
    // Answers in digits have no full stop of their own.
    let in_digits = answer.ends_with(|c: char| c.is_ascii_digit());
    let answer = format!("{answer}{}", if in_digits { stop } else { "" });
    match dice.below(3) {
        0 => [dice.word(openings), &answer].join(gap),
        1 => [answer.as_str(), dice.word(endings)].join(gap),
        _ => [dice.word(openings), &answer, dice.word(endings)].join(gap),
    }
}

/// A good answer to another kind of question, which is not right for this one by chance.
pub(super) fn off_topic(check: &Check, others: &mut impl Iterator<Item = Prompt>) -> Option<String> {
    let answers_the_same = |other: &Prompt| match (check, &other.check) {
        (Check::World { question: asked }, Check::World { question: other }) => asked.attribute == other.attribute,
        (Check::Arithmetic { .. }, Check::Arithmetic { .. }) | (Check::Open, Check::Open) => true,
        _ => false,
    };
    others
        .take(100)
        .find(|other| !answers_the_same(other) && check.answer_is_right(&other.reference) != Some(true))
        .map(|other| other.reference)
}
