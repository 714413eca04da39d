//! Conversations for supervised fine-tuning.

mod small_talk;
mod careless;

use serde::{Deserialize, Serialize};

use super::Split;
use super::arithmetic::{Problem, ProblemMix};
use super::dice::Dice;
use super::pretraining::CorpusError;
use super::prompts::Check;
use super::stories::{self, Language, Story};
use super::template::Bindings;
use super::world::{Attribute, World, WorldConfig};
use careless::{Exchanged, Flaws};
use small_talk::Exchange;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Turn {
    pub(super) fn user(content: impl Into<String>) -> Self {
        Self { role: "user".to_string(), content: content.into() }
    }

    pub(super) fn assistant(content: impl Into<String>) -> Self {
        Self { role: "assistant".to_string(), content: content.into() }
    }
}

/// What a conversation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// One to three questions about people of the world.
    World,
    /// A story is asked for and told.
    Story,
    /// Greetings, thanks and the like.
    SmallTalk,
    /// One or two problems.
    Arithmetic,
}

impl ConversationKind {
    const ALL: [Self; 4] = [Self::World, Self::Story, Self::SmallTalk, Self::Arithmetic];
}

/// Turns of a user and of an assistant, which has the last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// What it is about.
    pub kind: ConversationKind,
    /// The turns, the user's first.
    pub messages: Vec<Turn>,
}

/// What [`conversations`] generates. The four shares are numbers of conversations in relation to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConversationConfig {
    /// Decides every conversation.
    pub seed: u64,
    /// Questions about people.
    pub world_share: u32,
    /// Requests for stories.
    pub story_share: u32,
    /// Small talk.
    pub small_talk_share: u32,
    /// Problems.
    pub arithmetic_share: u32,
    /// The share of stories and small talk, in percent, that is in Chinese.
    pub chinese_percent: u8,
    /// The share of problems, in percent, whose numbers have one digit.
    pub one_digit_percent: u8,
    /// The share of problems, in percent, that are differences; the others are sums.
    pub minus_percent: u8,
    /// The share of problems, in percent, that are answered by the whole equation, `23 + 45 = 68`, the others by `68` alone. Equations
    /// carry over what pretraining on such lines taught, once a model has learnt to copy the problem; without them it must add at a distance.
    pub equation_percent: u8,
    /// The share of the assistant's turns about people and in small talk, in percent, that is broken off, repeats itself,
    /// is rude or answers something else, as careless people write; never wrong.
    pub flawed_percent: u8,
    /// The people, the same as in the pretraining documents.
    pub world: WorldConfig,
}

impl Default for ConversationConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            world_share: 45,
            story_share: 20,
            small_talk_share: 20,
            arithmetic_share: 15,
            chinese_percent: 25,
            one_digit_percent: 60,
            minus_percent: 50,
            equation_percent: 0,
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
        CorpusError::check_percent("conversations.chinese_percent", self.chinese_percent)?;
        CorpusError::check_percent("conversations.one_digit_percent", self.one_digit_percent)?;
        CorpusError::check_percent("conversations.minus_percent", self.minus_percent)?;
        CorpusError::check_percent("conversations.equation_percent", self.equation_percent)?;
        CorpusError::check_percent("conversations.flawed_percent", self.flawed_percent)?;
        let others = [self.story_share, self.small_talk_share, self.arithmetic_share];
        CorpusError::check_shares("conversations", self.world_share, &others, &self.world)
    }

    fn problems(&self) -> ProblemMix {
        ProblemMix { one_digit_percent: self.one_digit_percent, minus_percent: self.minus_percent }
    }

    pub(super) fn language(&self, dice: &mut Dice) -> Language {
        if dice.chance(usize::from(self.chinese_percent)) { Language::Chinese } else { Language::English }
    }
}

/// Endless conversations of `split`. Those of validation ask about people and problems, and in words, that those of
/// training do not have.
///
/// # Panics
/// If the configuration is impossible: see [`ConversationConfig::validate`].
pub fn conversations(config: &ConversationConfig, split: Split) -> impl Iterator<Item = Conversation> + Send + use<> {
    let config = *config;
    let world = World::new(&config.world);
    let people_asked = world.people_of(split).count();
    let world_share = if people_asked == 0 { 0 } else { config.world_share };
    let shares = [world_share, config.story_share, config.small_talk_share, config.arithmetic_share];
    assert!(shares.iter().any(|&share| share > 0), "the shares of the conversations are all 0");
    let flaws = Flaws::new(&config, split);
    (0..).map(move |index| {
        let dice = &mut Dice::new(config.seed, &format!("conversations/{}", split.name()), index);
        let kind = ConversationKind::ALL[dice.weighted(&shares)];
        let messages = match kind {
            ConversationKind::World => flaws.spoil(about_people(&world, split, dice), index),
            ConversationKind::Story => story(config.language(dice), split, dice),
            ConversationKind::SmallTalk => flaws.spoil(small_talk(config.language(dice), split, dice), index),
            ConversationKind::Arithmetic => arithmetic(&config, split, dice),
        };
        Conversation { kind, messages }
    })
}

