//! The position-wise feed-forward layer.

use burn::module::Module;
use burn::tensor::{Tensor, activation};

use crate::config::Activation;
use crate::linear::{Linear, Precision};

/// `f(x·W_up)·W_down`, or gated `(f(x·W_gate) ⊙ x·W_up)·W_down` (Shazeer 2020, GLU variants).
#[derive(Module, Debug)]
pub struct FeedForward {
    pub(crate) gate: Option<Linear>,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
    #[module(skip)]
    pub(crate) activation: Activation,
}

impl FeedForward {
    /// # Shapes
    /// `[N, D]` → `[N, D]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        let up = self.up.forward(x.clone(), precision);
        let hidden = match &self.gate {
            Some(gate) => self.activation.apply(gate.forward(x, precision)) * up,
            None => self.activation.apply(up),
        };
        self.down.forward(hidden, precision)
    }
}

impl Activation {
    /// The function, element by element.
    #[must_use]
    pub fn apply<const R: usize>(self, x: Tensor<R>) -> Tensor<R> {
        match self {
            Self::Relu => activation::relu(x),
            Self::ReluSquared => activation::relu(x).square(),
            Self::Gelu => activation::gelu(x),
            Self::GeluTanh => activation::gelu_approximate(x),
            Self::Silu => activation::silu(x),
        }
    }
}
