//! State of a stage: its step, its place in the data, and its best checkpoint.

use fireclay_data::Position;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::TrainConfig;

/// Everything but weights and moments that the next step depends on, and totals for the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Steps made, skipped ones included.
    pub step: u64,
    /// Tokens consumed.
    pub tokens: u64,
    /// Position in the data.
    pub position: Position,
    /// Seconds spent, over all runs of this stage.
    pub seconds: f64,
    /// Loss on the validation split at exactly this step.
    pub val_loss: Option<f64>,
    /// Score of the exam at exactly this step.
    #[serde(default, rename = "battery")]
    pub exam: Option<f64>,
    /// The best checkpoint: by the exam if there is one, else by validation loss.
    pub best: Option<Best>,
    /// Steps skipped because something was not finite.
    pub skipped: u64,
    /// Number of skipped steps directly before this one.
    pub skipped_in_a_row: u64,
    /// The settings of the stage.
    pub config: TrainConfig,
    /// Settings of the stage's algorithm. They must be the same when the stage is resumed.
    #[serde(default)]
    pub settings: Value,
    /// State of the algorithm beside weights: an adapted coefficient, a running mean.
    #[serde(default, rename = "memory")]
    pub algorithm_state: Value,
}

/// The best checkpoint so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its step; 0 is the model that the stage began with.
    pub step: u64,
    /// Its score.
    #[serde(alias = "val_loss")]
    pub value: f64,
    /// The measure of the score.
    #[serde(default)]
    pub by: Measure,
}

/// Measure by which checkpoints are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Loss on the validation split, nats a token: the lowest is best, the first of equal ones.
    #[default]
    ValLoss,
    /// Score of the exam: the highest is best, the last of equal ones.
    #[serde(rename = "battery")]
    Exam,
}

impl Best {
    /// Whether this is better than `other`. The exam takes precedence if there is one.
    fn beats(&self, other: &Self) -> bool {
        match (self.by, other.by) {
            (Measure::ValLoss, Measure::ValLoss) => self.value < other.value,
            (Measure::Exam, Measure::Exam) => self.value >= other.value,
            (by, _) => by == Measure::Exam,
        }
    }
}

impl TrainerState {
    /// The state before the first step.
    #[must_use]
    pub fn new(config: &TrainConfig, position: Position) -> Self {
        Self {
            step: 0,
            tokens: 0,
            position,
            seconds: 0.0,
            val_loss: None,
            exam: None,
            best: None,
            skipped: 0,
            skipped_in_a_row: 0,
            config: config.clone(),
            settings: Value::Null,
            algorithm_state: Value::Null,
        }
    }

    /// This step as the best one, if its score is better than the best so far.
    pub(crate) fn new_best(&self) -> Option<Best> {
        let measured = |value: Option<f64>, by| value.map(|value| Best { step: self.step, value, by });
        let here = measured(self.exam, Measure::Exam).or_else(|| measured(self.val_loss, Measure::ValLoss));
        here.filter(|here| here.value.is_finite() && self.best.is_none_or(|best| here.beats(&best)))
    }

    /// Whether this step is the best so far by the exam, so that it must be saved.
    #[must_use]
    pub fn is_best_by_exam(&self) -> bool {
        self.new_best().is_some_and(|best| best.by == Measure::Exam)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: u64, val_loss: Option<f64>, exam: Option<f64>, best: Option<Best>) -> TrainerState {
        let state = TrainerState::new(&TrainConfig::default(), Position::default());
        TrainerState { step, val_loss, exam, best, ..state }
    }

    /// The best step after evaluations at steps 0, 1, 2, …
    fn best_of(found: &[(Option<f64>, Option<f64>)]) -> Option<u64> {
        let mut best = None;
        for (step, &(val_loss, exam)) in found.iter().enumerate() {
            best = at(step as u64, val_loss, exam, best).new_best().or(best);
        }
        best.map(|best| best.step)
    }

    #[test]
    fn the_battery_decides_and_the_later_of_equals_is_kept() {
        let by_exam = |shares: &[f64]| best_of(&shares.iter().map(|&share| (None, Some(share))).collect::<Vec<_>>());
        assert_eq!(by_exam(&[0.5, 0.7, 0.6]), Some(1));
        assert_eq!(by_exam(&[0.5, 0.7, 0.7]), Some(2));
        assert_eq!(by_exam(&[0.5, 0.4, f64::NAN]), Some(0), "the model that the stage began with counts");
        // The loss keeps falling, but the answers do not improve.
        assert_eq!(best_of(&[(Some(2.0), Some(0.5)), (Some(1.0), Some(0.4)), (Some(0.5), None)]), Some(0));
    }

    #[test]
    fn without_a_battery_the_lowest_loss_is_best_and_the_first_of_equals() {
        let loss = |losses: &[f64]| best_of(&losses.iter().map(|&loss| (Some(loss), None)).collect::<Vec<_>>());
        assert_eq!(loss(&[3.0, 2.0, 2.0, f64::INFINITY]), Some(1));
        assert_eq!(best_of(&[(None, None)]), None);
    }

    #[test]
    fn a_step_is_saved_at_once_only_where_it_is_best_by_exam() {
        let best = Best { step: 1, value: 0.6, by: Measure::Exam };
        assert!(at(2, None, Some(0.7), Some(best)).is_best_by_exam());
        assert!(!at(2, None, Some(0.5), Some(best)).is_best_by_exam());
        assert!(!at(2, Some(0.1), None, None).is_best_by_exam());
    }

    #[test]
    fn the_best_of_an_older_state_is_by_loss() {
        let best: Best = serde_json::from_str(r#"{"step": 7, "val_loss": 1.5}"#).unwrap();
        assert_eq!(best, Best { step: 7, value: 1.5, by: Measure::ValLoss });
    }
}
