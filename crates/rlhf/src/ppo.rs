//! PPO: proximal policy optimisation (Schulman et al. 2017) as it aligns language models (Ziegler
//! et al. 2019; Ouyang et al. 2022).
//!
//! Each token of an answer is an action with its own reward: `−β·(log π − log reference)`, and for the last token the
//! answer's clipped reward in addition. A critic predicts the rewards to come; [GAE](crate::advantages::gae) computes
//! an advantage for every token from token rewards and values. With `ρ = π / π_old` the policy then minimises, for a
//! few epochs over the same answers,
//!
//! ```text
//! L_policy = mean max(−A·ρ, −A·clip(ρ, 1 − ε, 1 + ε))  −  c·entropy  +  c'·(next-token loss on pretraining text)
//! L_value  = ½ mean max((V − R)², (clip(V, V_old − ε_v, V_old + ε_v) − R)²)
//! ```
//!
//! where means are over the tokens of the answers. A moving average of the policy can be kept beside it.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_data::{Batch, Position, Source};
use fireclay_model::Decoder;
use fireclay_train::metrics::names;
use fireclay_train::{NextToken, Objective, TrainError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::actor_critic::{ActorCritic, ActorCriticOptimizers};
use crate::advantages::{explained_variance, gae, whiten};
use crate::completions::{host, masked_mean, number, token_scores, token_values};
use crate::kl::KlCoefficient;
use crate::numbers::{below_one, fraction, not_negative, one_or_more, positive};
use crate::online::{PolicyGradient, StepContext, UpdateStats, restored};
use crate::rollout::{Group, Trajectory, sequences, token_tensor};
use crate::update::{Means, descend, minibatches};

/// Configuration of PPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Passes over a step's answers.
    pub epochs: u64,
    /// Answers in an update.
    pub minibatch: usize,
    /// ε: a ratio ρ beyond 1 ± ε gives no further gain.
    pub clip_ratio: f64,
    /// `ε_v`, the same for values; 0: not clipped.
    pub clip_value: f64,
    /// γ: discount per token.
    pub gamma: f64,
    /// λ of GAE: 1 relies on the token rewards, 0 on the critic.
    pub lambda: f64,
    /// β: penalty per nat of KL to the reference.
    pub kl_coefficient: f64,
    /// Target KL in nats per answer, towards which β is adapted; 0: β is constant.
    pub kl_target: f64,
    /// Number of answers over which β may change by 20 %.
    pub kl_horizon: f64,
    /// Rewards are clipped to ± this value; 0: no limit.
    pub reward_clip: f64,
    /// Whether a step's advantages are normalised to mean 0 and standard deviation 1.
    pub whiten_advantages: bool,
    /// c: bonus per nat of entropy.
    pub entropy_coefficient: f64,
    /// The critic's peak learning rate.
    pub critic_learning_rate: f64,
    /// Number of initial steps in which only the critic learns.
    pub critic_warmup_steps: u64,
    /// c': weight of the next-token loss on pretraining text (PPO-ptx); 0: none.
    pub pretrain_coefficient: f64,
    /// Decay rate of the policy's moving average, per step; 0: no average is kept.
    pub ema_decay: f64,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            epochs: 2,
            minibatch: 32,
            clip_ratio: 0.2,
            clip_value: 0.2,
            gamma: 1.0,
            lambda: 0.95,
            kl_coefficient: 0.05,
            kl_target: 0.0,
            kl_horizon: 10_000.0,
            reward_clip: 5.0,
            whiten_advantages: true,
            entropy_coefficient: 0.0,
            critic_learning_rate: 1e-4,
            critic_warmup_steps: 0,
            pretrain_coefficient: 0.0,
            ema_decay: 0.0,
        }
    }
}

