//! Head and cross-entropy composed of burn's operations.

use burn::tensor::{Tensor, TensorData, activation::log_softmax};

use super::Targets;
use crate::Precision;
use crate::head::Head;

/// Reference implementation of [`cross_entropy`](super::cross_entropy()).
#[must_use]
pub fn cross_entropy(hidden: Tensor<2>, head: Head, targets: &Targets, precision: Precision) -> Tensor<1> {
    of_logits(head.logits(hidden, precision), targets)
}

/// `Σ wᵢ·(−log softmax(logits)ᵢ[targetᵢ])` in nats.
///
/// # Shapes
/// Logits `[N, V]`, N targets → `[1]`
#[must_use]
pub fn of_logits(logits: Tensor<2>, targets: &Targets) -> Tensor<1> {
    let device = logits.device();
    let rows = targets.ids.len();
    let ids: Vec<i32> = targets.ids.iter().map(|&id| id as i32).collect();
    let ids = Tensor::from_data(TensorData::new(ids, [rows, 1]), &device);
    let weights = Tensor::<1>::from_data(TensorData::new(targets.weights.clone(), [rows]), &device);
    let losses = -log_softmax(logits, 1).gather(1, ids).squeeze_dim::<1>(1);
    (losses * weights).sum()
}
