//! Rewards for an answer's form.

use std::collections::BTreeSet;

use fireclay_train::TrainError;

use super::{Answer, Reward};

/// −1 for every token over `most`, divided by `most`: 0 for short answers, −1 for one of twice the length.
#[derive(Clone, Copy, Debug)]
pub struct LengthPenalty {
    /// Number of tokens without penalty.
    pub most: usize,
}

impl Reward for LengthPenalty {
    fn score(&self, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError> {
        let over = |answer: &Answer| answer.completion.len().saturating_sub(self.most) as f64;
        Ok(answers.iter().map(|answer| -over(answer) / self.most.max(1) as f64).collect())
    }
}

/// Minus the share of an answer's n-grams that occurred before in it: 0 if no n-gram is repeated.
#[derive(Clone, Copy, Debug)]
pub struct RepetitionPenalty {
    /// Number of tokens in an n-gram.
    pub n: usize,
}

impl Reward for RepetitionPenalty {
    fn score(&self, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError> {
        let repeated = |answer: &Answer| {
            let runs: Vec<_> = answer.completion.windows(self.n.max(1)).collect();
            let different = runs.iter().collect::<BTreeSet<_>>().len();
            (runs.len() - different) as f64 / runs.len().max(1) as f64
        };
        Ok(answers.iter().map(|answer| -repeated(answer)).collect())
    }
}

/// −1 for an answer that did not end by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unfinished;

impl Reward for Unfinished {
    fn score(&self, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError> {
        Ok(answers.iter().map(|answer| if answer.finished { 0.0 } else { -1.0 }).collect())
    }
}
