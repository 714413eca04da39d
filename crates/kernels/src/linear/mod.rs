//! The linear map, and the formats that its weight can be stored in.

#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod few_rows;
#[cfg(feature = "flex")]
mod int8;
pub mod reference;
mod storage;
#[cfg(feature = "flex")]
mod view;

use burn::tensor::Tensor;
#[cfg(feature = "flex")]
pub(crate) use cpu::matrix;
pub use storage::{INT8_BLOCK, StoredWeight, WeightStorage};

use crate::Precision;

/// `x·W + b`.
///
/// # Shapes
/// x `[N, I]`, weight `[I, O]`, bias `[O]` → `[N, O]`
#[must_use]
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        let (kernel, x, weight) = (cpu::Linear { precision }, x.into_dispatch(), weight.into_dispatch());
        return match bias {
            Some(bias) => crate::op::apply(kernel, [x, weight, bias.into_dispatch()]),
            None => crate::op::apply(kernel, [x, weight]),
        };
    }
    reference::linear(x, weight, bias, precision)
}
