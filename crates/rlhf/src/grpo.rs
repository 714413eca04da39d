//! GRPO: group-relative policy optimisation (Shao et al. 2024, `DeepSeekMath`), with the corrections published since.
//!
//! Each prompt is answered several times, and an answer's advantage is its reward relative to its
//! group's: no critic. The loss of a token is [PPO's clipped
//! surrogate](crate::ppo::clipped_surrogate) plus β times the [k3 estimate](crate::kl) of the KL to
//! the reference. What was corrected, each an option:
//!
//! | option | corrects |
//! |---|---|
//! | `scale_by_deviation = false` | prompts that are nearly always or nearly never solved count more (Liu et al. 2025, Dr. GRPO) |
//! | `reduction = "constant"` | long wrong answers are punished less per token (Liu et al. 2025, Dr. GRPO) |
//! | `reduction = "token"` | tokens of long answers count less (Yu et al. 2025, DAPO) |
//! | `clip_high` above `clip_low` | rare tokens can hardly become likelier (Yu et al. 2025, DAPO) |
//! | `ratio = "sequence"` | ratios of single tokens are noisy (Zheng et al. 2025, GSPO) |

use burn::tensor::Tensor;
use fireclay_model::Decoder;
use fireclay_train::metrics::names;
use fireclay_train::{Optimizer, TrainError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::advantages::group_relative;
use crate::completions::{masked_mean, number, token_scores};
use crate::kl::KlEstimator;
use crate::numbers::{below_one, not_negative, one_or_more};
use crate::online::{PolicyGradient, StepContext, UpdateStats};
use crate::ppo::{clip_fraction, clipped_surrogate};
use crate::rollout::{Group, Trajectory, sequences, token_tensor};
use crate::update::{Means, descend, minibatches};

/// Reduction of token losses to one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduction {
    /// The mean over an answer's tokens, then over answers: the original.
    #[default]
    Sequence,
    /// The mean over all tokens of all answers.
    Token,
    /// The sum over all tokens, divided by the same number for any count: answers × the most
    /// tokens an answer may have.
    Constant,
}

/// Unit of the ratio of new to old probability: token or sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ratio {
    /// Each token.
    #[default]
    Token,
    /// The whole answer: the geometric mean of its tokens' ratios.
    Sequence,
}

/// Configuration of GRPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpoConfig {
    /// Passes over a step's answers.
    pub epochs: u64,
    /// Answers in an update.
    pub minibatch: usize,
    /// Lower clip ε: a ratio below 1 − ε gives no further gain.
    pub clip_low: f64,
    /// Upper clip ε: a ratio above 1 + ε gives no further gain.
    pub clip_high: f64,
    /// β: weight of the KL to the reference.
    pub kl_coefficient: f64,
    /// Estimator of the KL divergence.
    pub kl_estimator: KlEstimator,
    /// Whether advantages are in standard deviations of their group.
    pub scale_by_deviation: bool,
    /// Reduction of token losses to one number.
    pub reduction: Reduction,
    /// Unit of the ratio: token or sequence.
    pub ratio: Ratio,
    /// Bonus per nat of entropy.
    pub entropy_coefficient: f64,
}

impl Default for GrpoConfig {
    fn default() -> Self {
        Self {
            epochs: 1,
            minibatch: 64,
            clip_low: 0.2,
            clip_high: 0.2,
            kl_coefficient: 0.02,
            kl_estimator: KlEstimator::K3,
            scale_by_deviation: true,
            reduction: Reduction::Sequence,
            ratio: Ratio::Token,
            entropy_coefficient: 0.0,
        }
    }
}

impl GrpoConfig {
    /// Checks that every number is possible.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        one_or_more("epochs", self.epochs)?;
        one_or_more("minibatch", self.minibatch as u64)?;
        below_one("clip_low", self.clip_low)?;
        for (key, value) in [
            ("clip_high", self.clip_high),
            ("kl_coefficient", self.kl_coefficient),
            ("entropy_coefficient", self.entropy_coefficient),
        ] {
            not_negative(key, value)?;
        }
        Ok(())
    }
}

/// The GRPO algorithm.
#[derive(Clone, Debug)]
pub struct Grpo {
    /// Its configuration.
    pub config: GrpoConfig,
    /// The most tokens an answer may have, for [`Reduction::Constant`].
    pub max_tokens: usize,
}

impl PolicyGradient<Decoder> for Grpo {
    fn settings(&self) -> Value {
        serde_json::to_value(&self.config).expect("settings are JSON")
    }

    fn policy<'m>(&self, model: &'m Decoder) -> &'m Decoder {
        model
    }

    fn learn(
        &mut self,
        mut model: Decoder,
        optimizer: &mut Optimizer,
        groups: &[Group],
        context: StepContext<'_>,
    ) -> Result<(Decoder, UpdateStats), TrainError> {
        let advantages: Vec<f64> = groups.iter().flat_map(|group| self.advantages(group)).collect();
        let with_signal = groups.iter().filter(|group| has_signal(&rewards(group))).count();
        let trajectories: Vec<&Trajectory> = groups.iter().flat_map(|group| &group.trajectories).collect();
        let mut means = Means::default();
        means.add(names::GROUPS_WITH_SIGNAL, with_signal as f64 / groups.len().max(1) as f64);
        for epoch in 0..self.config.epochs {
            for chosen in
                minibatches(trajectories.len(), self.config.minibatch, context.config.seed, context.step, epoch)
            {
                let some: Vec<&Trajectory> = chosen.iter().map(|&index| trajectories[index]).collect();
                let advantages: Vec<f64> = chosen.iter().map(|&index| advantages[index]).collect();
                let loss = self.loss(&model, &some, &advantages, context.temperature, &mut means);
                let rate = context.learning_rate();
                let (stepped, result) = descend(model, optimizer, &loss, context.checkpoints, rate);
                model = stepped;
                means.policy_update(result);
            }
        }
        Ok((model, means.into_stats()))
    }
}

