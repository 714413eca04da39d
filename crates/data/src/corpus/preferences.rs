//! Preference pairs: a good answer, and the same answer corrupted in a known way.

use serde::{Deserialize, Serialize};

use super::conversations::Turn;
use super::dice::Dice;
use super::prompts::{Check, Prompt, PromptConfig, prompts};
use super::{Split, flaws};

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

/// Endless pairs, the kinds of corruption equally often. Prompts are those of [`prompts`] with the same configuration
/// and split, at most one pair each.
///
/// # Panics
/// If the configuration is impossible, as [`prompts`].
pub fn preferences(config: &PromptConfig, split: Split) -> impl Iterator<Item = PreferencePair> + Send + use<> {
    let seed = config.seed;
    // Corrupting "off topic" needs an answer to something else: another stream of prompts of every kind gives it.
    let everything = PromptConfig { seed: seed.wrapping_add(1), ..config.of_every_kind() };
    let mut others = prompts(&everything, split);
    prompts(config, split).zip(0..).filter_map(move |(prompt, index)| {
        let dice = &mut Dice::new(seed, &format!("preferences/{}", split.name()), index);
        let corruption = *dice.pick(&Corruption::ALL);
        let rejected = match corruption {
            Corruption::Wrong => wrong(&prompt, dice),
            Corruption::Truncated => flaws::truncated(&prompt.reference, &prompt.check, dice),
            Corruption::Repetitive => Some(flaws::repetitive(&prompt.reference, dice)),
            Corruption::Rude => {
                let chinese = prompt.messages.iter().any(|turn| flaws::in_chinese(&turn.content));
                Some(flaws::rude(&prompt.reference, chinese, dice))
            }
            Corruption::OffTopic => flaws::off_topic(&prompt.check, &mut others),
        };
        let Prompt { messages, check, reference: chosen, .. } = prompt;
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
            Some(dice.pick(&others).to_string())
        }
        Check::Open => None,
    }
}
