//! Normalisation over the last axis.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

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
    #[allow(clippy::single_match_else, reason = "two formulas of equal standing")]
    pub fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        let last = R - 1;
        match &self.bias {
            Some(bias) => {
                let centred = x.clone() - x.mean_dim(last);
                let variance = centred.clone().square().mean_dim(last);
                centred * (variance + self.epsilon).sqrt().recip() * self.weight.val().unsqueeze()
                    + bias.val().unsqueeze()
            }
            None => {
                let mean_square = x.clone().square().mean_dim(last);
                x * (mean_square + self.epsilon).sqrt().recip() * self.weight.val().unsqueeze()
            }
        }
    }
}
