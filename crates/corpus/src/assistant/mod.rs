//! Messages to the assistant and good replies: one generator, from which conversations, prompts, preferences, the
//! battery and the dialogues of the pretraining corpus are made.

mod chinese;
mod chinese_things;
mod english;
mod intent;
mod people;
pub(super) mod possessions;
mod recall;
mod story;
mod sums;
mod talk;
mod things;
mod unknown;

pub(super) use intent::reply;
use serde::{Deserialize, Serialize};

use super::arithmetic::ProblemMix;
use super::check::Check;
use super::dice::Dice;
use super::error::CorpusError;
use super::stories::Language;
use super::world::{World, WorldConfig};
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
            unknown: 10,
            recall: 9,
            chinese: 10,
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

/// Draws dialogues of one split.
#[derive(Debug, Clone)]
pub(super) struct Assistant {
    world: World,
    problems: ProblemMix,
    shares: [u32; 10],
    split: Split,
}

impl Assistant {
    /// An assistant that knows the people of `world`. Where `split` has nobody to ask about, nobody is asked about.
    ///
    /// # Panics
    /// If no topic is left.
    pub fn new(world: World, problems: ProblemMix, shares: TopicShares, split: Split) -> Self {
        let mut shares = shares.weights();
        if world.people_of(split).next().is_none() {
            shares[Topic::People as usize] = 0;
        }
        assert!(shares.iter().any(|&share| share > 0), "the shares of all topics are 0");
        Self { world, problems, shares, split }
    }

    /// A dialogue, and its topic: that of what it begins with, or [`Topic::Turns`].
    pub fn dialogue(&self, dice: &mut Dice) -> (Topic, Vec<Exchange>) {
        let topic = Topic::ALL[dice.weighted(&self.shares)];
        (topic, self.about(topic, dice))
    }

    /// A dialogue about `topic`.
    pub fn about(&self, topic: Topic, dice: &mut Dice) -> Vec<Exchange> {
        match topic {
            Topic::People => {
                let most = 1 + dice.weighted(&[60, 25, 15]);
                people::exchanges(&self.world, self.split, most, dice)
            }
            Topic::Recall if dice.chance(10) => vec![recall::never_told(self.split, dice)],
            Topic::Recall => {
                let between = match dice.weighted(&[60, 15, 25]) {
                    0 => vec![],
                    1 => vec![self.short(dice)],
                    _ => self.meanwhile(dice),
                };
                recall::exchanges(self.split, between, dice)
            }
            Topic::Turns if self.recalls() && dice.chance(30) => {
                let mut exchanges = recall::exchanges(self.split, self.meanwhile(dice), dice);
                // Often nobody asks: then what was told is only not to be mistaken for what comes after it.
                exchanges.truncate(exchanges.len() - usize::from(dice.chance(40)));
                exchanges
            }
            Topic::Turns => self.turns(dice),
            topic => vec![self.exchange(topic, dice)],
        }
    }

    /// Two or three exchanges, each about something else, or a later one that follows up the one before it.
    fn turns(&self, dice: &mut Dice) -> Vec<Exchange> {
        let count = 2 + usize::from(dice.chance(35));
        let mut exchanges = vec![self.exchange(self.single(dice), dice)];
        while exchanges.len() < count {
            let before = exchanges.last().map(|exchange| exchange.topic);
            let next = match before {
                Some(Topic::Sum) if dice.chance(60) => sums::follow_up(self.problems, self.split, dice),
                Some(Topic::Story) if dice.chance(50) => self.exchange(Topic::Talk, dice),
                _ => self.exchange(self.single(dice), dice),
            };
            exchanges.push(next);
        }
        exchanges
    }

    /// A topic that one exchange can be about, by the shares.
    fn single(&self, dice: &mut Dice) -> Topic {
        let mut weights = self.shares;
        weights[Topic::Recall as usize] = 0;
        weights[Topic::Turns as usize] = 0;
        weights[Topic::Greeting as usize] *= 2;
        // Stories leave little room for anything else.
        weights[Topic::Story as usize] /= 2;
        if weights.iter().all(|&weight| weight == 0) {
            weights[Topic::Talk as usize] = 1;
        }
        Topic::ALL[dice.weighted(&weights)]
    }

    /// Whether conversations of several topics may tell something and ask for it later.
    fn recalls(&self) -> bool {
        self.shares[Topic::Recall as usize] > 0
    }

    /// What is said between the telling of something and the question for it: one or two stories, often of a named
    /// hero who must not be mistaken for the user, or two or three short exchanges.
    fn meanwhile(&self, dice: &mut Dice) -> Vec<Exchange> {
        if self.shares[Topic::Story as usize] == 0 || dice.chance(35) {
            let count = 2 + usize::from(dice.chance(50));
            return (0..count).map(|_| self.short(dice)).collect();
        }
        let mut exchanges = vec![self.story(dice)];
        match dice.weighted(&[40, 40, 20]) {
            0 => {}
            1 => exchanges.push(self.short(dice)),
            _ => exchanges.push(self.story(dice)),
        }
        exchanges
    }

    /// A story, more often than usual of a named hero.
    fn story(&self, dice: &mut Dice) -> Exchange {
        if dice.chance(50) { story::of_name(self.split, dice) } else { self.exchange(Topic::Story, dice) }
    }

    /// An exchange of few words.
    fn short(&self, dice: &mut Dice) -> Exchange {
        let topic = *dice.pick(&[Topic::Greeting, Topic::Identity, Topic::Talk, Topic::Sum]);
        self.exchange(topic, dice)
    }

    fn exchange(&self, topic: Topic, dice: &mut Dice) -> Exchange {
        let split = self.split;
        match topic {
            Topic::Greeting => intent::draw(english::GREETINGS, Language::English, split, dice),
            Topic::Identity => intent::draw(english::IDENTITY, Language::English, split, dice),
            Topic::Talk => intent::draw(talk::TALK, Language::English, split, dice),
            Topic::Story => story::exchange(Language::English, split, dice),
            Topic::Sum => sums::exchange(self.problems, Language::English, split, dice),
            Topic::Unknown => unknown::english(split, dice),
            Topic::Chinese => self.chinese(dice),
            Topic::People => people::exchanges(&self.world, split, 1, dice).remove(0),
            Topic::Recall | Topic::Turns => unreachable!("more than one exchange"),
        }
    }

    fn chinese(&self, dice: &mut Dice) -> Exchange {
        match dice.weighted(&[60, 20, 10, 10]) {
            0 => intent::draw(chinese::TALK, Language::Chinese, self.split, dice),
            1 => story::exchange(Language::Chinese, self.split, dice),
            2 => sums::exchange(self.problems, Language::Chinese, self.split, dice),
            _ => unknown::chinese(self.split, dice),
        }
    }
}

#[cfg(test)]
mod tests;
