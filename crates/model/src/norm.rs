//! Normalisation over the last axis.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use fireclay_kernels::{Angles, norm, norm_rotary, rotary};

/// Layer norm, `(x − mean) / √(var + ε) · gain + bias` (Ba et al. 2016), or, without a bias, RMS norm,
/// `x / √(mean(x²) + ε) · gain` (Zhang and Sennrich 2019).
#[derive(Module, Debug)]
pub struct Norm {
    weight: Param<Tensor<1>>,
    bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
    /// Whether the gain is 1 + weight.
    zero_centred: bool,
}

impl Norm {
    /// A layer norm of gain `weight` and bias `bias`, or an RMS norm of gain `weight`.
    #[must_use]
    pub fn new(weight: Tensor<1>, bias: Option<Tensor<1>>, epsilon: f64) -> Self {
        Self { weight: Param::from_tensor(weight), bias: bias.map(Param::from_tensor), epsilon, zero_centred: false }
    }

    /// The norm with gain 1 + weight, if `zero_centred`.
    #[must_use]
    pub(crate) fn zero_centred(mut self, zero_centred: bool) -> Self {
        self.zero_centred = zero_centred;
        self
    }

    /// Device of the gain.
    pub(crate) fn device(&self) -> Device {
        self.weight.val().device()
    }

    fn gain(&self) -> Tensor<1> {
        match self.zero_centred {
            true => self.weight.val() + 1.0,
            false => self.weight.val(),
        }
    }

    /// # Shapes
    /// `[.., width]` → `[.., width]`
    #[must_use]
    pub fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        norm(x, self.gain(), self.bias.as_ref().map(Param::val), self.epsilon)
    }

    /// `x + added`, or x alone, and the norm of it.
    ///
    /// # Shapes
    /// Each `[N, width]`
    #[must_use]
    pub(crate) fn add_norm(&self, x: Tensor<2>, added: Option<Tensor<2>>) -> [Tensor<2>; 2] {
        fireclay_kernels::add_norm(x, added, self.gain(), self.bias.as_ref().map(Param::val), self.epsilon)
    }

    /// The norm, and then the rotation, of every head.
    ///
    /// # Shapes
    /// `[B, T, H, K]` → `[B, T, H, K]`
    #[must_use]
    pub(crate) fn forward_rotated(&self, x: Tensor<4>, angles: &Angles) -> Tensor<4> {
        match &self.bias {
            None => norm_rotary(x, self.gain(), self.epsilon, angles),
            Some(_) => rotary(self.forward(x), angles),
        }
    }
}
