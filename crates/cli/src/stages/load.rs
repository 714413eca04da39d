//! Work and memory of a stage.

use fireclay_model::DecoderConfig;
use fireclay_train::{AdapterMemory, MemoryEstimate, TrainConfig, adapter_memory_estimate, memory_estimate};

/// Work and memory of a training step, in sequences of the stage's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Number of sequences whose tokens count as consumed.
    pub consumed: usize,
    /// Work of the step for each accumulated batch, as the equivalent number of training sequences.
    pub computed: usize,
    /// Number of sequences whose activations are in memory at the same time.
    pub at_once: usize,
    /// Number of further models of the decoder's size in memory: reference, critic, reward model. With adapters, the
    /// frozen model itself is the reference.
    pub extra_models: u64,
    /// Number of these that are trained.
    pub extra_trained: u64,
}

impl Load {
    /// The load of a stage that learns from whole batches with one model.
    #[must_use]
    pub fn of_batches(train: &TrainConfig) -> Self {
        let (computed, at_once) = (train.batch, train.batch);
        Self { consumed: train.batch * train.accumulate, computed, at_once, extra_models: 0, extra_trained: 0 }
    }

    /// A configuration that trains a decoder with as much work in a step.
    #[must_use]
    pub fn work(&self, train: &TrainConfig) -> TrainConfig {
        TrainConfig { batch: self.computed, ..train.clone() }
    }

    /// Memory in bytes; with `adapters`, only these are trained.
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
            Some(adapters) => (adapter_memory_estimate(decoder, &train, adapters), self.extra_models.saturating_sub(1)),
            None => (whole, self.extra_models),
        };
        let trained = self.extra_trained;
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
