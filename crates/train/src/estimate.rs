//! Estimates of a run's memory and time, before it runs.

use std::path::Path;

use fireclay_model::gguf::{is_gguf, tensor_bytes};
use fireclay_model::{Activation, DecoderConfig, LoraConfig, ModelError, Precision};
use serde::{Deserialize, Serialize};

use crate::TrainConfig;

/// Memory that training needs, in bytes, by purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEstimate {
    /// The parameters, f32.
    pub weights: u64,
    /// Their gradients.
    pub gradients: u64,
    /// The optimiser's two moments.
    pub optimizer: u64,
    /// Peak of the activations that the forward pass keeps for the backward pass.
    pub activations: u64,
    /// The sum of all, and the process itself.
    pub total: u64,
}

/// Peak memory of training in bytes on `flex`; in bf16 on a CPU whose attention keeps its operands so. For five
/// decoders of 1 to 14 million parameters, in f32 and bf16, the estimate was within 10 % of the measurement;
/// `examples/estimate.rs` measures more. The samples and evaluations of a run need less. On other devices the kernels
/// of `fireclay-kernels` do not run, and autodiff keeps up to twice as much.
#[must_use]
pub fn memory_estimate(config: &DecoderConfig, train: &TrainConfig) -> MemoryEstimate {
    let parameters = 4 * config.num_params() as u64;
    let activations = (bytes_kept_per_token(config, train) * train.batch * train.context) as u64;
    let (weights, gradients, optimizer) = (parameters, parameters, 2 * parameters);
    let total = process(train) + weights + gradients + optimizer + activations;
    MemoryEstimate { weights, gradients, optimizer, activations, total }
}

/// A decoder that is frozen under adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdapterMemory {
    /// Bytes of the frozen weights, in their storage format.
    pub frozen: u64,
    /// Numbers in the adapters.
    pub numbers: u64,
    /// Numbers per token that adapters keep for the backward pass: the sum of their ranks.
    pub kept_per_token: u64,
}

/// Peak memory of training adapters, in bytes, as in [`memory_estimate`].
#[must_use]
pub fn adapter_memory_estimate(
    config: &DecoderConfig,
    train: &TrainConfig,
    adapters: &AdapterMemory,
) -> MemoryEstimate {
    let whole = memory_estimate(config, train);
    let own = 4 * adapters.numbers;
    let kept =
        if train.checkpointing { adapters.kept_per_token / config.layers as u64 } else { adapters.kept_per_token };
    let activations = whole.activations + 4 * kept * (train.batch * train.context) as u64;
    let (weights, gradients, optimizer) = (adapters.frozen + own, own, 2 * own);
    let total = process(train) + weights + gradients + optimizer + activations;
    MemoryEstimate { weights, gradients, optimizer, activations, total }
}

impl AdapterMemory {
    /// Of adapters on a decoder; `model` is the folder or file from which the weights under them are read, if it is
    /// known: those of a GGUF file stay in their format.
    ///
    /// # Errors
    /// [`ModelError`] when the adapters do not fit the decoder, or the file cannot be read.
    pub fn of(lora: &LoraConfig, decoder: &DecoderConfig, model: Option<&Path>) -> Result<Self, ModelError> {
        let frozen = match (lora.weights, model) {
            (None, Some(model)) if is_gguf(model) => tensor_bytes(model)?,
            (format, _) => format.unwrap_or_default().bytes(decoder.num_params() as u64),
        };
        let size = lora.size(decoder)?;
        Ok(Self { frozen, numbers: size.numbers as u64, kept_per_token: (size.maps * lora.rank) as u64 })
    }
}

/// Work and memory of a training step, in sequences of the stage's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLoad {
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

impl StepLoad {
    /// The load of a stage that learns from whole batches with one model.
    #[must_use]
    pub fn of_batches(train: &TrainConfig) -> Self {
        let (computed, at_once) = (train.batch, train.batch);
        Self { consumed: train.batch * train.accumulate, computed, at_once, extra_models: 0, extra_trained: 0 }
    }

