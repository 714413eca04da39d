//! The stage `grpo`: group-relative policy optimisation.

use anyhow::Result;
use fireclay_rlhf::{Grpo, GrpoConfig};
use fireclay_train::{Outcome, StageRun, TrainError};

use super::Context;
use super::online::{OnlineAlgorithm, OnlineSection};

/// `[grpo]`
pub type GrpoSection = OnlineSection<GrpoConfig>;

impl OnlineAlgorithm for GrpoConfig {
    const PROMPTS: usize = 16;
    const COMPARES_ANSWERS: bool = true;

    fn validate(&self) -> Result<(), TrainError> {
        self.validate()
    }

    fn epochs(&self) -> u64 {
        self.epochs
    }

    fn minibatch(&self) -> usize {
        self.minibatch
    }

    fn run(section: &OnlineSection<Self>, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let policy = section.policy(context)?;
        let mut algorithm = Grpo { config: section.algorithm.clone(), max_tokens: section.rollouts.max_tokens };
        section.learn(context, run, policy.clone(), &policy, &mut algorithm)
    }
}
