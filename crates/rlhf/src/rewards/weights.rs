//! The weighted sum of rewards that a stage is configured with.

use fireclay_train::{TrainError, check_32_bits};
use serde::{Deserialize, Serialize};

use super::{Correctness, LearnedReward, LengthPenalty, RepetitionPenalty, Unfinished, WeightedSum};
use crate::reward::RewardModel;

/// Number of answers that a reward model judges at once.
const JUDGED_AT_ONCE: usize = 64;

/// Weights of the parts of an answer's reward; 0: not used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardWeights {
    /// Weight of the reward model's score.
    pub learned: f64,
    /// A reward model other than that of this run's stage `reward`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Weight of 1 for a right answer.
    pub correct: f64,
    /// Weight of −1 for an answer that does not end by itself.
    pub unfinished: f64,
    /// Weight of minus the share of repeated runs of `repetition_run` tokens.
    pub repetition: f64,
    /// Tokens in such a run.
    pub repetition_run: usize,
    /// Weight of −1 for every `most_tokens` tokens over `most_tokens`.
    pub length: f64,
    /// Number of tokens without penalty.
    pub most_tokens: usize,
}

impl Default for RewardWeights {
    fn default() -> Self {
        Self {
            learned: 1.0,
            model: None,
            correct: 0.0,
            unfinished: 0.0,
            repetition: 0.0,
            repetition_run: 4,
            length: 0.0,
            most_tokens: 128,
        }
    }
}

impl RewardWeights {
    /// Checks that every weight is a number.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        for (key, weight) in [
            ("rewards.learned", self.learned),
            ("rewards.correct", self.correct),
            ("rewards.unfinished", self.unfinished),
            ("rewards.repetition", self.repetition),
            ("rewards.length", self.length),
        ] {
            check_32_bits(key, weight)?;
        }
        Ok(())
    }

    /// Whether nothing but right answers is rewarded.
    #[must_use]
    pub fn only_correct(&self) -> bool {
        [self.learned, self.unfinished, self.repetition, self.length].iter().all(|weight| *weight == 0.0)
    }

    /// The weighted sum; without a `judge`, the reward model's score is not part of it.
    #[must_use]
    pub fn sum(&self, judge: Option<RewardModel>) -> WeightedSum {
        let sum = WeightedSum::new()
            .with(self.correct, Correctness)
            .with(self.unfinished, Unfinished)
            .with(self.repetition, RepetitionPenalty { n: self.repetition_run })
            .with(self.length, LengthPenalty { most: self.most_tokens });
        match judge {
            Some(model) => sum.with(self.learned, LearnedReward { model, batch: JUDGED_AT_ONCE }),
            None => sum,
        }
    }
}
