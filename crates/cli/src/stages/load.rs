//! Work and memory of a stage.

use fireclay_model::DecoderConfig;
use fireclay_train::{AdapterMemory, MemoryEstimate, TrainConfig, adapter_memory_estimate, memory_estimate};

/// Work and memory of a training step, in sequences of the stage's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Sequences whose tokens are counted as consumed.
    pub consumed: usize,
    /// Sequences that training on as many would cost as much as the step, for each of the stage's accumulated batches.
    pub computed: usize,
    /// Sequences whose activations are in memory at the same time.
    pub at_once: usize,
    /// Models of the decoder's size that stand beside it: a reference, which is the frozen model itself where adapters
    /// are trained, critics, reward models.
    pub models_beside: u64,
    /// Number of these that are trained.
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

    /// Bytes, by what they hold; of `adapters` alone where only they learn.
    #[must_use]
    pub fn memory(
        &self,
        train: &TrainConfig,
        decoder: &DecoderConfig,
        adapters: Option<&AdapterMemory>,
    ) -> MemoryEstimate {
        let train = TrainConfig { batch: self.at_once, ..train.clone() };
        let whole = memory_estimate(decoder, &train);
        let (own, models) = match adapters {
            Some(adapters) => {
                (adapter_memory_estimate(decoder, &train, adapters), self.models_beside.saturating_sub(1))
            }
            None => (whole, self.models_beside),
        };
        let trained = self.trained_beside;
        let (weights, gradients, optimizer) =
            (models * whole.weights, trained * whole.gradients, trained * whole.optimizer);
        MemoryEstimate {
            weights: own.weights + weights,
            gradients: own.gradients + gradients,
            optimizer: own.optimizer + optimizer,
            activations: own.activations,
            total: own.total + weights + gradients + optimizer,
        }
    }
}
