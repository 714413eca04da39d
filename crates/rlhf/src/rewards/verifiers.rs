//! Rewards that need no model: an answer is right or it is not.

use fireclay_train::TrainError;

use super::{Answer, Reward};

/// 1 for a right answer, 0 for a wrong one or one that cannot be checked. The task's own check decides: a sum, a fact
/// of the embedded world, GSM8K's final number, a regular expression, or valid JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Correctness;

impl Reward for Correctness {
    fn score(&self, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError> {
        let right = |answer: &Answer| answer.task.check.is_right(answer.text) == Some(true);
        Ok(answers.iter().map(|answer| f64::from(u8::from(right(answer)))).collect())
    }
}
