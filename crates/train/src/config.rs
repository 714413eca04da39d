//! Configuration of training: [`TrainConfig`].

use fireclay_model::{ActivationCheckpoints, Precision};
use serde::{Deserialize, Serialize};

use crate::{OptimizerConfig, TrainError, UpdateRule};

/// The keys that every training stage of a recipe shares. One step consumes `batch · context · accumulate` tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Total number of optimiser steps.
    pub steps: u64,
    /// Number of sequences in one forward pass (B).
    pub batch: usize,
    /// Number of tokens in a sequence (T).
    pub context: usize,
    /// Number of forward and backward passes whose gradients form one step.
    pub accumulate: usize,
    /// Optimiser of the matrices inside the blocks.
    pub optimizer: UpdateRule,
    /// The peak learning rate.
    pub learning_rate: f64,
    /// Final learning rate, as a fraction of `learning_rate`.
    pub min_learning_rate: f64,
    /// Number of steps over which the learning rate rises linearly from 0.
    pub warmup_steps: u64,
    /// Schedule of the rate after the warm-up.
    pub schedule: Schedule,
    /// The last part of all steps in which `wsd` decays, as a fraction.
    pub decay_fraction: f64,
    /// Decay of matrices and embeddings, per step and unit of learning rate; vectors (norms, biases) do not decay.
    pub weight_decay: f64,
    /// β₁: decay rate of `AdamW`'s running mean of gradients.
    pub beta1: f64,
    /// β₂: decay rate of `AdamW`'s running mean of squared gradients.
    pub beta2: f64,
    /// ε: added to the root of the mean squared gradient.
    pub epsilon: f64,
    /// Decay rate of Muon's running mean of gradients.
    pub momentum: f64,
    /// The gradient is scaled down to this global norm where it is larger; 0: never.
    pub clip: f64,
    /// Whether biases are trained; if not, they keep their initial value 0, as if the model had none.
    pub train_biases: bool,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// Whether only the input of each block is kept for the backward pass, which then recomputes the block: less
    /// memory, a third more work.
    pub checkpointing: bool,
    /// Steps between evaluations on the validation split; 0: only at the end.
    pub eval_every: u64,
    /// Batches in an evaluation; 0: the whole validation split.
    pub eval_batches: usize,
    /// Steps between samples; 0: only at the end.
    pub sample_every: u64,
    /// Tokens in a sample; 0: none are made.
    pub sample_tokens: usize,
    /// Steps between checkpoints; 0: only at the end.
    pub checkpoint_every: u64,
    /// Number of newest checkpoints that are kept, beside the best.
    pub keep_checkpoints: usize,
    /// Seed of the initial weights, the order of the data and the samples.
    pub seed: u64,
    /// Largest number of consecutive steps skipped for a non-finite loss or gradient; more end the run.
    pub max_skipped_steps: u64,
}

impl Default for TrainConfig {
    /// Settings of a small GPT (Brown et al. 2020, appendix B, with the learning rate of its smallest model).
    fn default() -> Self {
        Self {
            steps: 1000,
            batch: 8,
            context: 256,
            accumulate: 1,
            optimizer: UpdateRule::AdamW,
            learning_rate: 6e-4,
            min_learning_rate: 0.1,
            warmup_steps: 50,
            schedule: Schedule::Cosine,
            decay_fraction: 0.2,
            weight_decay: 0.1,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            momentum: 0.95,
            clip: 1.0,
            train_biases: true,
            precision: Precision::F32,
            checkpointing: false,
            eval_every: 100,
            eval_batches: 0,
            sample_every: 200,
            sample_tokens: 100,
            checkpoint_every: 200,
            keep_checkpoints: 2,
            seed: 42,
            max_skipped_steps: 10,
        }
    }
}

/// Largest number of tokens in a step, far beyond that of the largest models. More is a mistake, which would keep the
/// machine busy for hours before the first step ends.
const LARGEST_STEP: u128 = 1 << 26;

/// Keys that affect output and checkpoints but not the result of a step.
const FREE: [&str; 7] = [
    "eval_every",
    "eval_batches",
    "sample_every",
    "sample_tokens",
    "checkpoint_every",
    "keep_checkpoints",
    "max_skipped_steps",
];

impl TrainConfig {
    /// Whether the key of this name may change when a stage is resumed, because no step's result depends on it.
    #[must_use]
    pub fn is_free(key: &str) -> bool {
        FREE.contains(&key)
    }

    /// Activation checkpoints that the models of a run share, if [`checkpointing`](Self::checkpointing) is on.
    #[must_use]
    pub fn activation_checkpoints(&self) -> Option<ActivationCheckpoints> {
        self.checkpointing.then(ActivationCheckpoints::default)
    }

