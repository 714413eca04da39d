//! The stage `reinforce`: policy gradient with a running mean of rewards as baseline.

use anyhow::Result;
use fireclay_rlhf::{Reinforce, ReinforceConfig};
use fireclay_train::{Outcome, StageRun, TrainError};

use super::Context;
use super::online::{OnlineAlgorithm, OnlineSection};

/// `[reinforce]`
pub type ReinforceSection = OnlineSection<ReinforceConfig>;

impl OnlineAlgorithm for ReinforceConfig {
    const PROMPTS: usize = 32;
    const COMPARES_ANSWERS: bool = false;

    fn validate(&self) -> Result<(), TrainError> {
        self.validate()
    }

    fn minibatch(&self) -> usize {
        self.minibatch
    }

    fn run(section: &OnlineSection<Self>, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let policy = section.policy(context)?;
        let mut algorithm = Reinforce::new(section.algorithm.clone());
        section.learn(context, run, policy.clone(), &policy, &mut algorithm)
    }
}
