//! The stage `kto`: Kahneman–Tversky optimisation on answers that are each good or bad.

use anyhow::Result;
use fireclay_rlhf::{KtoConfig, kto};
use fireclay_train::{Outcome, StageRun, StepLoad, TrainError};

use super::examples::ratings;
use super::preference::{PreferenceLoss, PreferenceSection};
use super::{Context, LearnsFrom};
use crate::recipe::PreferenceData;

/// `[kto]`
pub type KtoSection = PreferenceSection<KtoConfig>;

impl PreferenceLoss for KtoConfig {
    const BATCH: usize = 16;
    const SMALLEST_BATCH: usize = 2;

    fn validate(&self) -> Result<(), TrainError> {
        self.validate()
    }

    fn learns_from(data: &PreferenceData) -> LearnsFrom<'_> {
        LearnsFrom::Ratings(data)
    }

    /// Policy and reference also read each prompt with another's answer, forwards only.
    fn load(batch: usize) -> StepLoad {
        StepLoad { consumed: batch, computed: 2 * batch, at_once: batch, extra_models: 1, extra_trained: 0 }
    }

    fn run(section: &PreferenceSection<Self>, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        section
            .learn(context, run, ratings, |policy, reference, training| kto(policy, reference, &section.loss, training))
    }
}