impl PpoConfig {
    /// Checks that every number is possible.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        one_or_more("epochs", self.epochs)?;
        one_or_more("minibatch", self.minibatch as u64)?;
        below_one("clip_ratio", self.clip_ratio)?;
        for (key, value) in [("gamma", self.gamma), ("lambda", self.lambda)] {
            fraction(key, value)?;
        }
        for (key, value) in [("kl_horizon", self.kl_horizon), ("critic_learning_rate", self.critic_learning_rate)] {
            positive(key, value)?;
        }
        for (key, value) in [
            ("clip_value", self.clip_value),
            ("kl_coefficient", self.kl_coefficient),
            ("kl_target", self.kl_target),
            ("reward_clip", self.reward_clip),
            ("entropy_coefficient", self.entropy_coefficient),
            ("pretrain_coefficient", self.pretrain_coefficient),
        ] {
            not_negative(key, value)?;
        }
        below_one("ema_decay", self.ema_decay)
    }
}

/// The PPO algorithm, with its KL coefficient and the pretraining text for its loss.
pub struct Ppo<'a> {
    config: PpoConfig,
    kl: KlCoefficient,
    pretraining: Option<&'a mut dyn Source<Batch>>,
}

/// State of PPO between steps.
#[derive(Serialize, Deserialize)]
struct PpoState {
    kl_coefficient: f64,
    pretraining: Option<Position>,
}

impl<'a> Ppo<'a> {
    /// The algorithm before the first step. `pretraining` is read if the configuration gives its loss a weight.
    ///
    /// # Panics
    /// When the loss on pretraining text has a weight and there is no text.
    #[must_use]
    pub fn new(config: PpoConfig, pretraining: Option<&'a mut dyn Source<Batch>>) -> Self {
        let PpoConfig { kl_coefficient, kl_target, kl_horizon, pretrain_coefficient, .. } = config;
        assert!(pretrain_coefficient == 0.0 || pretraining.is_some(), "pretraining text to mix in");
        let kl = KlCoefficient { value: kl_coefficient, target: kl_target, horizon: kl_horizon };
        Self { config, kl, pretraining }
    }

    /// Values of the current critic, and from them advantages and returns, for every token of every answer.
    fn experience(&self, model: &ActorCritic, trajectories: &[&Trajectory]) -> Experience {
        let critic = model.critic.valid();
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(trajectories.len());
        for chunk in trajectories.chunks(4 * self.config.minibatch.max(1)) {
            let sequences = sequences(chunk.iter().copied());
            let numbers = host(token_values(&critic, &sequences));
            let rows = numbers.chunks_exact(sequences.longest_completion()).zip(chunk);
            values.extend(rows.map(|(row, t)| row[..t.completion.len()].iter().map(|&v| f64::from(v)).collect()));
        }
        let estimates = trajectories.iter().zip(&values).map(|(trajectory, values)| {
            gae(&self.token_rewards(trajectory), values, self.config.gamma, self.config.lambda)
        });
        let (mut advantages, returns): (Vec<_>, Vec<_>) = estimates.map(|e| (e.advantages, e.returns)).unzip();
        if self.config.whiten_advantages {
            whiten(&mut advantages);
        }
        Experience { values, advantages, returns }
    }

    /// The reward of each token of an answer.
    fn token_rewards(&self, trajectory: &Trajectory) -> Vec<f64> {
        let both = trajectory.logprobs.iter().zip(&trajectory.reference_logprobs);
        let mut rewards: Vec<f64> = both.map(|(p, r)| -self.kl.value * (f64::from(*p) - f64::from(*r))).collect();
        let limit = if self.config.reward_clip > 0.0 { self.config.reward_clip } else { f64::INFINITY };
        *rewards.last_mut().expect("an answer has a token") += trajectory.reward.clamp(-limit, limit);
        rewards
    }
}

/// Values, advantages and returns of every token of a step's answers.
struct Experience {
    values: Vec<Vec<f64>>,
    advantages: Vec<Vec<f64>>,
    returns: Vec<Vec<f64>>,
}

