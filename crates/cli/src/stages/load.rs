//! What a stage asks of the machine.

use fireclay_model::DecoderConfig;
use fireclay_train::{MemoryEstimate, TrainConfig, memory_estimate};

/// Work and memory of a training step, in sequences of the stage's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Sequences whose tokens are counted as consumed.
    pub consumed: usize,
    /// Sequences that training on as many would cost as much as the step, for each of the stage's accumulated batches.
    pub computed: usize,
    /// Sequences whose activations are in memory at the same time.
    pub at_once: usize,
    /// Models of the decoder's size that stand beside it: references, critics, reward models.
    pub models_beside: u64,
    /// How many of these are trained.
    pub trained_beside: u64,
}

impl Load {
    /// Of a stage that learns from whole batches with one model.
    #[must_use]
    pub fn of_batches(train: &TrainConfig) -> Self {
        let (computed, at_once) = (train.batch, train.batch);
        Self { consumed: train.batch * train.accumulate, computed, at_once, models_beside: 0, trained_beside: 0 }
    }

    /// A configuration that trains a decoder with as much work in a step.
    #[must_use]
    pub fn work(&self, train: &TrainConfig) -> TrainConfig {
        TrainConfig { batch: self.computed, ..train.clone() }
    }

    /// Bytes, by what they hold.
    #[must_use]
    pub fn memory(&self, train: &TrainConfig, decoder: &DecoderConfig) -> MemoryEstimate {
        let own = memory_estimate(decoder, &TrainConfig { batch: self.at_once, ..train.clone() });
        let (models, trained) = (self.models_beside, self.trained_beside);
        let (weights, gradients, optimizer) = (models * own.weights, trained * own.gradients, trained * own.optimizer);
        MemoryEstimate {
            weights: own.weights + weights,
            gradients: own.gradients + gradients,
            optimizer: own.optimizer + optimizer,
            activations: own.activations,
            total: own.total + weights + gradients + optimizer,
        }
    }
}
