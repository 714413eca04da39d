//! Head and cross-entropy as one operation.

#[cfg(feature = "flex")]
mod cpu;
pub mod reference;

use burn::tensor::Tensor;

use crate::Precision;
use crate::head::Head;

/// Targets of N positions and their weights.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Token ids, `[N]`.
    pub ids: Vec<u32>,
    /// Weight of each position, `[N]`; positions of weight 0 are not computed.
    pub weights: Vec<f32>,
}

/// `−Σ wᵢ·log softmax(hᵢ·W)[targetᵢ]`, in nats, with the softmax in f32.
///
/// On the CPU the logits and the gradients are computed a few rows at a time, so that `[N, V]` is never in memory as a
/// whole.
///
/// # Shapes
/// hidden `[N, D]` → `[1]`
///
/// # Panics
/// When there is not one target and one weight a row, or a target is not in the vocabulary.
#[must_use]
pub fn cross_entropy(hidden: Tensor<2>, head: Head, targets: Targets, precision: Precision) -> Tensor<1> {
    let [rows, _] = hidden.dims();
    let vocabulary = head.vocabulary();
    assert!(targets.ids.len() == rows && targets.weights.len() == rows, "one target and one weight a row");
    assert!(targets.ids.iter().all(|&id| (id as usize) < vocabulary), "a target is not in the vocabulary");
    #[cfg(feature = "flex")]
    if crate::op::on_host(&hidden) {
        let (how, head) = head.into_parts(precision);
        let inputs = std::iter::once(hidden).chain(head).map(Tensor::into_dispatch);
        return crate::op::apply(cpu::CrossEntropy { targets, how }, inputs.collect::<Vec<_>>());
    }
    reference::cross_entropy(hidden, head, &targets, precision)
}