impl PolicyGradient<ActorCritic> for Ppo<'_> {
    fn settings(&self) -> Value {
        serde_json::to_value(&self.config).expect("settings are JSON")
    }

    fn policy<'m>(&self, model: &'m ActorCritic) -> &'m Decoder {
        &model.actor
    }

    fn learn(
        &mut self,
        mut model: ActorCritic,
        optimizers: &mut ActorCriticOptimizers,
        groups: &[Group],
        context: StepContext<'_>,
    ) -> Result<(ActorCritic, UpdateStats), TrainError> {
        let trajectories: Vec<&Trajectory> = groups.iter().flat_map(|group| &group.trajectories).collect();
        let experience = self.experience(&model, &trajectories);
        let mut means = Means::default();
        let explained = explained_variance(&experience.returns.concat(), &experience.values.concat());
        means.add(names::EXPLAINED_VARIANCE, explained);
        means.add(names::KL_COEFFICIENT, self.kl.value);

        for epoch in 0..self.config.epochs {
            let order =
                minibatches(trajectories.len(), self.config.minibatch, context.config.seed, context.step, epoch);
            for chosen in order {
                let batch = Minibatch::new(&trajectories, &experience, &chosen, &model);
                if context.step > self.config.critic_warmup_steps {
                    let loss = self.policy_loss(&model.actor, &batch, context, &mut means)?;
                    let rate = context.learning_rate();
                    let (actor, result) = descend(model.actor, &mut optimizers.actor, &loss, context.checkpoints, rate);
                    model.actor = actor;
                    means.policy_update(result);
                }
                let values = token_values(&model.critic, &batch.sequences);
                let loss = value_loss(values, batch.old_values, batch.returns, &batch.mask, self.config.clip_value);
                let rate = context.rate * self.config.critic_learning_rate;
                let (critic, result) = descend(model.critic, &mut optimizers.critic, &loss, context.checkpoints, rate);
                model.critic = critic;
                means.critic_update(result);
            }
        }

        let kl = trajectories.iter().map(|trajectory| trajectory.kl()).sum::<f64>() / trajectories.len().max(1) as f64;
        self.kl.observe(kl, trajectories.len());
        if self.config.ema_decay > 0.0 {
            model = model.with_average(self.config.ema_decay);
        }
        Ok((model, means.into_stats()))
    }

    fn state(&self) -> Value {
        let pretraining = self.pretraining.as_ref().map(|source| source.position());
        serde_json::to_value(PpoState { kl_coefficient: self.kl.value, pretraining }).expect("the state is JSON")
    }

    fn restore_state(&mut self, state: &Value) -> Result<(), TrainError> {
        let state: PpoState = restored(state, "PPO")?;
        self.kl.value = state.kl_coefficient;
        if let (Some(source), Some(position)) = (&mut self.pretraining, state.pretraining) {
            source.seek(&position)?;
        }
        Ok(())
    }
}

impl Ppo<'_> {
    fn policy_loss(
        &mut self,
        actor: &Decoder,
        batch: &Minibatch,
        context: StepContext<'_>,
        means: &mut Means,
    ) -> Result<Tensor<1>, TrainError> {
        let PpoConfig { clip_ratio, entropy_coefficient, pretrain_coefficient, .. } = self.config;
        let scores = token_scores(actor, &batch.sequences, context.temperature, entropy_coefficient != 0.0);
        means.ratio_error(&scores.logprobs, &batch.old_logprobs, &batch.mask);
        let (low, high) = (1.0 - clip_ratio, 1.0 + clip_ratio);
        let clipped = clip_fraction(&scores.logprobs, &batch.old_logprobs, &batch.advantages, &batch.mask, low, high);
        means.add(names::CLIP_FRACTION, clipped);
        let surrogate =
            clipped_surrogate(scores.logprobs, batch.old_logprobs.clone(), batch.advantages.clone(), low, high);
        let mut loss = masked_mean(surrogate, &batch.mask);
        let entropy = masked_mean(scores.entropies, &batch.mask);
        means.add(names::ENTROPY, number(entropy.clone()));
        if entropy_coefficient != 0.0 {
            loss = loss - entropy * entropy_coefficient;
        }
        if let Some(source) = self.pretraining.as_mut().filter(|_| pretrain_coefficient != 0.0) {
            let mixed = NextToken.loss(actor, &source.next_batch()?).mean;
            means.add(names::PRETRAIN_LOSS, number(mixed.clone()));
            loss = loss + mixed * pretrain_coefficient;
        }
        Ok(loss)
    }
}

