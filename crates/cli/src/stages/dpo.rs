//! The stage `dpo`: direct preference optimisation on pairs.

use anyhow::Result;
use fireclay_rlhf::{DpoConfig, dpo};
use fireclay_train::{Outcome, StageRun, StepLoad, TrainError};

use super::examples::pairs;
use super::preference::{PreferenceLoss, PreferenceSection};
use super::{Context, LearnsFrom};
use crate::recipe::PreferenceData;

/// `[dpo]`
pub type DpoSection = PreferenceSection<DpoConfig>;

impl PreferenceLoss for DpoConfig {
    const BATCH: usize = 8;
    const SMALLEST_BATCH: usize = 1;

    fn validate(&self) -> Result<(), TrainError> {
        self.validate()
    }

    fn learns_from(data: &PreferenceData) -> LearnsFrom<'_> {
        LearnsFrom::Pairs(data)
    }

    /// The reference reads both answers too, forwards only.
    fn load(batch: usize) -> StepLoad {
        let (answers, computed) = (2 * batch, 3 * batch);
        StepLoad { consumed: answers, computed, at_once: answers, extra_models: 1, extra_trained: 0 }
    }

    fn run(section: &PreferenceSection<Self>, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        section
            .learn(context, run, pairs, |policy, reference, training| dpo(policy, reference, &section.loss, training))
    }
}
