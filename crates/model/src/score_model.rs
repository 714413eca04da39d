//! A decoder that outputs one number per token instead of logits: reward models and critics.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::config::DecoderConfig;
use crate::init::normal;
use crate::linear::{Linear, Precision};
use crate::{ActivationCheckpoints, Decoder, ModelError};

/// A decoder's body with a linear map, without bias, from its last hidden state to one number per token. A reward
/// model's score of a text is the number at its last token (Stiennon et al. 2020, section 3.4); a critic's values are
/// those at all tokens.
#[derive(Module, Debug)]
pub struct ScoreModel {
    pub(crate) decoder: Decoder,
    pub(crate) score: Linear,
}

impl ScoreModel {
    /// The body of `decoder` with a fresh map, whose weight is normal with standard deviation 1/√(D + 1) (Stiennon et
    /// al. 2020, appendix B.1). The decoder's own head, if any, is dropped, so that every parameter has a gradient.
    #[must_use]
    pub fn new(decoder: Decoder, seed: u64) -> Self {
        let width = decoder.config().width;
        let weight = normal(seed, "score.weight", width, 1.0 / (width as f64 + 1.0).sqrt());
        Self::with_weight(decoder, weight)
    }

    /// The body of `decoder` with a map of weight `[D]`.
    pub(crate) fn with_weight(mut decoder: Decoder, weight: Vec<f32>) -> Self {
        let weight = TensorData::new(weight, [decoder.config().width, 1]);
        let score = Linear::new(Tensor::from_data(weight, &decoder.device()), None);
        decoder.head = None;
        decoder.config.tied_head = true;
        Self { decoder, score }
    }

    /// Configuration of the body, with a tied head, since the body has no head.
    #[must_use]
    pub fn config(&self) -> &DecoderConfig {
        self.decoder.config()
    }

    /// Device of the weights.
    #[must_use]
    pub fn device(&self) -> Device {
        self.decoder.device()
    }

    /// The model with its scores divided by `unit`.
    #[must_use]
    pub fn divided_by(mut self, unit: f64) -> Self {
        self.score = self.score.scaled(1.0 / unit);
        self
    }

    /// See [`Decoder::with_activation_checkpoints`].
    #[must_use]
    pub fn with_activation_checkpoints(mut self, checkpoints: Option<ActivationCheckpoints>) -> Self {
        self.decoder = self.decoder.with_activation_checkpoints(checkpoints);
        self
    }

    /// Number format of the body's matrix products; f32 at first. The score itself is always computed in f32, which
    /// costs almost nothing.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.decoder = self.decoder.with_precision(precision);
        self
    }

    /// The score of each prefix of each text. Later tokens do not change it, so padding on the right has no effect.
    ///
    /// # Shapes
    /// `[B, T]` → `[B, T]`
    ///
    /// # Panics
    /// As [`Decoder::forward`].
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let [batch, time] = ids.dims();
        let hidden_nd = self.decoder.hidden(ids, None).reshape([batch * time, self.config().width]);
        self.score.forward(hidden_nd, Precision::F32).reshape([batch, time])
    }
}

/// Normalisation of a reward model's scores to rewards: `(score − mean) / std`. A loss on differences of scores does
/// not determine their zero and unit; with the mean and standard deviation of the scores of a sample of texts, rewards
/// have mean 0 and standard deviation 1 on that sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardScale {
    /// The score whose reward is 0.
    pub mean: f64,
    /// The difference in score that corresponds to a difference of 1 in reward; positive.
    pub std: f64,
}

impl Default for RewardScale {
    /// Rewards are the scores.
    fn default() -> Self {
        Self { mean: 0.0, std: 1.0 }
    }
}

impl RewardScale {
    /// The reward for a score.
    #[must_use]
    pub fn reward(&self, score: f64) -> f64 {
        (score - self.mean) / self.std
    }

    /// Checks that rewards are finite and increase with the score.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] names the invalid number and its valid range.
    pub fn validate(&self) -> Result<(), ModelError> {
        let Self { mean, std } = self;
        if !mean.is_finite() {
            return Err(ModelError::Invalid(format!("the mean of the reward is {mean}; give a finite number")));
        }
        if !(std.is_finite() && *std > 0.0) {
            return Err(ModelError::Invalid(format!("the std of the reward is {std}; give a positive number")));
        }
        Ok(())
    }
}
