//! Element-wise activation functions of a feed-forward layer.

#[cfg(feature = "flex")]
mod cpu;
pub mod reference;

use burn::tensor::Tensor;

use serde::{Deserialize, Serialize};

use crate::Precision;

/// The non-linearity of the feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(0, x).
    Relu,
    /// max(0, x)² (So et al. 2021, Primer).
    ReluSquared,
    /// x·Φ(x) with the exact error function.
    Gelu,
    /// x·Φ(x) by the tanh approximation that GPT-2 uses.
    GeluTanh,
    /// x·σ(x); gated, this is `SwiGLU` (Shazeer 2020).
    Silu,
}

/// `f(x)` in f32. On the CPU [`Precision::Bf16`] keeps x in bf16 for the backward pass.
#[must_use]
pub fn activate<const R: usize>(x: Tensor<R>, activation: Activation, precision: Precision) -> Tensor<R> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        return crate::op::apply(cpu::Activate { activation, precision }, [x.into_dispatch()]);
    }
    let _ = precision;
    reference::activate(x, activation)
}

/// `f(gate) ⊙ up` (Shazeer 2020, GLU variants), both of one shape; `precision` as for [`activate`].
#[must_use]
pub fn gated<const R: usize>(
    gate: Tensor<R>,
    up: Tensor<R>,
    activation: Activation,
    precision: Precision,
) -> Tensor<R> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&gate) {
        return crate::op::apply(cpu::Gated { activation, precision }, [gate.into_dispatch(), up.into_dispatch()]);
    }
    let _ = precision;
    reference::activate(gate, activation) * up
}