    /// Checks that every number is valid.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first invalid key, its value, and the allowed values.
    pub fn validate(&self) -> Result<(), TrainError> {
        let invalid =
            |key, value: &dyn ToString, expected| Err(TrainError::Config { key, value: value.to_string(), expected });
        for (key, value) in [
            ("steps", self.steps),
            ("batch", self.batch as u64),
            ("context", self.context as u64),
            ("accumulate", self.accumulate as u64),
            ("keep_checkpoints", self.keep_checkpoints as u64),
        ] {
            if value == 0 {
                return invalid(key, &value, "1 or more");
            }
        }
        let tokens = self.batch as u128 * self.context as u128 * self.accumulate as u128;
        if tokens > LARGEST_STEP {
            let value = format!("{} · {} · {} tokens in each step", self.batch, self.context, self.accumulate);
            return invalid("batch · context · accumulate", &value, "at most 2^26 tokens");
        }
        if self.steps > 1 << 40 {
            return invalid("steps", &self.steps, "at most 2^40");
        }
        for (key, value) in [("learning_rate", self.learning_rate), ("epsilon", self.epsilon)] {
            if !(value > 0.0 && value.is_finite()) {
                return invalid(key, &value, "a positive number");
            }
            check_32_bits(key, value)?;
        }
        for (key, value) in [("weight_decay", self.weight_decay), ("clip", self.clip)] {
            if !(value >= 0.0 && value.is_finite()) {
                return invalid(key, &value, "0 or a positive number");
            }
            check_32_bits(key, value)?;
        }
        for (key, value) in [("min_learning_rate", self.min_learning_rate), ("decay_fraction", self.decay_fraction)] {
            if !(0.0..=1.0).contains(&value) {
                return invalid(key, &value, "a fraction between 0 and 1");
            }
        }
        for (key, value) in [("beta1", self.beta1), ("beta2", self.beta2), ("momentum", self.momentum)] {
            if !(0.0..1.0).contains(&value) {
                return invalid(key, &value, "at least 0 and less than 1");
            }
        }
        if self.warmup_steps > self.steps {
            return invalid("warmup_steps", &self.warmup_steps, "at most the number of steps");
        }
        Ok(())
    }

    /// Number of tokens that one optimiser step consumes.
    #[must_use]
    pub fn tokens_per_step(&self) -> u64 {
        (self.batch * self.context * self.accumulate) as u64
    }

    /// Number of tokens that all steps consume.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.steps.saturating_mul(self.tokens_per_step())
    }

    /// The learning rate of a step; see [`Schedule`].
    #[must_use]
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        self.schedule.learning_rate(self, step)
    }

    /// The configuration of the optimiser.
    #[must_use]
    pub fn optimizer(&self) -> OptimizerConfig {
        OptimizerConfig {
            rule: self.optimizer,
            momentum: self.momentum,
            precision: self.precision,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            decay_vectors: false,
            clip: self.clip,
        }
    }
}

/// Checks that 32 bits, in which weights are computed, hold a number: it becomes neither infinite nor 0.
///
/// # Errors
/// [`TrainError::Config`] names `key` and the value.
pub fn check_32_bits(key: &'static str, value: f64) -> Result<(), TrainError> {
    let rounded = value as f32;
    if rounded.is_finite() && (rounded == 0.0) == (value == 0.0) {
        return Ok(());
    }
    let expected = "a number that 32 bits can hold, 0 or from 1e-45 to 3e38";
    Err(TrainError::Config { key, value: format!("{value:e}"), expected })
}

/// Schedule of the learning rate after a linear warm-up from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Half a cosine from the peak to the minimum at the last step (Loshchilov and Hutter 2017, SGDR, without
    /// restarts).
    #[default]
    Cosine,
    /// Warm-up, stable, decay: the peak until the last `decay_fraction` of all steps, then a straight line to the
    /// minimum (Hu et al. 2024, `MiniCPM`). A run can be made longer until its decay begins.
    Wsd,
    /// The peak to the end.
    Constant,
}

impl Default for OptimizerConfig {
    /// The usual schedule of GPTs.
    fn default() -> Self {
        TrainConfig::default().optimizer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        TrainConfig::default().validate().unwrap();
    }

    #[test]
    fn an_impossible_number_is_named_with_what_it_must_be() {
        let check = |change: fn(&mut TrainConfig), expect: &str| {
            let mut config = TrainConfig::default();
            change(&mut config);
            let error = config.validate().unwrap_err();
            assert!(error.is_user_error());
            assert_eq!(error.to_string(), expect);
        };
        check(|c| c.batch = 0, "batch = 0: it must be 1 or more");
        check(|c| c.learning_rate = -1.0, "learning_rate = -1: it must be a positive number");
        check(
            |c| (c.batch, c.context, c.accumulate) = (64, 1024, 99_999),
            "batch · context · accumulate = 64 · 1024 · 99999 tokens in each step: it must be at most 2^26 tokens",
        );
        let held = "it must be a number that 32 bits can hold, 0 or from 1e-45 to 3e38";
        check(|c| c.learning_rate = 1e300, &format!("learning_rate = 1e300: {held}"));
        check(|c| c.epsilon = 1e-60, &format!("epsilon = 1e-60: {held}"));
        check(|c| c.weight_decay = 1e39, &format!("weight_decay = 1e39: {held}"));
        check(|c| c.clip = 1e300, &format!("clip = 1e300: {held}"));
        check(|c| c.clip = f64::NAN, "clip = NaN: it must be 0 or a positive number");
        check(|c| c.min_learning_rate = 2.0, "min_learning_rate = 2: it must be a fraction between 0 and 1");
        check(|c| c.beta2 = 1.0, "beta2 = 1: it must be at least 0 and less than 1");
        check(|c| c.warmup_steps = 5000, "warmup_steps = 5000: it must be at most the number of steps");
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_refused() {
        let error = serde_json::from_str::<TrainConfig>(r#"{"batchsize": 4}"#).unwrap_err().to_string();
        assert!(error.contains("batchsize"), "{error}");
        assert!(serde_json::from_str::<TrainConfig>(r#"{"batch": "four"}"#).is_err());
        let config: TrainConfig =
            serde_json::from_str(r#"{"batch": 4, "schedule": "wsd", "precision": "bf16"}"#).unwrap();
        assert_eq!((config.batch, config.schedule, config.precision), (4, Schedule::Wsd, Precision::Bf16));
    }
}