fn rewards(group: &Group) -> Vec<f64> {
    group.trajectories.iter().map(|trajectory| trajectory.reward).collect()
}

/// Whether the rewards of a group differ. The mean of equal rewards may be off by a rounding, which leaves advantages
/// that are not 0 and carry no signal.
fn has_signal(rewards: &[f64]) -> bool {
    rewards.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.0)
}

impl Grpo {
    fn advantages(&self, group: &Group) -> Vec<f64> {
        group_relative(&rewards(group), self.config.scale_by_deviation)
    }

    fn loss(
        &self,
        model: &Decoder,
        trajectories: &[&Trajectory],
        advantages: &[f64],
        temperature: f64,
        means: &mut Means,
    ) -> Tensor<1> {
        let config = &self.config;
        let device = model.device();
        let sequences = sequences(trajectories.iter().copied());
        let mask = sequences.mask(&device);
        let old = token_tensor(trajectories, &sequences, |t, c| t.logprobs[c], &device);
        let reference = token_tensor(trajectories, &sequences, |t, c| t.reference_logprobs[c], &device);
        let advantages = sequences.per_token(|b, _| advantages[b] as f32, &device);
        let scores = token_scores(model, &sequences, temperature, config.entropy_coefficient != 0.0);
        means.ratio_error(&scores.logprobs, &old, &mask);
        let (low, high) = (1.0 - config.clip_low, 1.0 + config.clip_high);
        let of_ratio = ratio_logprobs(scores.logprobs.clone().detach(), &old, &mask, config.ratio);
        means.add(names::CLIP_FRACTION, clip_fraction(&of_ratio, &old, &advantages, &mask, low, high));
        let entropy = masked_mean(scores.entropies, &mask);
        means.add(names::ENTROPY, number(entropy.clone()));
        let inputs = GrpoInputs { logprobs: scores.logprobs, old, reference, advantages, mask };
        let loss = grpo_loss(inputs, config, self.max_tokens);
        if config.entropy_coefficient == 0.0 { loss } else { loss - entropy * config.entropy_coefficient }
    }
}

/// Inputs of [`grpo_loss`], each `[B, C]`.
#[derive(Clone, Debug)]
pub struct GrpoInputs {
    /// log π of every token under the current policy.
    pub logprobs: Tensor<2>,
    /// log π under the policy that drew the tokens.
    pub old: Tensor<2>,
    /// log π under the reference.
    pub reference: Tensor<2>,
    /// The advantage of each token's answer.
    pub advantages: Tensor<2>,
    /// 1 for tokens of answers, 0 for padding.
    pub mask: Tensor<2>,
}

/// The log-probabilities whose difference from `old` is the logarithm of the ratio. All `[B, C]`
fn ratio_logprobs(logprobs: Tensor<2>, old: &Tensor<2>, mask: &Tensor<2>, ratio: Ratio) -> Tensor<2> {
    match ratio {
        Ratio::Token => logprobs,
        Ratio::Sequence => {
            let difference = (logprobs - old.clone()) * mask.clone();
            let mean = difference.sum_dim(1) / mask.clone().sum_dim(1);
            old.clone() + mean.expand(old.dims())
        }
    }
}

/// The GRPO loss of a minibatch (Shao et al. 2024), with the module's corrections; `max_tokens` is the most tokens an
/// answer may have.
///
/// # Shapes
/// Inputs `[B, C]` → `[1]`
#[must_use]
pub fn grpo_loss(inputs: GrpoInputs, config: &GrpoConfig, max_tokens: usize) -> Tensor<1> {
    let GrpoInputs { logprobs, old, reference, advantages, mask } = inputs;
    let (low, high) = (1.0 - config.clip_low, 1.0 + config.clip_high);
    let of_ratio = ratio_logprobs(logprobs.clone(), &old, &mask, config.ratio);
    let mut losses = clipped_surrogate(of_ratio, old, advantages, low, high);
    if config.kl_coefficient != 0.0 {
        losses = losses + config.kl_estimator.of(logprobs, reference) * config.kl_coefficient;
    }
    let answers = mask.dims()[0] as f64;
    match config.reduction {
        Reduction::Sequence => ((losses * mask.clone()).sum_dim(1) / mask.sum_dim(1)).sum() / answers,
        Reduction::Token => masked_mean(losses, &mask),
        Reduction::Constant => (losses * mask).sum() / (answers * max_tokens as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rewards_carry_no_signal() {
        // Their mean is not 0.1.
        assert!(!has_signal(&[0.1; 3]));
        assert!(has_signal(&[0.1, 0.1, 0.2]));
        assert!(!has_signal(&[]));
    }
}
