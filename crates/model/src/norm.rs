//! Normalisation over the last axis.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use fireclay_kernels::norm;

/// Layer norm, `(x − mean) / √(var + ε) · gain + bias` (Ba et al. 2016), or, where there is no bias, RMS norm,
/// `x / √(mean(x²) + ε) · gain` (Zhang and Sennrich 2019).
#[derive(Module, Debug)]
pub struct Norm {
    weight: Param<Tensor<1>>,
    bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
}

impl Norm {
    /// A layer norm of gain `weight` and bias `bias`, or an RMS norm of gain `weight`.
    #[must_use]
    pub fn new(weight: Tensor<1>, bias: Option<Tensor<1>>, epsilon: f64) -> Self {
        Self { weight: Param::from_tensor(weight), bias: bias.map(Param::from_tensor), epsilon }
    }

    /// # Shapes
    /// `[.., width]` → `[.., width]`
    #[must_use]
    pub fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        norm(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.epsilon)
    }
}
