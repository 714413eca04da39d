//! Answers as careless people write them.

use super::{ConversationConfig, Turn};
use crate::corpus::dice::Dice;
use crate::corpus::prompts::{Check, PromptConfig, Prompts};
use crate::corpus::{Corruption, Split, flaws};

/// A question or remark, what was said to it, and how that would be judged.
pub(super) struct Exchanged {
    pub asked: Turn,
    pub answered: Turn,
    pub check: Check,
}

/// Spoils a share of the answers. What is asked and the other answers stay as they are without it.
pub(super) struct Flaws {
    percent: usize,
    seed: u64,
    split: Split,
    others: Prompts,
}

impl Flaws {
    /// Every corruption that does not make an answer wrong.
    const KINDS: [Corruption; 4] =
        [Corruption::Truncated, Corruption::Repetitive, Corruption::Rude, Corruption::OffTopic];

    pub fn new(config: &ConversationConfig, split: Split) -> Self {
        let same_people = PromptConfig {
            one_digit_percent: config.one_digit_percent,
            minus_percent: config.minus_percent,
            world: config.world,
            ..PromptConfig::default()
        };
        let others = Prompts::new(&same_people.of_every_kind(), split);
        Self { percent: usize::from(config.flawed_percent), seed: config.seed, split, others }
    }

    /// The turns of conversation `index`.
    pub fn spoil(&self, exchanges: Vec<Exchanged>, index: u64) -> Vec<Turn> {
        let dice = &mut Dice::new(self.seed, &format!("flaws/{}", self.split.name()), index);
        let turns = exchanges.into_iter().flat_map(|Exchanged { asked, mut answered, check }| {
            if dice.chance(self.percent) {
                answered.content = self.flawed(&asked.content, &answered.content, &check, dice);
            }
            [asked, answered]
        });
        turns.collect()
    }

    fn flawed(&self, asked: &str, answer: &str, check: &Check, dice: &mut Dice) -> String {
        let flawed = match dice.pick(&Self::KINDS) {
            Corruption::Truncated => flaws::truncated(answer, check, dice),
            Corruption::Repetitive => Some(flaws::repetitive(answer, dice)),
            Corruption::OffTopic => {
                let mut others = std::iter::repeat_with(|| self.others.draw(dice));
                flaws::off_topic(check, &mut others)
            }
            Corruption::Rude | Corruption::Wrong => None,
        };
        // Rudeness is always possible, a shorter answer not.
        flawed.unwrap_or_else(|| flaws::rude(answer, flaws::in_chinese(asked), dice))
    }
}
