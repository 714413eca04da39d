//! Conversations for supervised fine-tuning.

use serde::{Deserialize, Serialize};

use super::arithmetic::ProblemMix;
use super::assistant::{Assistant, Exchange, TopicShares};
use super::dice::Dice;
use super::error::CorpusError;
use super::flaws::{self, Corruption};
use super::world::{World, WorldConfig};
use super::{Split, Topic};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DialogueTurn {
    /// `user` or `assistant`.
    pub role: String,
    /// Text of the message.
    pub content: String,
}

impl DialogueTurn {
    pub(super) fn user(content: impl Into<String>) -> Self {
        Self { role: "user".to_string(), content: content.into() }
    }

    pub(super) fn assistant(content: impl Into<String>) -> Self {
        Self { role: "assistant".to_string(), content: content.into() }
    }
}

/// Turns of a user and of an assistant, which has the last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialogue {
    /// Its topic.
    pub topic: Topic,
    /// The turns, the user's first.
    pub messages: Vec<DialogueTurn>,
}

/// Configuration of [`conversations`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConversationConfig {
    /// Decides every conversation.
    pub seed: u64,
    /// Relative frequencies of topics.
    pub shares: TopicShares,
    /// The share of problems, in percent, whose numbers have one digit.
    pub one_digit_percent: u8,
    /// The share of problems, in percent, that are differences; the others are sums.
    pub minus_percent: u8,
    /// The share of the assistant's turns, in percent, that has a slip: broken off, said twice, unfriendly or off the
    /// topic; never wrong.
    pub flawed_percent: u8,
    /// The people, the same as in the pretraining documents.
    pub world: WorldConfig,
}

impl Default for ConversationConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            shares: TopicShares::default(),
            one_digit_percent: 45,
            minus_percent: 45,
            flawed_percent: 0,
            world: WorldConfig::default(),
        }
    }
}

impl ConversationConfig {
    /// Checks every number, for both splits.
    ///
    /// # Errors
    /// Says which number is impossible, and what is possible.
    pub fn validate(&self) -> Result<(), CorpusError> {
        self.world.validate()?;
        CorpusError::check_percent("conversations.one_digit_percent", self.one_digit_percent)?;
        CorpusError::check_percent("conversations.minus_percent", self.minus_percent)?;
        CorpusError::check_percent("conversations.flawed_percent", self.flawed_percent)?;
        self.shares.check("conversations", &self.world)
    }

    fn assistant(&self, split: Split) -> Assistant {
        let problems = ProblemMix { one_digit_percent: self.one_digit_percent, minus_percent: self.minus_percent };
        Assistant::new(World::new(&self.world), problems, self.shares, split)
    }
}

/// Endless conversations of `split`. Those of validation ask about people, problems and things, and in words, that
/// those of training do not have.
///
/// # Panics
/// If the configuration is impossible: see [`ConversationConfig::validate`].
pub fn conversations(config: &ConversationConfig, split: Split) -> impl Iterator<Item = Dialogue> + Send + use<> {
    let (seed, flawed_percent) = (config.seed, usize::from(config.flawed_percent));
    let assistant = config.assistant(split);
    (0..).map(move |index| {
        let dice = &mut Dice::new(seed, &format!("conversations/{}", split.name()), index);
        let (topic, exchanges) = assistant.dialogue(dice);
        // Of a stream of their own: the other turns are the same with flaws and without.
        let flaws = &mut Dice::new(seed, &format!("flaws/{}", split.name()), index);
        let turns = exchanges.into_iter().flat_map(|exchange| {
            let answer =
                if flaws.chance(flawed_percent) { slip(&exchange, &assistant, flaws) } else { exchange.answer };
            [DialogueTurn::user(exchange.asked), DialogueTurn::assistant(answer)]
        });
        Dialogue { topic, messages: turns.collect() }
    })
}

/// The answer with a slip that does not make it wrong.
fn slip(exchange: &Exchange, assistant: &Assistant, dice: &mut Dice) -> String {
    let kinds = [Corruption::Truncated, Corruption::Repetitive, Corruption::Rude, Corruption::OffTopic];
    flaws::corrupted(exchange, *dice.pick(&kinds), assistant, dice)
        // Rudeness is always possible, a shorter answer not.
        .unwrap_or_else(|| flaws::rude(&exchange.answer, exchange.language, dice))
}
