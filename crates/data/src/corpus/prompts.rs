//! Prompts for reinforcement learning, each with what its verifier needs.

use serde::{Deserialize, Serialize};

use super::Split;
use super::arithmetic::{Problem, ProblemMix};
use super::conversations::{self, Turn};
use super::dice::Dice;
use super::pretraining::CorpusError;
use super::stories::{self, Language};
use super::topic::Topic;
use super::world::{Attribute, Question, World, WorldConfig};

/// How the answer to a prompt is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Check {
    /// A question about a person: the answer must state the right value and no other.
    World {
        /// The question, with its value.
        question: Question,
    },
    /// A problem: the answer must give the right result.
    Arithmetic {
        /// The problem.
        problem: Problem,
    },
    /// Anything may be said: only a reward model can judge it.
    Open,
}

impl Check {
    /// Whether `answer` is right, or `None` if there is no right or wrong.
    #[must_use]
    pub fn answer_is_right(&self, answer: &str) -> Option<bool> {
        match self {
            Self::World { question } => Some(question.answer_is_right(answer)),
            Self::Arithmetic { problem } => Some(problem.answer_is_right(answer)),
            Self::Open => None,
        }
    }
}

/// A conversation that waits for the assistant's next turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// What it is about.
    pub topic: Topic,
    /// The turns so far, the last one the user's.
    pub messages: Vec<Turn>,
    /// How the answer is judged.
    pub check: Check,
    /// A good answer.
    pub reference: String,
}

/// What [`prompts`] generates. The shares are numbers of prompts in relation to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptConfig {
    /// Decides every prompt.
    pub seed: u64,
    /// Questions about people, in one turn.
    pub world_share: u32,
    /// Problems.
    pub arithmetic_share: u32,
    /// Small talk.
    pub small_talk_share: u32,
    /// Requests for stories.
    pub story_share: u32,
    /// The share of small talk and stories, in percent, that is in Chinese.
    pub chinese_percent: u8,
    /// The share of problems, in percent, whose numbers have one digit.
    pub one_digit_percent: u8,
    /// The share of problems, in percent, that are differences; the others are sums.
    pub minus_percent: u8,
    /// The people, the same as in the pretraining documents.
    pub world: WorldConfig,
}

impl Default for PromptConfig {
    /// Questions about people only: they can be judged exactly.
    fn default() -> Self {
        Self {
            seed: 0,
            world_share: 1,
            arithmetic_share: 0,
            small_talk_share: 0,
            story_share: 0,
            chinese_percent: 0,
            one_digit_percent: 0,
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
        CorpusError::check_percent("prompts.chinese_percent", self.chinese_percent)?;
        CorpusError::check_percent("prompts.one_digit_percent", self.one_digit_percent)?;
        CorpusError::check_percent("prompts.minus_percent", self.minus_percent)?;
        let others = [self.arithmetic_share, self.small_talk_share, self.story_share];
        CorpusError::check_shares("prompts", self.world_share, &others, &self.world)
    }

    /// Prompts of every kind, about the same people: what is not asked for, when something else is.
    pub(super) fn of_every_kind(self) -> Self {
        Self { world_share: 3, arithmetic_share: 2, small_talk_share: 3, story_share: 1, chinese_percent: 10, ..self }
    }

    fn shares(&self, world: &World, split: Split) -> [u32; 4] {
        let nobody = world.people_of(split).next().is_none();
        let world_share = if nobody { 0 } else { self.world_share };
        [world_share, self.arithmetic_share, self.small_talk_share, self.story_share]
    }

    fn problems(&self) -> ProblemMix {
        ProblemMix { one_digit_percent: self.one_digit_percent, minus_percent: self.minus_percent }
    }

    fn language(&self, dice: &mut Dice) -> Language {
        if dice.chance(usize::from(self.chinese_percent)) { Language::Chinese } else { Language::English }
    }
}

/// Endless prompts of `split`. Those of training ask about the people that conversations ask about, those of
/// validation about the others; problems and words of validation are unknown to training.
///
/// # Panics
/// If the configuration is impossible: see [`PromptConfig::validate`].
pub fn prompts(config: &PromptConfig, split: Split) -> impl Iterator<Item = Prompt> + Send + use<> {
    let prompts = Prompts::new(config, split);
    let seed = config.seed;
    (0..).map(move |index| prompts.draw(&mut Dice::new(seed, &format!("prompts/{}", split.name()), index)))
}

/// The prompts of one split.
pub(super) struct Prompts {
    config: PromptConfig,
    split: Split,
    world: World,
    shares: [u32; 4],
}

impl Prompts {
    /// # Panics
    /// If the configuration is impossible: see [`PromptConfig::validate`].
    pub fn new(config: &PromptConfig, split: Split) -> Self {
        let world = World::new(&config.world);
        let shares = config.shares(&world, split);
        assert!(shares.iter().any(|&share| share > 0), "the shares of the prompts are all 0");
        Self { config: *config, split, world, shares }
    }

    /// The prompt that `dice` give.
    pub fn draw(&self, dice: &mut Dice) -> Prompt {
        let (config, split) = (&self.config, self.split);
        match dice.weighted(&self.shares) {
            0 => about_a_person(&self.world, split, dice),
            1 => arithmetic(config.problems(), split, dice),
            2 => {
                let [said, reply] = conversations::remark(config.language(dice), split, dice);
                Prompt { topic: Topic::Talk, messages: vec![said], check: Check::Open, reference: reply.content }
            }
            _ => {
                let story = stories::draw(config.language(dice), split, dice);
                let request = conversations::story_request(&story, split, dice);
                Prompt {
                    topic: Topic::Story,
                    messages: vec![Turn::user(request)],
                    check: Check::Open,
                    reference: story.text,
                }
            }
        }
    }
}

fn about_a_person(world: &World, split: Split, dice: &mut Dice) -> Prompt {
    let people: Vec<_> = world.people_of(split).collect();
    let person = people[dice.below(people.len())];
    let question = World::question(person, *dice.pick(&Attribute::ALL), dice);
    Prompt {
        topic: Topic::People,
        messages: vec![Turn::user(&question.text)],
        reference: question.answer.clone(),
        check: Check::World { question },
    }
}

fn arithmetic(mix: ProblemMix, split: Split, dice: &mut Dice) -> Prompt {
    let problem = Problem::draw(split, mix, dice);
    Prompt {
        topic: Topic::Sum,
        messages: vec![Turn::user(conversations::sum_request(problem, split, dice))],
        check: Check::Arithmetic { problem },
        reference: conversations::sum_answer(problem),
    }
}
