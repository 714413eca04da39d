//! The linear map, and storage formats of its weight.

mod blocks;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod few_rows;
mod format;
#[cfg(feature = "flex")]
mod int4;
#[cfg(feature = "flex")]
mod int8;
#[cfg(feature = "flex")]
mod pairs;
#[cfg(feature = "flex")]
mod panels;
pub mod reference;
#[cfg(feature = "flex")]
mod slabs;
mod storage;
#[cfg(feature = "flex")]
mod view;

pub use blocks::BlockWeight;
use burn::tensor::Tensor;
#[cfg(feature = "flex")]
pub(crate) use cpu::matrix;
pub use format::{INT4_GROUP, INT8_BLOCK, WeightStorage};
#[cfg(feature = "flex")]
pub(crate) use panels::Panels;
pub use storage::StoredWeight;

use crate::Precision;

/// `x·W + b`.
///
/// # Shapes
/// x `[N, I]`, weight `[I, O]`, bias `[O]` → `[N, O]`
#[must_use]
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        let (kernel, x, weight) = (cpu::LinearKernel { precision }, x.into_dispatch(), weight.into_dispatch());
        return match bias {
            Some(bias) => crate::op::apply(kernel, [x, weight, bias.into_dispatch()]),
            None => crate::op::apply(kernel, [x, weight]),
        };
    }
    reference::linear(x, weight, bias, precision)
}

/// Several [linear](linear()) maps of the same x. Either all of them have a bias or none. On the CPU their gradients of
/// x are accumulated in one buffer.
///
/// # Shapes
/// x `[N, I]`, each weight `[I, O]` and bias `[O]` → `[N, O]` each
#[must_use]
pub fn linears<const M: usize>(
    x: Tensor<2>,
    weights: [Tensor<2>; M],
    biases: Option<[Tensor<1>; M]>,
    precision: Precision,
) -> [Tensor<2>; M] {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        let kernel = cpu::Linears { count: M, precision };
        let mut inputs = vec![x.into_dispatch()];
        inputs.extend(weights.map(Tensor::into_dispatch));
        inputs.extend(biases.into_iter().flatten().map(Tensor::into_dispatch));
        return crate::op::apply_multi(kernel, inputs);
    }
    let mut biases = biases.map(IntoIterator::into_iter);
    let mut bias = || biases.as_mut().and_then(Iterator::next);
    weights.map(|weight| reference::linear(x.clone(), weight, bias(), precision))
}