/// Up to three questions: the first names a person, the others say "he" or "she", or turn to somebody else.
fn about_people(world: &World, split: Split, dice: &mut Dice) -> Vec<Exchanged> {
    let people: Vec<_> = world.people_of(split).collect();
    let mut person = *dice.pick(&people);
    let mut attributes = Attribute::ALL;
    dice.shuffle(&mut attributes);
    let turns = 1 + dice.weighted(&[50, 30, 20]);
    let mut exchanges = Vec::new();
    for (turn, attribute) in attributes.into_iter().take(turns).enumerate() {
        let question = if turn == 0 || dice.chance(30) {
            person = if turn == 0 { person } else { *dice.pick(&people) };
            World::question(person, attribute, dice)
        } else {
            World::follow_up(person, attribute, dice)
        };
        exchanges.push(Exchanged {
            asked: Turn::user(&question.text),
            answered: Turn::assistant(&question.answer),
            check: Check::World { question },
        });
    }
    exchanges
}

fn story(language: Language, split: Split, dice: &mut Dice) -> Vec<Turn> {
    let story = stories::draw(language, split, dice);
    vec![Turn::user(story_request(&story, split, dice)), Turn::assistant(story.text)]
}

/// A request for `story`, in one of the wordings of `split`.
pub(super) fn story_request(story: &Story, split: Split, dice: &mut Dice) -> String {
    let requests = match story.language {
        Language::English => small_talk::STORY_REQUESTS,
        Language::Chinese => small_talk::CHINESE_STORY_REQUESTS,
    };
    let mut bindings = Bindings::default();
    bindings.set("description", &story.description);
    bindings.set("hero", &story.hero);
    bindings.set("topic", &story.topic);
    bindings.fill(dice.word(of_split(requests, split)))
}

fn small_talk(language: Language, split: Split, dice: &mut Dice) -> Vec<Exchanged> {
    let (greetings, talk, farewells) = match language {
        Language::English => (small_talk::GREETINGS, small_talk::TALK, small_talk::FAREWELLS),
        Language::Chinese => (small_talk::CHINESE_GREETINGS, small_talk::CHINESE_TALK, small_talk::CHINESE_FAREWELLS),
    };
    let mut said = Vec::new();
    if dice.chance(50) {
        said.push(dice.pick(greetings));
    }
    if dice.chance(70) || said.is_empty() {
        said.push(dice.pick(talk));
    }
    if dice.chance(30) {
        said.push(dice.pick(farewells));
    }
    said.into_iter()
        .map(|Exchange { says, replies }| Exchanged {
            asked: Turn::user(dice.word(of_split(says, split))),
            answered: Turn::assistant(dice.word(replies)),
            check: Check::Open,
        })
        .collect()
}

/// One exchange of small talk.
pub(super) fn remark(language: Language, split: Split, dice: &mut Dice) -> [Turn; 2] {
    let talk = match language {
        Language::English => small_talk::TALK,
        Language::Chinese => small_talk::CHINESE_TALK,
    };
    let Exchange { says, replies } = dice.pick(talk);
    [Turn::user(dice.word(of_split(says, split))), Turn::assistant(dice.word(replies))]
}

fn arithmetic(config: &ConversationConfig, split: Split, dice: &mut Dice) -> Vec<Turn> {
    let problems = if dice.chance(30) { 2 } else { 1 };
    (0..problems)
        .flat_map(|_| {
            let problem = Problem::draw(split, config.problems(), dice);
            let request = Turn::user(sum_request(problem, split, dice));
            // Nothing is drawn where there is no choice, so that a corpus without equations stays as it was before they came.
            let equation = config.equation_percent > 0 && dice.chance(usize::from(config.equation_percent));
            [request, Turn::assistant(if equation { problem.solved() } else { sum_answer(problem) })]
        })
        .collect()
}

/// A request for the result of `problem`, in one of the wordings of `split`.
pub(super) fn sum_request(problem: Problem, split: Split, dice: &mut Dice) -> String {
    let mut bindings = Bindings::default();
    bindings.set("expression", problem.expression());
    bindings.fill(dice.word(of_split(small_talk::SUM_REQUESTS, split)))
}

/// The short answer to a problem: the result alone.
pub(super) fn sum_answer(problem: Problem) -> String {
    problem.result().to_string()
}

/// The wordings of a split: the last one is validation's, the others are training's.
fn of_split(wordings: &'static [&'static str], split: Split) -> &'static [&'static str] {
    let (training, validation) = wordings.split_at(wordings.len() - 1);
    match split {
        Split::Train => training,
        Split::Validation => validation,
    }
}
