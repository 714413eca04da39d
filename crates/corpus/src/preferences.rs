//! Preference pairs: a good answer, and a worse one that is bad in a known way.

use serde::{Deserialize, Serialize};

use super::check::Check;
use super::conversations::DialogueTurn;
use super::dice::Dice;
use super::flaws;
use super::prompts::{Prompt, PromptConfig};
use super::{Split, Topic};

pub use super::flaws::Corruption;

/// A prompt with a better and a worse answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreferencePair {
    /// Topic of the prompt.
    pub topic: Topic,
    /// The turns so far, the last one the user's.
    pub messages: Vec<DialogueTurn>,
    /// The better answer.
    pub chosen: String,
    /// The worse answer.
    pub rejected: String,
    /// Fault of the worse answer.
    pub corruption: Corruption,
    /// Check of answers to the prompt.
    pub check: Check,
}

/// Endless pairs, the kinds of corruption equally often, about the topics of `config`.
///
/// # Panics
/// If the configuration is impossible, as [`prompts`](super::prompts()).
pub fn preferences(config: &PromptConfig, split: Split) -> impl Iterator<Item = PreferencePair> + Send + use<> {
    let assistant = config.assistant(split);
    let seed = config.seed;
    (0..).filter_map(move |index| {
        let dice = &mut Dice::new(seed, &format!("preferences/{}", split.name()), index);
        let (topic, exchanges) = assistant.dialogue(dice);
        let (prompt, exchange) = Prompt::of_dialogue(topic, exchanges);
        let corruption = *dice.pick(&Corruption::ALL);
        let rejected = flaws::corrupted(&exchange, corruption, &assistant, dice)?;
        let Prompt { messages, check, reference: chosen, .. } = prompt;
        Some(PreferencePair { topic, messages, chosen, rejected, corruption, check })
    })
}
