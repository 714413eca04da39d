//! DPO: direct preference optimisation (Rafailov et al. 2023). Preferences without a reward model and without sampling.
//!
//! The policy that maximises a reward under a KL penalty β satisfies `r(x, y) = β·log(π(y|x) /
//! reference(y|x)) + const(x)`; put into the Bradley–Terry likelihood of a preference, this is a
//! loss of the policy itself. With `h = log π(y_c)/π(y_r) − log ref(y_c)/ref(y_r)`:
//!
//! | `loss` | formula |
//! |---|---|
//! | `sigmoid` | `−(1 − s)·log σ(β·h) − s·log σ(−β·h)`, s the share of labels that are wrong (Mitchell 2023, conservative DPO) |
//! | `ipo` | `(h̄ − 1/(2β))²`, with the mean over tokens instead of the sum (Azar et al. 2023) |
//! | `hinge` | `max(0, 1 − β·h)` (Zhao et al. 2023, `SLiC`) |
//!
//! `reference_free` replaces the reference by a uniform distribution.

use std::cmp::Ordering;

use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, relu};
use fireclay_data::Source;
use fireclay_data::chat::EncodedPair;
use fireclay_model::Decoder;
use fireclay_train::metrics::names;
use fireclay_train::{Exam, Fit, Loss, Objective, Outcome, StageRun, TrainError, evaluate_objective, fit};
use serde::{Deserialize, Serialize};

use crate::completions::{Sequences, host, token_logprobs};
use crate::numbers::positive;
use crate::reward::pair_sequences;
use crate::sft::limit;

/// Loss as a function of the difference h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DpoLoss {
    /// Bradley and Terry's likelihood.
    #[default]
    Sigmoid,
    /// A squared distance from a margin.
    Ipo,
    /// A hinge.
    Hinge,
}

/// Configuration of DPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DpoConfig {
    /// Loss as a function of the difference h.
    pub loss: DpoLoss,
    /// β: strength of the KL constraint to the reference.
    pub beta: f64,
    /// s: the share of labels that are taken to be wrong.
    pub label_smoothing: f64,
    /// Whether the loss uses no reference.
    pub reference_free: bool,
}

impl Default for DpoConfig {
    fn default() -> Self {
        Self { loss: DpoLoss::Sigmoid, beta: 0.1, label_smoothing: 0.0, reference_free: false }
    }
}

impl DpoConfig {
    /// Checks that every number is possible.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        positive("beta", self.beta)?;
        if !(0.0..0.5).contains(&self.label_smoothing) {
            let value = self.label_smoothing.to_string();
            return Err(TrainError::Config { key: "label_smoothing", value, expected: "from 0 to less than 0.5" });
        }
        Ok(())
    }
}

/// The loss on pairs, with its frozen reference.
#[derive(Clone, Debug)]
pub struct DirectPreference {
    /// Its configuration.
    pub config: DpoConfig,
    /// The reference: the starting policy, without gradients.
    pub reference: Decoder,
}

/// The loss of every pair, from the log-probabilities of whole completions (for IPO: their means
/// over tokens). All `[B]`.
#[must_use]
pub fn dpo_losses(
    policy_chosen_b: Tensor<1>,
    policy_rejected_b: Tensor<1>,
    reference_chosen_b: Tensor<1>,
    reference_rejected_b: Tensor<1>,
    config: &DpoConfig,
) -> Tensor<1> {
    let policy = policy_chosen_b - policy_rejected_b;
    let h = if config.reference_free { policy } else { policy - (reference_chosen_b - reference_rejected_b) };
    let DpoConfig { beta, label_smoothing: s, .. } = *config;
    match config.loss {
        DpoLoss::Sigmoid if s == 0.0 => -log_sigmoid(h * beta),
        DpoLoss::Sigmoid => -log_sigmoid(h.clone() * beta) * (1.0 - s) - log_sigmoid(-h * beta) * s,
        DpoLoss::Ipo => (h - 1.0 / (2.0 * beta)).square(),
        DpoLoss::Hinge => relu(-h * beta + 1.0),
    }
}

/// log π of whole completions, or with `mean` the means over their tokens. `[B]`
#[must_use]
pub fn completion_logprobs(decoder: &Decoder, sequences: &Sequences, mean: bool) -> Tensor<1> {
    let logprobs_bc = token_logprobs(decoder, sequences, 1.0);
    let mask_bc = sequences.mask(&logprobs_bc.device());
    let sums_b1 = (logprobs_bc * mask_bc.clone()).sum_dim(1);
    let sums_b1 = if mean { sums_b1 / mask_bc.sum_dim(1) } else { sums_b1 };
    sums_b1.squeeze_dim::<1>(1)
}

