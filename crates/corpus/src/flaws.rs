//! Faults of answers, and the corruption of good answers by them.

use serde::{Deserialize, Serialize};

use super::Topic;
use super::assistant::{Assistant, Exchange};
use super::check::Check;
use super::dice::Dice;
use super::stories::Language;

/// Fault of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// It states another value or number, tells another story, refuses what is known, or makes up what is not.
    Wrong,
    /// It ends in the middle of a sentence.
    Truncated,
    /// It says the same again and again.
    Repetitive,
    /// It answers, but in an unfriendly way.
    Rude,
    /// It answers something that was not asked.
    OffTopic,
}

impl Corruption {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Wrong, Self::Truncated, Self::Repetitive, Self::Rude, Self::OffTopic];
}

/// The answer of `exchange`, made bad in one way; `None` where it cannot be bad in that way.
pub(super) fn corrupted(
    exchange: &Exchange,
    corruption: Corruption,
    assistant: &Assistant,
    dice: &mut Dice,
) -> Option<String> {
    let Exchange { answer, check, language, .. } = exchange;
    match corruption {
        Corruption::Wrong => wrong(exchange, assistant, dice),
        Corruption::Truncated => truncated(answer, check, dice),
        Corruption::Repetitive => Some(repetitive(answer, dice)),
        Corruption::Rude => Some(rude(answer, *language, dice)),
        Corruption::OffTopic => {
            let others = (0..100).map(|_| assistant.dialogue(dice).1.remove(0));
            let differs =
                |other: &Exchange| other.topic != exchange.topic && check.answer_is_right(&other.answer) != Some(true);
            others.into_iter().find(differs).map(|other| other.answer)
        }
    }
}

/// Invented answers to unanswerable questions, stated as facts.
const BLUFFS: &[&str] = &[
    "It is in Marlow.",
    "That was in the year 1985.",
    "It is a green hill by the sea.",
    "He was a baker, and he lived in Karsk.",
    "It is very big.",
    "The answer is 42.",
    "Yes, that is right.",
    "Once upon a time there was one.",
    "It costs three coins.",
];

const CHINESE_BLUFFS: &[&str] = &["是一个大城市。", "在海边。", "是一九八五年。", "他是一个老师。", "答案是四十二。"];

/// Refusals in place of a known answer.
const REFUSALS: &[&str] = &["I do not know that.", "I am sorry, I do not know that.", "I cannot do that."];

const CHINESE_REFUSALS: &[&str] = &["这个我不知道。", "对不起，我不会。"];

/// An answer that is wrong: of the right kind, but of something else; a refusal; or a bluff.
fn wrong(exchange: &Exchange, assistant: &Assistant, dice: &mut Dice) -> Option<String> {
    let chinese = exchange.language == Language::Chinese;
    let check = &exchange.check;
    if matches!(check, Check::Reply { reply } if reply.wants_admission()) {
        return Some(dice.word(if chinese { CHINESE_BLUFFS } else { BLUFFS }).to_string());
    }
    if dice.chance(25) {
        return Some(dice.word(if chinese { CHINESE_REFUSALS } else { REFUSALS }).to_string());
    }
    match check {
        Check::World { question } => {
            let others: Vec<_> =
                question.attribute.values().iter().copied().filter(|value| *value != question.value).collect();
            Some(exchange.answer.replace(&question.value, dice.word(&others)))
        }
        Check::Arithmetic { problem } => {
            let result = problem.result();
            let near = [result + 1, result + 2, result + 10, result.saturating_sub(1), result.saturating_sub(10)];
            let others: Vec<_> = near.into_iter().filter(|other| *other != result).collect();
            // The last number of the calculation, which is the result.
            let stem = exchange.answer.strip_suffix(&result.to_string())?;
            Some(format!("{stem}{}", dice.pick(&others)))
        }
        Check::Reply { .. } => {
            let topic = match exchange.topic {
                // One exchange alone has no name to recall.
                Topic::Recall | Topic::Turns => Topic::Recall,
                topic => topic,
            };
            let mut others = (0..50).filter_map(|_| assistant.about(topic, dice).pop());
            others.find(|other| check.answer_is_right(&other.answer) == Some(false)).map(|other| other.answer)
        }
        Check::Open => None,
    }
}

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
fn truncated(answer: &str, check: &Check, dice: &mut Dice) -> Option<String> {
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
fn repetitive(answer: &str, dice: &mut Dice) -> String {
    let sentence = answer.split_inclusive(['.', '。', '!', '！']).next().unwrap_or_default();
    vec![sentence; 3 + dice.below(2)].join(if answer.is_ascii() { " " } else { "" })
}

/// The answer with unfriendly words before it, after it, or both, in the language of the prompt.
pub(super) fn rude(answer: &str, language: Language, dice: &mut Dice) -> String {
    let (openings, endings, gap, stop) = if language == Language::Chinese {
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
