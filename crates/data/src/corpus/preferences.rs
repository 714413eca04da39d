//! Preference pairs: a good answer, and the same answer corrupted in a known way.

use serde::{Deserialize, Serialize};

use super::Split;
use super::conversations::Turn;
use super::dice::Dice;
use super::prompts::{Check, Prompt, PromptConfig, prompts};

/// What is bad about the rejected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// It states somebody else's value, or another number.
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

/// A prompt with a better and a worse answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreferencePair {
    /// The turns so far, the last one the user's.
    pub messages: Vec<Turn>,
    /// The better answer.
    pub chosen: String,
    /// The worse answer.
    pub rejected: String,
    /// What is bad about the worse answer.
    pub corruption: Corruption,
    /// How answers to the prompt are judged.
    pub check: Check,
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

/// Endless pairs, the kinds of corruption equally often. Prompts are those of [`prompts`] with the same configuration
/// and split, at most one pair each.
///
/// # Panics
/// If the configuration is impossible, as [`prompts`].
pub fn preferences(config: &PromptConfig, split: Split) -> impl Iterator<Item = PreferencePair> + Send + use<> {
    let seed = config.seed;
    // Corrupting "off topic" needs an answer to something else: another stream of prompts of every kind gives it.
    let everything = PromptConfig {
        seed: seed.wrapping_add(1),
        world_share: 3,
        arithmetic_share: 2,
        small_talk_share: 3,
        story_share: 1,
        chinese_percent: 10,
        ..*config
    };
    let mut others = prompts(&everything, split);
    prompts(config, split).zip(0..).filter_map(move |(prompt, index)| {
        let dice = &mut Dice::new(seed, &format!("preferences/{}", split.name()), index);
        let corruption = *dice.pick(&Corruption::ALL);
        let rejected = match corruption {
            Corruption::Wrong => wrong(&prompt, dice),
            // "34" of "34 + 0 = 34" would be right after all.
            Corruption::Truncated => truncated(&prompt.reference, dice)
                .filter(|rejected| prompt.check.answer_is_right(rejected) != Some(true)),
            Corruption::Repetitive => Some(repetitive(&prompt, dice)),
            Corruption::Rude => Some(rude(&prompt, dice)),
            Corruption::OffTopic => off_topic(&prompt, &mut others),
        };
        let Prompt { messages, check, reference: chosen } = prompt;
        rejected.map(|rejected| PreferencePair { messages, chosen, rejected, corruption, check })
    })
}

/// The answer with another value, or `None` if nothing in it can be wrong.
fn wrong(prompt: &Prompt, dice: &mut Dice) -> Option<String> {
    match &prompt.check {
        Check::World { question } => {
            let others: Vec<_> =
                question.attribute.values().iter().copied().filter(|value| *value != question.value).collect();
            Some(prompt.reference.replace(&question.value, dice.word(&others)))
        }
        Check::Arithmetic { problem } => {
            let result = problem.result();
            let near = [result + 1, result + 2, result + 10, result.saturating_sub(1), result.saturating_sub(10)];
            let others: Vec<_> = near.into_iter().filter(|other| *other != result).collect();
            Some(format!("{} = {}", problem.expression(), dice.pick(&others)))
        }
        Check::Open => None,
    }
}

/// The first part of the answer, cut before its last word or earlier, with no full stop; `None` if it is one word.
fn truncated(answer: &str, dice: &mut Dice) -> Option<String> {
    let words: Vec<&str> = answer.split_inclusive(' ').collect();
    let cut = if words.len() > 1 {
        words[..=dice.below(words.len() - 1)].concat()
    } else {
        let chars: Vec<char> = answer.chars().collect();
        let keep = (chars.len() / 4).max(1) + dice.below((chars.len() / 2).max(1));
        chars[..keep.min(chars.len().saturating_sub(2))].iter().collect()
    };
    let cut = cut.trim_end_matches([' ', '.', '!', '?', '"', ',', '。', '！', '？', '”', '，']);
    (!cut.is_empty() && cut.len() < answer.len()).then(|| cut.to_string())
}

/// The answer, or the first sentence of a long one, three or four times.
fn repetitive(prompt: &Prompt, dice: &mut Dice) -> String {
    let answer = &prompt.reference;
    let sentence = answer.split_inclusive(['.', '。', '!', '！']).next().unwrap_or_default();
    vec![sentence; 3 + dice.below(2)].join(if in_chinese(answer) { "" } else { " " })
}

/// Whether `text` has Chinese characters.
fn in_chinese(text: &str) -> bool {
    text.contains(|c: char| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// The answer with unfriendly words before it, after it, or both, in the language of the prompt.
fn rude(prompt: &Prompt, dice: &mut Dice) -> String {
    let chinese = prompt.messages.iter().any(|turn| in_chinese(&turn.content));
    let (openings, endings, gap, stop) = if chinese {
        (RUDE_CHINESE_OPENINGS, RUDE_CHINESE_ENDINGS, "", "。")
    } else {
        (RUDE_OPENINGS, RUDE_ENDINGS, " ", ".")
    };
    // Answers in digits have no full stop of their own.
    let in_digits = prompt.reference.ends_with(|c: char| c.is_ascii_digit());
    let answer = format!("{}{}", prompt.reference, if in_digits { stop } else { "" });
    match dice.below(3) {
        0 => [dice.word(openings), &answer].join(gap),
        1 => [answer.as_str(), dice.word(endings)].join(gap),
        _ => [dice.word(openings), &answer, dice.word(endings)].join(gap),
    }
}

/// A good answer to another kind of question, which is not right for this one by chance.
fn off_topic(prompt: &Prompt, others: &mut impl Iterator<Item = Prompt>) -> Option<String> {
    let answers_the_same = |other: &Prompt| match (&prompt.check, &other.check) {
        (Check::World { question: asked }, Check::World { question: other }) => asked.attribute == other.attribute,
        (Check::Arithmetic { .. }, Check::Arithmetic { .. }) | (Check::Open, Check::Open) => true,
        _ => false,
    };
    others
        .take(100)
        .find(|other| !answers_the_same(other) && prompt.check.answer_is_right(&other.reference) != Some(true))
        .map(|other| other.reference)
}
