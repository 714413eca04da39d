//! Rewards from a reward model.

use fireclay_train::TrainError;

use super::{Answer, Reward};
use crate::completions::{Sequences, final_scores, host};
use crate::reward::RewardModel;

/// The score of a reward model at an answer's last token, `(score − mean) / std` by the scale it was saved with.
#[derive(Debug)]
pub struct LearnedReward {
    /// The model, without gradients.
    pub model: RewardModel,
    /// Number of answers judged at once.
    pub batch: usize,
}

impl Reward for LearnedReward {
    fn score(&self, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError> {
        let mut scores = Vec::with_capacity(answers.len());
        for chunk in answers.chunks(self.batch) {
            let sequence = |answer: &Answer| ([answer.prompt, answer.completion].concat(), answer.prompt.len());
            let sequences = Sequences::new(chunk.iter().map(sequence));
            let raw = host(final_scores(&self.model.model, &sequences));
            scores.extend(raw.into_iter().map(|score| self.model.scale.reward(f64::from(score))));
        }
        Ok(scores)
    }
}
