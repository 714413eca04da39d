//! The reward model: predicts human preferences, learned from pairs of answers.
//!
//! A score r(x, y) is read at an answer's last token. The Bradley–Terry model (1952) gives the probability that one
//! answer is preferred to another, and its negative log-likelihood is the loss (Christiano et al. 2017; Ouyang et al.
//! 2022), with the margin m of Touvron et al. (2023) and the centring term of Eisenstein et al. (2023):
//!
//! ```text
//! L = −log σ(r(x, y_c) − r(x, y_r) − m) + c·(r(x, y_c) + r(x, y_r))²
//! ```
//!
//! Only differences of scores are determined. At the end of training, the scores of a reference set are normalised to
//! mean 0 and standard deviation 1, so that a reward of 0 is an average answer and 1 is one standard deviation better.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Tensor};
use fireclay_data::Source;
use fireclay_data::chat::EncodedPair;
use fireclay_model::huggingface::{SaveOptions, TokenIds};
use fireclay_model::{
    ActivationCheckpoints, ModelError, Precision, RewardScale, ScoreModel, load_score_model, save_score_model,
};
use fireclay_train::metrics::names;
use fireclay_train::{Evaluation, Fit, Loss, Objective, Optimizer, Outcome, StageRun, TrainError, Trainable, fit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::advantages::mean_and_variance;
use crate::completions::{Sequences, final_scores, host};
use crate::numbers::not_negative;
use crate::sft::limit;

/// A model that scores texts, and the scale from its scores to rewards.
#[derive(Module, Debug)]
pub struct RewardModel {
    /// The score model.
    pub model: ScoreModel,
    /// Scale from scores to rewards.
    #[module(skip)]
    pub scale: RewardScale,
}

impl RewardModel {
    /// A model whose rewards are its scores.
    #[must_use]
    pub fn new(model: ScoreModel) -> Self {
        Self { model, scale: RewardScale::default() }
    }

    /// Loads a sequence-classification directory.
    ///
    /// # Errors
    /// [`ModelError`] when it holds no such model.
    pub fn load(dir: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        let (model, scale) = load_score_model(dir, device)?;
        Ok(Self { model, scale })
    }
}

impl Trainable for RewardModel {
    type Optimizers = Optimizer;

    fn device(&self) -> Device {
        self.model.device()
    }

    fn with_precision(self, precision: Precision) -> Self {
        Self { model: self.model.with_precision(precision), ..self }
    }

    fn with_activation_checkpoints(self, checkpoints: Option<ActivationCheckpoints>) -> Self {
        Self { model: self.model.with_activation_checkpoints(checkpoints), ..self }
    }

    fn save(&self, dir: &Path, tokens: &TokenIds) -> Result<(), ModelError> {
        let options = SaveOptions { tokens: tokens.clone(), ..SaveOptions::default() };
        save_score_model(&self.model, dir, &options, &self.scale)
    }

    fn restore(self, dir: &Path, device: &Device) -> Result<Self, ModelError> {
        drop(self);
        Self::load(dir, device)
    }

    fn configuration(&self) -> Value {
        serde_json::to_value(self.model.config()).expect("a configuration is JSON")
    }

    fn flops_per_token(&self, context: usize) -> f64 {
        self.model.config().flops_per_token(context)
    }
}

/// Configuration of a reward model's loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardConfig {
    /// c: weight of the centring term; 0: none.
    pub center_coefficient: f64,
}

impl RewardConfig {
    /// Checks that every number is possible.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        not_negative("center_coefficient", self.center_coefficient)
    }
}

/// The loss of pairs under the Bradley–Terry model (1952): see [`ranking_loss`].
#[derive(Clone, Debug)]
pub struct PairwiseRanking {
    /// Its configuration.
    pub config: RewardConfig,
}

/// `−log σ(chosen − rejected − margin) + c·(chosen + rejected)²`, the mean over pairs. All `[B]` → `[1]`
#[must_use]
pub fn ranking_loss(chosen_b: Tensor<1>, rejected_b: Tensor<1>, margins_b: Tensor<1>, center: f64) -> Tensor<1> {
    let losses = -log_sigmoid(chosen_b.clone() - rejected_b.clone() - margins_b);
    if center == 0.0 { losses.mean() } else { losses.mean() + (chosen_b + rejected_b).square().mean() * center }
}

/// Chosen answers, then rejected ones.
pub(crate) fn pair_sequences(pairs: &[EncodedPair]) -> Sequences {
    let chosen = pairs.iter().map(|pair| (pair.chosen.clone(), pair.prompt_tokens));
    let rejected = pairs.iter().map(|pair| (pair.rejected.clone(), pair.prompt_tokens));
    Sequences::new(chosen.chain(rejected))
}

impl Objective<RewardModel, Vec<EncodedPair>> for PairwiseRanking {
    fn loss(&self, reward: &RewardModel, pairs: &Vec<EncodedPair>) -> Loss {
        let sequences = pair_sequences(pairs);
        let scores = final_scores(&reward.model, &sequences);
        let (chosen, rejected) = (scores.clone().narrow(0, 0, pairs.len()), scores.narrow(0, pairs.len(), pairs.len()));
        let margins: Vec<f32> = pairs.iter().map(|pair| pair.margin).collect();
        let margins = Tensor::from_floats(margins.as_slice(), &reward.model.device());
        let difference = host(chosen.clone().detach() - rejected.clone().detach());
        let right = difference.iter().filter(|&&difference| difference > 0.0).count();
        Loss {
            mean: ranking_loss(chosen, rejected, margins, self.config.center_coefficient),
            weight: pairs.len() as f64,
            tokens: sequences.tokens(),
            metrics: vec![
                (names::ACCURACY, right as f64 / pairs.len() as f64),
                (names::SCORE_DIFFERENCE, difference.iter().map(|&d| f64::from(d)).sum::<f64>() / pairs.len() as f64),
            ],
        }
    }
}

