//! The position-wise feed-forward layer.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_kernels::{Activation, activate, gated};

use crate::linear::{Linear, Precision, WeightStorage};

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
    /// The layer with its weights in another format, for inference.
    #[must_use]
    pub(crate) fn stored(self, format: WeightStorage) -> Self {
        let Self { gate, up, down, activation } = self;
        let gate = gate.map(|gate| gate.stored(format));
        Self { gate, up: up.stored(format), down: down.stored(format), activation }
    }

    /// # Shapes
    /// `[N, D]` → `[N, D]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        let hidden = match &self.gate {
            Some(gate) => {
                let [gate, up] = Linear::forward_all([gate, &self.up], x, precision);
                gated(gate, up, self.activation, precision)
            }
            None => activate(self.up.forward(x, precision), self.activation, precision),
        };
        self.down.forward(hidden, precision)
    }
}
