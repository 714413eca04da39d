//! Rewards of answers: a learned model, exact verifiers, terms for its form, and weighted sums of these.

mod learned;
mod verifiers;
mod form;
mod weights;

use fireclay_data::examples::Task;
use fireclay_train::TrainError;

pub use form::{LengthPenalty, RepetitionPenalty, Unfinished};
pub use learned::LearnedReward;
pub use verifiers::Correctness;
pub use weights::RewardWeights;

use crate::rollout::Group;

/// An answer to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The prompt and its check.
    pub task: &'a Task,
    /// The prompt's tokens.
    pub prompt: &'a [u32],
    /// The answer's tokens, including the one that ends it.
    pub completion: &'a [u32],
    /// The answer as text.
    pub text: &'a str,
    /// Whether it ended by itself.
    pub finished: bool,
}

/// Scores answers: higher is better.
pub trait Reward {
    /// Returns one number per answer.
    ///
    /// # Errors
    /// When a model that judges fails on its device.
    fn score(&self, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError>;
}

/// A weighted sum of rewards.
#[derive(Default)]
pub struct WeightedSum {
    parts: Vec<(f64, Box<dyn Reward>)>,
}

impl WeightedSum {
    /// A sum without parts: every reward is 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a reward; one of weight 0 is left out and not computed.
    #[must_use]
    pub fn with(mut self, weight: f64, reward: impl Reward + 'static) -> Self {
        if weight != 0.0 {
            self.parts.push((weight, Box::new(reward)));
        }
        self
    }

    /// Whether it has no parts, so that every reward is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl Reward for WeightedSum {
    fn score(&self, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError> {
        let mut sums = vec![0.0; answers.len()];
        for (weight, reward) in &self.parts {
            for (sum, score) in sums.iter_mut().zip(checked_scores(reward.as_ref(), answers)?) {
                *sum += weight * score;
            }
        }
        Ok(sums)
    }
}

/// The rewards of answers.
///
/// # Errors
/// As [`Reward::score`].
///
/// # Panics
/// When the reward returns more or fewer numbers than there are answers.
fn checked_scores(reward: &dyn Reward, answers: &[Answer<'_>]) -> Result<Vec<f64>, TrainError> {
    let scores = reward.score(answers)?;
    assert_eq!(scores.len(), answers.len(), "a Reward returns one number for each answer");
    Ok(scores)
}

/// Fills in the reward of every trajectory.
///
/// # Errors
/// As [`Reward::score`].
///
/// # Panics
/// When the reward returns more or fewer numbers than there are answers.
pub fn add_rewards(groups: &mut [Group], reward: &dyn Reward) -> Result<(), TrainError> {
    let answers: Vec<Answer> = groups
        .iter()
        .flat_map(|group| {
            group.trajectories.iter().map(|t| Answer {
                task: &group.task,
                prompt: &t.prompt,
                completion: &t.completion,
                text: &t.text,
                finished: t.finished(),
            })
        })
        .collect();
    let scores = checked_scores(reward, &answers)?;
    groups
        .iter_mut()
        .flat_map(|group| &mut group.trajectories)
        .zip(scores)
        .for_each(|(trajectory, score)| trajectory.reward = score);
    Ok(())
}

#[cfg(test)]
mod tests;