/// Results of a reward model on pairs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RewardReport {
    /// The share of pairs whose chosen answer has the higher score.
    pub accuracy: f64,
    /// The accuracy for each kind of rejected answer, with the number of pairs.
    pub by_kind: BTreeMap<String, (f64, usize)>,
    /// Mean score of chosen answers, and its standard deviation.
    pub chosen: (f64, f64),
    /// Mean score of rejected answers, and its standard deviation.
    pub rejected: (f64, f64),
    /// The mean loss without margin and centring term.
    pub loss: f64,
    /// Number of pairs.
    pub pairs: usize,
}

/// Scores pairs with a model without gradients, `batch` pairs at a time.
#[must_use]
pub fn judge(model: &ScoreModel, pairs: &[EncodedPair], batch: usize) -> RewardReport {
    let (mut chosen, mut rejected) = (vec![], vec![]);
    for pairs in pairs.chunks(batch.max(1)) {
        let scores = host(final_scores(model, &pair_sequences(pairs)));
        chosen.extend(scores[..pairs.len()].iter().map(|&score| f64::from(score)));
        rejected.extend(scores[pairs.len()..].iter().map(|&score| f64::from(score)));
    }
    let both = || chosen.iter().zip(&rejected);
    let right = |c: f64, r: f64| f64::from(u8::from(c > r));
    let mut by_kind: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for (pair, (c, r)) in pairs.iter().zip(both()) {
        if let Some(kind) = &pair.kind {
            let (sum, count) = by_kind.entry(kind.clone()).or_default();
            *sum += right(*c, *r);
            *count += 1;
        }
    }
    for (sum, count) in by_kind.values_mut() {
        *sum /= *count as f64;
    }
    let spread = |scores: &[f64]| {
        let (mean, variance) = mean_and_variance(scores.iter().copied());
        (mean, variance.sqrt())
    };
    let count = pairs.len().max(1) as f64;
    RewardReport {
        accuracy: both().map(|(c, r)| right(*c, *r)).sum::<f64>() / count,
        by_kind,
        chosen: spread(&chosen),
        rejected: spread(&rejected),
        // log(1 + e^−d) without overflow.
        loss: both().map(|(c, r)| (r - c).max(0.0) + (-(c - r).abs()).exp().ln_1p()).sum::<f64>() / count,
        pairs: pairs.len(),
    }
}

impl From<RewardReport> for Evaluation {
    fn from(report: RewardReport) -> Self {
        let mut metrics = BTreeMap::from([
            (names::ACCURACY.to_owned(), report.accuracy),
            (names::CHOSEN_MEAN.to_owned(), report.chosen.0),
            (names::CHOSEN_STD.to_owned(), report.chosen.1),
            (names::REJECTED_MEAN.to_owned(), report.rejected.0),
            (names::REJECTED_STD.to_owned(), report.rejected.1),
        ]);
        let of_kind = |(kind, (accuracy, _))| (format!("{}_{kind}", names::ACCURACY), accuracy);
        metrics.extend(report.by_kind.into_iter().map(of_kind));
        Self { loss: report.loss, bits_per_byte: None, weight: report.pairs as f64, metrics }
    }
}

/// Arguments of [`train_reward_model`] beside the model.
pub struct RewardTraining<'a> {
    /// Settings, folder, interrupt; `config.batch` is the number of pairs of a step.
    pub run: StageRun<'a>,
    /// The loss's numbers.
    pub reward: &'a RewardConfig,
    /// Pairs to learn from.
    pub source: &'a mut dyn Source<Vec<EncodedPair>>,
    /// Pairs that are never learned from.
    pub validation: &'a [EncodedPair],
    /// Whole conversations whose scores are normalised to mean 0 and standard deviation 1 at the end; none: the scores
    /// stay as they are.
    pub reference_set: &'a [Vec<u32>],
}

/// Trains a reward model on pairs, or resumes exactly; see [`fit()`].
///
/// # Errors
/// [`TrainError`] when the settings do not fit the checkpoint, the disk fails, or losses stay non-finite.
pub fn train_reward_model(model: RewardModel, training: RewardTraining<'_>) -> Result<Outcome, TrainError> {
    let RewardTraining { run, reward, source, validation, reference_set } = training;
    let config = run.config;
    reward.validate()?;
    fit(
        model,
        Fit {
            run,
            objective: &PairwiseRanking { config: reward.clone() },
            source,
            evaluate: &|model| {
                let pairs = &validation[..validation.len().min(limit(config).saturating_mul(config.batch))];
                Ok((!pairs.is_empty()).then(|| judge(&model.model, pairs, config.batch).into()))
            },
            exam: None,
            sample: &|_, _| Ok(vec![]),
            finish: &|model| Ok(normalised(model, reference_set, config.batch)),
            shows: &[names::ACCURACY],
        },
    )
}

/// The model with the scale that brings the scores of `reference_set` to mean 0 and deviation 1.
#[must_use]
pub fn normalised(reward: RewardModel, reference_set: &[Vec<u32>], batch: usize) -> RewardModel {
    let mut scores = vec![];
    for some in reference_set.chunks(batch.max(1)) {
        // The start of the completion is irrelevant here: the score is read at the end.
        let sequences = Sequences::new(some.iter().map(|ids| (ids.clone(), 1)));
        scores.extend(host(final_scores(&reward.model, &sequences)).into_iter().map(f64::from));
    }
    let (mean, variance) = mean_and_variance(scores.iter().copied());
    if variance > 0.0 { RewardModel { scale: RewardScale { mean, std: variance.sqrt() }, ..reward } } else { reward }
}
