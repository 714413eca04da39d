//! What a run will need, before it runs: memory and time.

use fireclay_model::DecoderConfig;
use serde::{Deserialize, Serialize};

use crate::TrainConfig;

/// Bytes that training needs, by what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEstimate {
    /// The parameters, f32.
    pub weights: u64,
    /// Their gradients.
    pub gradients: u64,
    /// The optimiser's two moments.
    pub optimizer: u64,
    /// What the forward pass keeps for the backward pass, at its peak.
    pub activations: u64,
    /// All of it, and the process itself.
    pub total: u64,
}

/// Bytes that training takes at its peak.
#[must_use]
pub fn memory_estimate(config: &DecoderConfig, train: &TrainConfig) -> MemoryEstimate {
    let parameters = 4 * config.num_params() as u64;
    let activations = (4.0 * numbers_per_token(config, train.context) * (train.batch * train.context) as f64) as u64;
    let (weights, gradients, optimizer) = (parameters, parameters, 2 * parameters);
    let total = PROCESS + weights + gradients + optimizer + activations;
    MemoryEstimate { weights, gradients, optimizer, activations, total }
}

/// The program, its threads' stacks and the packed copies of matrices that products work on.
const PROCESS: u64 = 64 << 20;

/// Numbers kept per token at the peak, which is where the backward pass begins.
fn numbers_per_token(config: &DecoderConfig, context: usize) -> f64 {
    let d = config.width as f64;
    let heads = (config.query_width() + 2 * config.kv_width()) as f64;
    let feed_forward = config.ffn_width as f64;
    let scores = (config.heads * context) as f64;
    let layer = 14.0 * d + 3.0 * heads + 2.0 * feed_forward + 3.0 * scores;
    config.layers as f64 * layer + 4.0 * config.vocab_size as f64 + 4.0 * d
}

/// Seconds that training takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeEstimate {
    /// One optimiser step.
    pub seconds_per_step: f64,
    /// All steps; evaluations, samples and checkpoints come on top.
    pub seconds: f64,
}

/// How long training takes on a machine that does `peak` floating-point operations a second ([`matmul_peak`](crate::matmul_peak)).
#[must_use]
pub fn time_estimate(config: &DecoderConfig, train: &TrainConfig, peak: f64) -> TimeEstimate {
    let tokens = train.tokens_per_step() as f64;
    let products = config.flops_per_token(train.context) * tokens / peak;
    let seconds_per_step = products;
    TimeEstimate { seconds_per_step, seconds: seconds_per_step * train.steps as f64 }
}
