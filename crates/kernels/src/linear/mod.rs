//! The linear map.

#[cfg(feature = "flex")]
mod cpu;
pub mod reference;

#[cfg(feature = "flex")]
pub(crate) use cpu::matrix;

use burn::tensor::Tensor;

use crate::Precision;

/// `x·W + b`.
///
/// # Shapes
/// x `[N, I]`, weight `[I, O]`, bias `[O]` → `[N, O]`
#[must_use]
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        let kernel = cpu::Linear { precision };
        return match bias {
            Some(bias) => crate::op::apply(kernel, [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()]),
            None => crate::op::apply(kernel, [x.into_dispatch(), weight.into_dispatch()]),
        };
    }
    reference::linear(x, weight, bias, precision)
}
