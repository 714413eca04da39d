//! Messages to the assistant and good replies: one generator, from which conversations, prompts, preferences, the
//! battery and the dialogues of the pretraining corpus are made.

mod chinese;
mod chinese_things;
mod dialogue;
mod english;
mod facts;
mod intent;
mod numbers;
mod people;
pub(super) mod possessions;
mod recall;
mod story;
mod story_talk;
mod sums;
mod talk;
mod things;
mod unknown;

pub(super) use dialogue::Assistant;
pub(super) use intent::reply;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::error::CorpusError;
use super::stories::Language;
use super::world::WorldConfig;
use super::{Split, Topic};

/// Something that is said to the assistant, and a good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Its topic.
    pub topic: Topic,
    /// The language that the answer is in.
    pub language: Language,
    /// The user's message.
    pub asked: String,
    /// A good answer.
    pub answer: String,
    /// Check of an answer.
    pub check: Check,
}

/// Relative frequencies of topics in conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopicShares {
    /// Hello and goodbye.
    pub greeting: u32,
    /// Who the assistant is, and what it can do.
    pub identity: u32,
    /// Small talk.
    pub talk: u32,
    /// Stories.
    pub story: u32,
    /// Sums and differences.
    pub sum: u32,
    /// The people of the invented world.
    pub people: u32,
    /// Questions that the assistant cannot answer.
    pub unknown: u32,
    /// Facts that the user told before.
    pub recall: u32,
    /// Any of these in Chinese.
    pub chinese: u32,
    /// Conversations that go from one topic to another.
    pub turns: u32,
}

impl Default for TopicShares {
    fn default() -> Self {
        Self {
            greeting: 8,
            identity: 9,
            talk: 14,
            story: 14,
            sum: 16,
            people: 9,
            unknown: 11,
            recall: 12,
            chinese: 13,
            turns: 14,
        }
    }
}

impl TopicShares {
    /// Checks that both splits of `section` have something to say.
    pub(crate) fn check(self, section: &'static str, world: &WorldConfig) -> Result<(), CorpusError> {
        let about_people = self.people;
        if (Self { people: 0, ..self }).weights().iter().any(|&share| share > 0) {
            return Ok(());
        }
        if about_people == 0 {
            return Err(CorpusError::NoShareOf { section });
        }
        let split = match world.held_out_people {
            0 => Split::Validation,
            all if all == world.people => Split::Train,
            _ => return Ok(()),
        };
        Err(CorpusError::NobodyToAsk { section, split: split.name(), people: world.people })
    }

    /// Only one topic.
    #[must_use]
    pub fn only(topic: Topic) -> Self {
        let mut shares = [0; 10];
        shares[topic as usize] = 1;
        let [greeting, identity, talk, story, sum, people, unknown, recall, chinese, turns] = shares;
        Self { greeting, identity, talk, story, sum, people, unknown, recall, chinese, turns }
    }

    /// In the order of [`Topic::ALL`].
    #[must_use]
    pub fn weights(self) -> [u32; 10] {
        let Self { greeting, identity, talk, story, sum, people, unknown, recall, chinese, turns } = self;
        [greeting, identity, talk, story, sum, people, unknown, recall, chinese, turns]
    }
}

#[cfg(test)]
mod tests;
