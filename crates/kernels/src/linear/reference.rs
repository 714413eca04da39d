//! The linear map composed of burn's operations.

use burn::tensor::{DType, Tensor, module};

use crate::Precision;

/// Reference implementation of [`linear`](super::linear()).
#[must_use]
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
    let y = match weight.dtype() {
        DType::QFloat(_) => x.matmul(weight),
        DType::BF16 => Precision::Bf16.result(module::linear(Precision::Bf16.operand(x), weight, None)),
        _ => precision.result(module::linear(precision.operand(x), precision.operand(weight), None)),
    };
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}
