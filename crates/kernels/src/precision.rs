//! The number format of matrix products.

use burn::tensor::{DType, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

/// Number format of the matrix products. Weights, gradients, norms, softmax and residuals are f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit products.
    #[default]
    F32,
    /// Operands rounded to bfloat16; sums in f32 on the CPU, and in the backend's format elsewhere. On the CPU the
    /// backward pass keeps operands so, in half the memory, and attention's products are rounded where that is faster.
    Bf16,
}

impl Precision {
    /// Every format with its name in recipes and flags.
    pub const NAMED: [(&'static str, Self); 2] = [("f32", Self::F32), ("bf16", Self::Bf16)];

    /// Rounds an operand of a matrix product to this format.
    #[must_use]
    pub fn operand<const R: usize>(self, x: Tensor<R>) -> Tensor<R> {
        match self {
            Self::F32 => x,
            Self::Bf16 => x.cast(FloatDType::BF16),
        }
    }

    /// Widens the result of a matrix product back to f32.
    #[must_use]
    pub fn result<const R: usize>(self, x: Tensor<R>) -> Tensor<R> {
        if x.dtype() == DType::F32 { x } else { x.cast(FloatDType::F32) }
    }
}
