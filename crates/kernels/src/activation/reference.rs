//! Activation functions composed of burn's operations.

use burn::tensor::{Tensor, activation};

use crate::Activation;

/// Reference implementation of [`activate`](super::activate).
#[must_use]
pub fn activate<const R: usize>(x: Tensor<R>, activation: Activation) -> Tensor<R> {
    match activation {
        Activation::Relu => activation::relu(x),
        Activation::ReluSquared => activation::relu(x).square(),
        Activation::Gelu => activation::gelu(x),
        Activation::GeluTanh => activation::gelu_approximate(x),
        Activation::Silu => activation::silu(x),
    }
}
