//! Prompts for reinforcement learning, each with what its verifier needs.

use serde::{Deserialize, Serialize};

use super::arithmetic::ProblemMix;
use super::assistant::{Assistant, Exchange, TopicShares};
use super::check::Check;
use super::conversations::DialogueTurn;
use super::dice::Dice;
use super::error::CorpusError;
use super::world::{World, WorldConfig};
use super::{Split, Topic};

/// A conversation that waits for the assistant's next turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Its topic.
    pub topic: Topic,
    /// The turns so far, the last one the user's.
    pub messages: Vec<DialogueTurn>,
    /// Check of the answer.
    pub check: Check,
    /// A good answer.
    pub reference: String,
}

impl Prompt {
    /// A dialogue up to its last answer, and that answer's exchange.
    pub(super) fn of_dialogue(topic: Topic, mut exchanges: Vec<Exchange>) -> (Self, Exchange) {
        let last = exchanges.pop().expect("a dialogue has an exchange");
        let before = exchanges
            .into_iter()
            .flat_map(|Exchange { asked, answer, .. }| [DialogueTurn::user(asked), DialogueTurn::assistant(answer)]);
        let messages = before.chain([DialogueTurn::user(&last.asked)]).collect();
        (Self { topic, messages, check: last.check.clone(), reference: last.answer.clone() }, last)
    }
}

/// Configuration of [`prompts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptConfig {
    /// Decides every prompt.
    pub seed: u64,
    /// Relative frequencies of topics.
    pub shares: TopicShares,
    /// The share of problems, in percent, whose numbers have one digit.
    pub one_digit_percent: u8,
    /// The share of problems, in percent, that are differences; the others are sums.
    pub minus_percent: u8,
    /// The people, the same as in the pretraining documents.
    pub world: WorldConfig,
}

impl Default for PromptConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            shares: TopicShares::default(),
            one_digit_percent: 35,
            minus_percent: 50,
            world: WorldConfig::default(),
        }
    }
}

impl PromptConfig {
    /// Checks every number, for both splits.
    ///
    /// # Errors
    /// Says which number is impossible, and what is possible.
    pub fn validate(&self) -> Result<(), CorpusError> {
        self.world.validate()?;
        CorpusError::check_percent("prompts.one_digit_percent", self.one_digit_percent)?;
        CorpusError::check_percent("prompts.minus_percent", self.minus_percent)?;
        self.shares.check("prompts", &self.world)
    }

    /// The assistant that answers the prompts of `split`.
    pub(super) fn assistant(&self, split: Split) -> Assistant {
        let problems = ProblemMix { one_digit_percent: self.one_digit_percent, minus_percent: self.minus_percent };
        Assistant::new(World::new(&self.world), problems, self.shares, split)
    }
}

/// Endless prompts of `split`. Those of training ask about the people that conversations ask about, those of validation
/// about the others; problems, things and words of validation are unknown to training.
///
/// # Panics
/// If the configuration is impossible: see [`PromptConfig::validate`].
pub fn prompts(config: &PromptConfig, split: Split) -> impl Iterator<Item = Prompt> + Send + use<> {
    let assistant = config.assistant(split);
    let seed = config.seed;
    (0..).map(move |index| {
        let dice = &mut Dice::new(seed, &format!("prompts/{}", split.name()), index);
        let (topic, exchanges) = assistant.dialogue(dice);
        Prompt::of_dialogue(topic, exchanges).0
    })
}