impl Objective<Decoder, Vec<EncodedPair>> for DirectPreference {
    fn loss(&self, policy: &Decoder, pairs: &Vec<EncodedPair>) -> Loss {
        let sequences = pair_sequences(pairs);
        let mean = self.config.loss == DpoLoss::Ipo;
        let split = |all: Tensor<1>| (all.clone().narrow(0, 0, pairs.len()), all.narrow(0, pairs.len(), pairs.len()));
        let (chosen, rejected) = split(completion_logprobs(policy, &sequences, mean));
        // A uniform reference cancels out.
        let reference = if self.config.reference_free {
            chosen.zeros_like().detach().repeat_dim(0, 2)
        } else {
            let logprobs = completion_logprobs(&self.reference, &sequences, mean).into_data();
            Tensor::from_data(logprobs, &policy.device())
        };
        let (ref_chosen, ref_rejected) = split(reference);
        // The implicit reward of an answer, up to a constant of the prompt.
        let worth = |policy: &Tensor<1>, reference: &Tensor<1>| {
            let difference = policy.clone().detach() - reference.clone();
            host(difference * self.config.beta).into_iter().map(f64::from).collect::<Vec<_>>()
        };
        let (good, bad) = (worth(&chosen, &ref_chosen), worth(&rejected, &ref_rejected));
        let count = pairs.len() as f64;
        // Before the first step all are equal: a tie counts half.
        let right = |(good, bad): (&f64, &f64)| match good.partial_cmp(bad) {
            Some(Ordering::Greater) => 1.0,
            Some(Ordering::Equal) => 0.5,
            _ => 0.0,
        };
        let right: f64 = good.iter().zip(&bad).map(right).sum();
        let losses = dpo_losses(chosen, rejected, ref_chosen, ref_rejected, &self.config);
        Loss {
            mean: losses.mean(),
            weight: count,
            tokens: sequences.tokens(),
            metrics: vec![
                (names::ACCURACY, right / count),
                (names::CHOSEN_REWARD, good.iter().sum::<f64>() / count),
                (names::REJECTED_REWARD, bad.iter().sum::<f64>() / count),
            ],
        }
    }
}

/// Arguments of [`dpo`] and [`kto`](crate::kto::kto) beside policy and reference.
pub struct PreferenceTraining<'a, T> {
    /// Settings, folder, interrupt; `config.batch` is the number of examples of a step.
    pub run: StageRun<'a>,
    /// Examples to learn from.
    pub source: &'a mut dyn Source<Vec<T>>,
    /// Examples that are never learned from.
    pub validation: &'a [T],
    /// Selects the best checkpoint; `None`: the validation loss does.
    pub battery: Option<&'a dyn Exam<Decoder>>,
}

impl<T: Clone> PreferenceTraining<'_, T> {
    /// The reference rounded as the policy is, so that the two are equal before the first step.
    pub(crate) fn rounded(&self, reference: Decoder) -> Decoder {
        reference.with_precision(self.run.config.precision)
    }

    /// Runs [`fit()`] on an objective over these examples.
    pub(crate) fn fit(
        self,
        policy: Decoder,
        objective: &dyn Objective<Decoder, Vec<T>>,
        shows: &[&'static str],
    ) -> Result<Outcome, TrainError> {
        let Self { run, source, validation, battery } = self;
        let config = run.config;
        let evaluate = |policy: &Decoder| {
            let batches = validation.chunks(config.batch).map(<[T]>::to_vec).take(limit(config));
            Ok((!validation.is_empty()).then(|| evaluate_objective(policy, objective, batches)))
        };
        fit(
            policy,
            Fit {
                run,
                objective,
                source,
                evaluate: &evaluate,
                exam: battery,
                sample: &|_, _| Ok(vec![]),
                finish: &Ok,
                shows,
            },
        )
    }
}

/// Aligns `policy` with preferences, or resumes exactly; see [`fit()`]. `reference`, without gradients, is the policy's
/// starting point.
///
/// # Errors
/// [`TrainError`] when the settings are impossible or do not fit the checkpoint, the disk fails, or
/// losses stay non-finite.
pub fn dpo(
    policy: Decoder,
    reference: Decoder,
    config: &DpoConfig,
    training: PreferenceTraining<'_, EncodedPair>,
) -> Result<Outcome, TrainError> {
    config.validate()?;
    let objective = DirectPreference { config: config.clone(), reference: training.rounded(reference) };
    training.fit(policy, &objective, &[names::ACCURACY, names::BATTERY])
}
