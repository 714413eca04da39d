//! A linear map, and the number format its product is computed in.

use burn::module::{Module, Param};
use burn::tensor::{DType, FloatDType, Tensor, module::linear};
use serde::{Deserialize, Serialize};

use crate::lora::Adapter;

/// Number format of the matrix products. Weights, gradients, norms, softmax and residuals are f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit products.
    #[default]
    F32,
    /// Operands rounded to bfloat16, result widened to f32.
    Bf16,
}

impl Precision {
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

/// `y = x·W + b`, plus what an adapter adds where there is one.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`: GPT-2's layout, the transpose of `PyTorch`'s.
    pub(crate) weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    pub(crate) lora: Option<Adapter>,
}

impl Linear {
    /// A map with the given weight `[inputs, outputs]` and bias `[outputs]`.
    #[must_use]
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self { weight: Param::from_tensor(weight), bias: bias.map(Param::from_tensor), lora: None }
    }

    /// The map whose results are `factor` times these.
    #[must_use]
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        self.weight = self.weight.map(|weight| weight * factor);
        self.bias = self.bias.map(|bias| bias.map(|bias| bias * factor));
        self
    }

    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]`. Batch and time are one axis here: a CPU multiplies one tall matrix faster than many short ones.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        let added = self.lora.as_ref().map(|adapter| adapter.forward(x.clone(), precision));
        let product = linear(precision.operand(x), precision.operand(self.weight.val()), None);
        let product = precision.result(product);
        let product = match added {
            Some(added) => product + added,
            None => product,
        };
        match &self.bias {
            Some(bias) => product + bias.val().unsqueeze(),
            None => product,
        }
    }
}
