//! The stage `rloo`: policy gradient whose baseline is the mean reward of the other answers to the prompt.

use anyhow::Result;
use fireclay_rlhf::{Rloo, RlooConfig};
use fireclay_train::{Outcome, StageRun, TrainError};

use super::Context;
use super::online::{OnlineAlgorithm, OnlineSection};

/// `[rloo]`
pub type RlooSection = OnlineSection<RlooConfig>;

impl OnlineAlgorithm for RlooConfig {
    const PROMPTS: usize = 16;
    const COMPARES_ANSWERS: bool = true;

    fn validate(&self) -> Result<(), TrainError> {
        self.validate()
    }

    fn minibatch(&self) -> usize {
        self.minibatch
    }

    fn run(section: &OnlineSection<Self>, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let policy = section.policy(context)?;
        let mut algorithm = Rloo { config: section.algorithm.clone() };
        section.learn(context, run, policy.clone(), &policy, &mut algorithm)
    }
}
