//! Log-probabilities and entropies composed of burn's operations.

use burn::tensor::{Tensor, TensorData, activation::log_softmax};

use super::LogProbabilities;
use crate::Precision;
use crate::head::Head;

/// Reference implementation of [`log_probabilities`](super::log_probabilities()).
#[must_use]
pub fn log_probabilities(
    hidden: Tensor<2>,
    head: Head,
    ids: &[u32],
    temperature: f64,
    precision: Precision,
) -> LogProbabilities {
    of_logits(head.logits(hidden, precision), ids, temperature)
}

/// Log-probabilities of `ids` and entropies, in nats, of `softmax(logits / temperature)`.
///
/// # Shapes
/// Logits `[N, V]`, N ids → two of `[N]`
#[must_use]
pub fn of_logits(logits: Tensor<2>, ids: &[u32], temperature: f64) -> LogProbabilities {
    let rows = ids.len();
    let places: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let places = Tensor::from_data(TensorData::new(places, [rows, 1]), &logits.device());
    // Dividing by 1 would cost a pass over the logits and another over their gradient.
    let is_one = (temperature - 1.0).abs() < f64::EPSILON;
    let logprobs = log_softmax(if is_one { logits } else { logits / temperature }, 1);
    LogProbabilities {
        chosen: logprobs.clone().gather(1, places).squeeze_dim::<1>(1),
        entropy: -(logprobs.clone().exp() * logprobs).sum_dim(1).squeeze_dim::<1>(1),
    }
}
