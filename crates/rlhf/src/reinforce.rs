//! REINFORCE with a baseline: the textbook policy gradient (Williams 1992).
//!
//! An answer y to a prompt x has the return `R = r(x, y) − β·KL(y)`. The gradient of its expectation is estimated from
//! the policy's own answers,
//!
//! ```text
//! ∇ E[R] ≈ 1/n Σ_i (R_i − b) · Σ_t ∇ log π(y_it | x_i, y_i<t)
//! ```
//!
//! where b, a running mean of the rewards, reduces the variance and does not change the expectation. There is one
//! update per step, because after it the answers are no longer the policy's own.

use burn::tensor::Tensor;
use fireclay_model::Decoder;
use fireclay_train::metrics::names;
use fireclay_train::{ModuleGradients, Optimizer, TrainError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::completions::{masked_mean, number, token_scores};
use crate::numbers::{below_one, not_negative, one_or_more};
use crate::online::{PolicyGradient, StepContext, UpdateStats, restored};
use crate::rollout::{Group, Trajectory, sequences, token_tensor};
use crate::update::Means;

/// Configuration of REINFORCE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforceConfig {
    /// β: penalty per nat of KL to the reference.
    pub kl_coefficient: f64,
    /// Decay rate of the running mean; 0: the mean of the step's own rewards.
    pub baseline_decay: f64,
    /// Bonus per nat of entropy.
    pub entropy_coefficient: f64,
    /// Number of answers whose gradients are computed at once: more takes more memory and less time.
    pub minibatch: usize,
}

impl Default for ReinforceConfig {
    fn default() -> Self {
        Self { kl_coefficient: 0.05, baseline_decay: 0.9, entropy_coefficient: 0.0, minibatch: 64 }
    }
}

impl ReinforceConfig {
    /// Checks that every number is possible.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        not_negative("kl_coefficient", self.kl_coefficient)?;
        below_one("baseline_decay", self.baseline_decay)?;
        not_negative("entropy_coefficient", self.entropy_coefficient)?;
        one_or_more("minibatch", self.minibatch as u64)
    }
}

/// The REINFORCE algorithm, with its baseline.
#[derive(Clone, Debug)]
pub struct Reinforce {
    config: ReinforceConfig,
    baseline: Option<f64>,
}

impl Reinforce {
    /// The algorithm before the first step.
    #[must_use]
    pub fn new(config: ReinforceConfig) -> Self {
        Self { config, baseline: None }
    }

    /// The baseline for this step's rewards; only in the first step it depends on them.
    fn baseline(&mut self, rewards: &[f64]) -> f64 {
        let mean = rewards.iter().sum::<f64>() / rewards.len().max(1) as f64;
        let before = self.baseline.unwrap_or(mean);
        let decay = self.config.baseline_decay;
        self.baseline = Some(decay * before + (1.0 - decay) * mean);
        if decay > 0.0 { before } else { mean }
    }
}

impl PolicyGradient<Decoder> for Reinforce {
    fn settings(&self) -> Value {
        serde_json::to_value(&self.config).expect("settings are JSON")
    }

    fn policy<'m>(&self, model: &'m Decoder) -> &'m Decoder {
        model
    }

    fn learn(
        &mut self,
        model: Decoder,
        optimizer: &mut Optimizer,
        groups: &[Group],
        context: StepContext<'_>,
    ) -> Result<(Decoder, UpdateStats), TrainError> {
        let trajectories: Vec<&Trajectory> = groups.iter().flat_map(|group| &group.trajectories).collect();
        let rewards = penalised_rewards(&trajectories, self.config.kl_coefficient);
        let baseline = self.baseline(&rewards);
        let advantages: Vec<f64> = rewards.iter().map(|reward| reward - baseline).collect();
        let step =
            OnPolicyStep { minibatch: self.config.minibatch, entropy_coefficient: self.config.entropy_coefficient };
        Ok(step.update(model, optimizer, &trajectories, &advantages, context))
    }

    fn state(&self) -> Value {
        self.baseline.into()
    }

    fn restore_state(&mut self, state: &Value) -> Result<(), TrainError> {
        self.baseline = restored(state, "REINFORCE")?;
        Ok(())
    }
}

/// `R = r − β·KL` of each answer.
#[must_use]
pub fn penalised_rewards(trajectories: &[&Trajectory], kl_coefficient: f64) -> Vec<f64> {
    trajectories.iter().map(|trajectory| trajectory.reward - kl_coefficient * trajectory.kl()).collect()
}

/// `−1/n Σ_i A_i Σ_t log π_it`, for answers of their own policy. `logprobs` and `mask` `[B, C]`,
/// `advantages` `[B]` → `[1]`
#[must_use]
pub fn reinforce_loss(logprobs_bc: Tensor<2>, advantages_b: Tensor<1>, mask_bc: Tensor<2>) -> Tensor<1> {
    let answers = mask_bc.dims()[0] as f64;
    let logprobs_b = (logprobs_bc * mask_bc).sum_dim(1).squeeze_dim::<1>(1);
    -(logprobs_b * advantages_b).sum() / answers
}

/// One update with answers of the current policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnPolicyStep {
    pub(crate) minibatch: usize,
    pub(crate) entropy_coefficient: f64,
}

impl OnPolicyStep {
    /// Sums the gradients of all answers, some at a time, and makes one update.
    pub(crate) fn update(
        self,
        model: Decoder,
        optimizer: &mut Optimizer,
        trajectories: &[&Trajectory],
        advantages: &[f64],
        context: StepContext<'_>,
    ) -> (Decoder, UpdateStats) {
        let device = model.device();
        let mut means = Means::default();
        let (mut total, mut gradients): (f64, Option<ModuleGradients>) = (0.0, None);
        let all = trajectories.len() as f64;
        let pieces = trajectories.chunks(self.minibatch.max(1)).zip(advantages.chunks(self.minibatch.max(1)));
        for (trajectories, advantages) in pieces {
            let sequences = sequences(trajectories.iter().copied());
            let mask = sequences.mask(&device);
            let scores = token_scores(&model, &sequences, context.temperature, self.entropy_coefficient != 0.0);
            let advantages: Vec<f32> = advantages.iter().map(|&a| a as f32).collect();
            let advantages = Tensor::<1>::from_floats(advantages.as_slice(), &device);
            let entropy = masked_mean(scores.entropies, &mask);
            means.add(names::ENTROPY, number(entropy.clone()));
            let old = token_tensor(trajectories, &sequences, |t, c| t.logprobs[c], &device);
            means.ratio_error(&scores.logprobs, &old, &mask);
            let mut loss = reinforce_loss(scores.logprobs, advantages, mask);
            if self.entropy_coefficient != 0.0 {
                loss = loss - entropy * self.entropy_coefficient;
            }
            // This piece's part of the mean over all answers.
            let loss = loss * (trajectories.len() as f64 / all);
            total += number(loss.clone());
            let of_piece = ModuleGradients::of_loss(&model, &loss, context.checkpoints);
            gradients = Some(match gradients {
                None => of_piece,
                Some(mut sum) => {
                    sum.add(of_piece);
                    sum
                }
            });
        }
        let mut gradients = gradients.expect("a step has answers");
        let norm = gradients.norm();
        let finite = total.is_finite() && norm.is_finite();
        means.policy_update(finite.then_some((total, norm)));
        let rate = context.learning_rate();
        let model = if finite { optimizer.step(model, gradients, norm, rate) } else { model };
        (model, means.into_stats())
    }
}
