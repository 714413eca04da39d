//! KTO: Kahneman–Tversky optimisation (Ethayarajh et al. 2024). Learns from single ratings, thumb up or down, instead
//! of pairs.
//!
//! With `r = log π(y|x) − log reference(y|x)` and `z`, an estimate of the KL of the policy from its
//! reference that carries no gradient,
//!
//! ```text
//! L = w_up·(1 − σ(β·(r − z)))   for a thumb up          L = w_down·(1 − σ(β·(z − r)))   for a thumb down
//! ```
//!
//! z is estimated, as in the paper, by prompts with completions that belong to other prompts of the
//! batch: the mean of their r, and at least 0.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use fireclay_data::chat::EncodedRating;
use fireclay_model::Decoder;
use fireclay_train::metrics::names;
use fireclay_train::{Loss, Objective, Outcome, TrainError};
use serde::{Deserialize, Serialize};

use crate::completions::{Sequences, host};
use crate::dpo::{PreferenceTraining, completion_logprobs};
use crate::numbers::{not_negative, positive};

/// Configuration of KTO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KtoConfig {
    /// β: strength of the KL constraint to the reference.
    pub beta: f64,
    /// Weight of thumbs up.
    pub desirable_weight: f64,
    /// Weight of thumbs down.
    pub undesirable_weight: f64,
}

impl Default for KtoConfig {
    fn default() -> Self {
        Self { beta: 0.1, desirable_weight: 1.0, undesirable_weight: 1.0 }
    }
}

impl KtoConfig {
    /// Checks that every number is possible.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        positive("beta", self.beta)?;
        not_negative("desirable_weight", self.desirable_weight)?;
        not_negative("undesirable_weight", self.undesirable_weight)
    }
}

/// The loss on ratings, with its frozen reference.
#[derive(Clone, Debug)]
pub struct KahnemanTversky {
    /// Its configuration.
    pub config: KtoConfig,
    /// The reference: the starting policy, without gradients.
    pub reference: Decoder,
}

/// The loss of every rating, from `ratios = log π − log reference` and the KL estimate `z`; `good` marks thumbs up. All
/// `[B]`
#[must_use]
pub fn kto_losses(ratios_b: Tensor<1>, good: &[bool], z: f64, config: &KtoConfig) -> Tensor<1> {
    let device = ratios_b.device();
    let per_rating = |up: f64, down: f64| {
        let numbers: Vec<f32> = good.iter().map(|&good| if good { up } else { down } as f32).collect();
        Tensor::<1>::from_floats(numbers.as_slice(), &device)
    };
    let sign = per_rating(1.0, -1.0);
    let weight = per_rating(config.desirable_weight, config.undesirable_weight);
    (-sigmoid((ratios_b - z) * config.beta * sign) + 1.0) * weight
}

impl KahnemanTversky {
    /// log π − log reference of whole completions. `[B]`
    fn ratios(&self, policy: &Decoder, sequences: &Sequences) -> Tensor<1> {
        let reference = completion_logprobs(&self.reference, sequences, false).into_data();
        completion_logprobs(policy, sequences, false) - Tensor::from_data(reference, &policy.device())
    }

    /// The KL estimate, from each prompt with the next completion that belongs to another prompt; 0 if all prompts are
    /// equal.
    fn kl(&self, policy: &Decoder, ratings: &[EncodedRating]) -> f64 {
        let longest = policy.config().context;
        let prompt = |rating: &EncodedRating| rating.ids[..rating.prompt_tokens].to_vec();
        let mismatched = ratings.iter().enumerate().filter_map(|(index, rating)| {
            let mut later = ratings.iter().cycle().skip(index + 1).take(ratings.len() - 1);
            let other = later.find(|other| prompt(other) != prompt(rating))?;
            let mut ids = [&rating.ids[..rating.prompt_tokens], &other.ids[other.prompt_tokens..]].concat();
            ids.truncate(longest);
            (ids.len() > rating.prompt_tokens).then_some((ids, rating.prompt_tokens))
        });
        let sequences = Sequences::new(mismatched);
        if sequences.is_empty() {
            return 0.0;
        }
        let ratios = host(self.ratios(policy, &sequences));
        (ratios.iter().map(|&r| f64::from(r)).sum::<f64>() / ratios.len() as f64).max(0.0)
    }
}

impl Objective<Decoder, Vec<EncodedRating>> for KahnemanTversky {
    fn loss(&self, policy: &Decoder, ratings: &Vec<EncodedRating>) -> Loss {
        use burn::module::Module;
        let kl = self.kl(&policy.valid(), ratings);
        let sequences = Sequences::new(ratings.iter().map(|rating| (rating.ids.clone(), rating.prompt_tokens)));
        let ratios = self.ratios(policy, &sequences);
        let good: Vec<bool> = ratings.iter().map(|rating| rating.good).collect();
        let right =
            host(ratios.clone().detach()).iter().zip(&good).filter(|(r, good)| (f64::from(**r) > kl) == **good).count();
        Loss {
            mean: kto_losses(ratios, &good, kl, &self.config).mean(),
            weight: ratings.len() as f64,
            tokens: sequences.tokens(),
            metrics: vec![(names::ACCURACY, right as f64 / ratings.len() as f64), (names::KL, kl)],
        }
    }
}

/// Aligns `policy` with ratings, or resumes exactly; see [`fit`](fireclay_train::fit()). `reference`, without
/// gradients, is the policy's starting point.
///
/// # Errors
/// [`TrainError`] when the settings are impossible or do not fit the checkpoint, the disk fails, or
/// losses stay non-finite.
pub fn kto(
    policy: Decoder,
    reference: Decoder,
    config: &KtoConfig,
    training: PreferenceTraining<'_, EncodedRating>,
) -> Result<Outcome, TrainError> {
    config.validate()?;
    let objective = KahnemanTversky { config: config.clone(), reference: training.rounded(reference) };
    training.fit(policy, &objective, &[names::ACCURACY, names::KL, names::BATTERY])
}