/// Some of a step's answers as tensors, each `[B, C]`.
struct Minibatch {
    sequences: crate::completions::Sequences,
    mask: Tensor<2>,
    old_logprobs: Tensor<2>,
    advantages: Tensor<2>,
    old_values: Tensor<2>,
    returns: Tensor<2>,
}

impl Minibatch {
    fn new(trajectories: &[&Trajectory], experience: &Experience, chosen: &[usize], model: &ActorCritic) -> Self {
        let some: Vec<&Trajectory> = chosen.iter().map(|&index| trajectories[index]).collect();
        let sequences = sequences(some.iter().copied());
        let device = model.actor.device();
        let table = |rows: &[Vec<f64>]| sequences.per_token(|b, c| rows[chosen[b]][c] as f32, &device);
        Self {
            mask: sequences.mask(&device),
            old_logprobs: token_tensor(&some, &sequences, |t, c| t.logprobs[c], &device),
            advantages: table(&experience.advantages),
            old_values: table(&experience.values),
            returns: table(&experience.returns),
            sequences,
        }
    }
}

/// `max(−A·ρ, −A·clip(ρ, low, high))` of every token, `ρ = exp(logprobs − old)`. All `[B, C]`.
#[must_use]
pub fn clipped_surrogate(
    logprobs_bc: Tensor<2>,
    old_bc: Tensor<2>,
    advantages_bc: Tensor<2>,
    low: f64,
    high: f64,
) -> Tensor<2> {
    let ratio = (logprobs_bc - old_bc).exp();
    let clipped = ratio.clone().clamp(low, high);
    (-advantages_bc.clone() * ratio).max_pair(-advantages_bc * clipped)
}

/// The share of clipped tokens: `−A·clip(ρ) > −A·ρ`.
#[must_use]
pub fn clip_fraction(
    logprobs_bc: &Tensor<2>,
    old_bc: &Tensor<2>,
    advantages_bc: &Tensor<2>,
    mask_bc: &Tensor<2>,
    low: f64,
    high: f64,
) -> f64 {
    let ratio = (logprobs_bc.clone().detach() - old_bc.clone()).exp();
    let clipped = ratio.clone().clamp(low, high);
    let decides = (ratio * advantages_bc.clone()).greater(clipped * advantages_bc.clone());
    number(masked_mean(decides.float(), mask_bc))
}

/// `½ mean max((V − R)², (clip(V, V_old ± ε_v) − R)²)` over the tokens of the mask; without the
/// second term where `ε_v` is 0. All `[B, C]` → `[1]`
#[must_use]
pub fn value_loss(
    values_bc: Tensor<2>,
    old_values_bc: Tensor<2>,
    returns_bc: Tensor<2>,
    mask_bc: &Tensor<2>,
    clip: f64,
) -> Tensor<1> {
    let squared = (values_bc.clone() - returns_bc.clone()).square();
    if clip == 0.0 {
        return masked_mean(squared, mask_bc) * 0.5;
    }
    let moved = (values_bc - old_values_bc.clone()).clamp(-clip, clip);
    let clipped = (old_values_bc + moved - returns_bc).square();
    masked_mean(squared.max_pair(clipped), mask_bc) * 0.5
}