    /// Memory in bytes; with `adapters`, only these are trained.
    #[must_use]
    pub fn memory(
        &self,
        config: &DecoderConfig,
        train: &TrainConfig,
        adapters: Option<&AdapterMemory>,
    ) -> MemoryEstimate {
        let train = TrainConfig { batch: self.at_once, ..train.clone() };
        let whole = memory_estimate(config, &train);
        let (own, models) = match adapters {
            Some(adapters) => (adapter_memory_estimate(config, &train, adapters), self.extra_models.saturating_sub(1)),
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

    /// Time of all steps on a machine of this `peak`, as in [`time_estimate`].
    #[must_use]
    pub fn time(&self, config: &DecoderConfig, train: &TrainConfig, peak: f64) -> TimeEstimate {
        time_estimate(config, &TrainConfig { batch: self.computed, ..train.clone() }, peak)
    }
}

/// Bytes of the program itself, the logits of some rows, and the allocator's reserve; in bf16 also of packed operands.
fn process(train: &TrainConfig) -> u64 {
    match train.precision {
        Precision::F32 => 58 << 20,
        Precision::Bf16 => 74 << 20,
    }
}

/// Bytes of activations kept per token at the peak; with checkpointing, the inputs of all blocks and the activations of
/// the one that is differentiated.
fn bytes_kept_per_token(config: &DecoderConfig, train: &TrainConfig) -> usize {
    if !train.checkpointing {
        return bytes_per_token(config, train.precision);
    }
    let one = DecoderConfig { layers: 1, ..config.clone() };
    bytes_per_token(&one, train.precision) + 4 * config.layers * config.width
}

/// Bytes kept per token at the peak, the beginning of the backward pass: everything that the operations of
/// `fireclay-kernels` save for it.
fn bytes_per_token(config: &DecoderConfig, precision: Precision) -> usize {
    let bf16 = precision == Precision::Bf16;
    let operand = if bf16 { 2 } else { 4 };
    // The residual stream before each half of a block, and the output of its norm.
    let residual = 2 * config.width * (4 + operand);
    let (queries, keys) = (config.query_width(), config.kv_width());
    // Queries and keys before their norm.
    let normed = if config.qk_norm { 4 * (queries + keys) } else { 0 };
    // Queries, keys and values; the merged heads, in bf16 as attention's result and as the next map's input; and the
    // logarithm of each softmax's sum.
    let attention = operand * (queries + 2 * keys) + 4 * (queries + config.heads);
    let hidden = match (bf16, config.gated, config.activation) {
        (_, true, _) => 3 * operand,
        (true, false, Activation::Relu) => operand + 1,
        (_, false, _) => 2 * operand,
    };
    // The gradients of the last feed-forward layer, when its own input has been freed.
    let gradients = config.ffn_width * (if config.gated { 12 } else { 8 } - operand);
    config.layers * (residual + normed + attention + config.ffn_width * hidden) + gradients + 16 * config.width
}

/// Seconds that training takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeEstimate {
    /// One optimiser step.
    pub seconds_per_step: f64,
    /// All steps, without evaluations, samples and checkpoints.
    pub seconds: f64,
}

/// Training time on a machine that does `peak` floating-point operations a second
/// ([`matmul_peak`](crate::matmul_peak)): matrix products at that rate, and element-wise work at the cost of 160
/// operations per byte of activations. On a busy machine with two cores, steps took between 0.6 and 1.9 times the
/// estimate: it distinguishes minutes from hours.
#[must_use]
pub fn time_estimate(config: &DecoderConfig, train: &TrainConfig, peak: f64) -> TimeEstimate {
    const OPERATIONS_PER_BYTE: f64 = 160.0;
    let tokens = train.tokens_per_step() as f64;
    // The forward pass is a third of the work, and runs twice.
    let repeated = if train.checkpointing { 4.0 / 3.0 } else { 1.0 };
    let products = config.flops_per_token(train.context) * tokens * repeated;
    let element_wise = bytes_per_token(config, Precision::F32) as f64 * tokens * OPERATIONS_PER_BYTE;
    let seconds_per_step = (products + element_wise) / peak;
    TimeEstimate { seconds_per_step, seconds: seconds_per_step * train.steps as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `VmHWM` of `examples/estimate.rs`, in MiB, the largest of three runs on a CPU whose attention rounds in bf16.
    #[test]
    fn memory_is_what_was_measured() {
        type Preset = fn(usize, usize, usize, usize, usize) -> DecoderConfig;
        let check = |preset: Preset, sizes: [usize; 6], precision: Precision, measured: f64| {
            let [vocab, width, layers, heads, context, batch] = sizes;
            let train = TrainConfig { batch, context, precision, ..TrainConfig::default() };
            let estimate = memory_estimate(&preset(vocab, width, layers, heads, context), &train);
            let mebibytes = estimate.total as f64 / f64::from(1 << 20);
            assert!((mebibytes / measured - 1.0).abs() < 0.1, "{mebibytes} MiB, measured {measured}");
        };
        check(DecoderConfig::modern, [4096, 384, 6, 6, 256, 8], Precision::F32, 575.0);
        check(DecoderConfig::modern, [4096, 384, 6, 6, 256, 8], Precision::Bf16, 472.0);
        check(DecoderConfig::modern, [256, 128, 4, 4, 512, 8], Precision::F32, 242.0);
        check(DecoderConfig::modern, [256, 128, 4, 4, 512, 8], Precision::Bf16, 212.0);
        check(DecoderConfig::classic, [4096, 384, 6, 6, 256, 8], Precision::F32, 570.0);
        check(DecoderConfig::classic, [4096, 384, 6, 6, 256, 8], Precision::Bf16, 478.0);
        check(DecoderConfig::classic, [256, 256, 6, 8, 64, 16], Precision::F32, 226.0);
        check(DecoderConfig::classic, [256, 256, 6, 8, 64, 16], Precision::Bf16, 196.0);
        check(DecoderConfig::gpt2, [1024, 256, 4, 4, 256, 8], Precision::F32, 262.0);
        check(DecoderConfig::gpt2, [1024, 256, 4, 4, 256, 8], Precision::Bf16, 230.0);
        check(DecoderConfig::modern, [4096, 384, 6, 6, 256, 24], Precision::Bf16, 960.0);
    }

    #[test]
    fn adapters_take_the_memory_of_what_learns_and_of_the_frozen_blocks() {
        let config = DecoderConfig::modern(4096, 384, 6, 6, 256);
        let train = TrainConfig { batch: 1, context: 64, ..TrainConfig::default() };
        let numbers = config.num_params() as u64;
        let adapters = AdapterMemory { frozen: numbers / 2, numbers: numbers / 100, kept_per_token: 16 * 42 };
        let (whole, adapted) = (memory_estimate(&config, &train), adapter_memory_estimate(&config, &train, &adapters));
        assert_eq!(adapted.gradients, 4 * adapters.numbers);
        assert_eq!(adapted.weights, adapters.frozen + 4 * adapters.numbers);
        assert_eq!(adapted.activations, whole.activations + 4 * 64 * 16 * 42);
        assert!(adapted.total < whole.total / 2, "{adapted:?} of {whole:?}");
    }

    #[test]
    fn more_tokens_take_more_memory_and_time() {
        let config = DecoderConfig::modern(512, 64, 2, 2, 64);
        let small = TrainConfig { batch: 2, context: 64, ..TrainConfig::default() };
        let large = TrainConfig { batch: 4, ..small.clone() };
        let activations = |train| memory_estimate(&config, train).activations;
        assert!(activations(&large).abs_diff(2 * activations(&small)) <= 1);
        let seconds = |train| time_estimate(&config, train, 1e11).seconds;
        assert!((seconds(&large) / seconds(&small) - 2.0).abs() < 1e-9);
    }
}
