//! Activation functions and their derivatives, each in one pass over memory.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

use burn_flex::FlexTensor;

use crate::Activation;
use crate::host::{contiguous, map, map2, map3};
use crate::op::{Forward, Kernel, Tracked};
use crate::simd::{erf_lane, exp_lane, sigmoid_lane, tanh_lane};

/// `f(x)` of `[x]`.
#[derive(Debug)]
pub(super) struct Activate(pub Activation);

/// `f(gate)·up` of `[gate, up]`.
#[derive(Debug)]
pub(super) struct Gated(pub Activation);

/// Runs `$body` with `$f` and `$slope` bound to the function and its derivative. Each function gets a separate loop,
/// so that the compiler can vectorise it.
macro_rules! for_each_activation {
    ($activation:expr, |$f:ident, $slope:ident| $body:expr) => {
        match $activation {
            Activation::Relu => {
                let ($f, $slope) = (relu, relu_slope);
                $body
            }
            Activation::ReluSquared => {
                let ($f, $slope) = (relu_squared, relu_squared_slope);
                $body
            }
            Activation::Gelu => {
                let ($f, $slope) = (gelu, gelu_slope);
                $body
            }
            Activation::GeluTanh => {
                let ($f, $slope) = (gelu_tanh, gelu_tanh_slope);
                $body
            }
            Activation::Silu => {
                let ($f, $slope) = (silu, silu_slope);
                $body
            }
        }
    };
}

impl Kernel for Activate {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let x = contiguous(inputs.remove(0));
        let output = for_each_activation!(self.0, |f, _slope| map(&x, f));
        let saved = match self.0 {
            _ if !tracked.any() => vec![],
            // The derivative at the output equals the derivative at the input, and the next layer keeps the output in
            // any case.
            Activation::Relu => vec![output.clone()],
            _ => vec![x],
        };
        Forward { output, saved }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let dy = contiguous(gradient);
        let dx = for_each_activation!(self.0, |_f, slope| map2(
            &saved[0],
            &dy,
            #[inline(always)]
            |x, dy| slope(x) * dy
        ));
        vec![Some(dx)]
    }
}

impl Kernel for Gated {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let inputs: Vec<FlexTensor> = inputs.into_iter().map(contiguous).collect();
        let output = for_each_activation!(self.0, |f, _slope| map2(
            &inputs[0],
            &inputs[1],
            #[inline(always)]
            |gate, up| f(gate) * up
        ));
        Forward { output, saved: if tracked.any() { inputs } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let dy = contiguous(gradient);
        let [gate, up] = &saved[..] else { unreachable!("both inputs were saved") };
        for_each_activation!(self.0, |f, slope| {
            let d_up = map2(
                gate,
                &dy,
                #[inline(always)]
                |gate, dy| f(gate) * dy,
            );
            let d_gate = map3(
                gate,
                up,
                &dy,
                #[inline(always)]
                |gate, up, dy| slope(gate) * up * dy,
            );
            vec![Some(d_gate), Some(d_up)]
        })
    }
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.0 }
}

#[inline(always)]
fn relu_slope(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { 0.0 }
}

#[inline(always)]
fn relu_squared(x: f32) -> f32 {
    relu(x) * relu(x)
}

#[inline(always)]
fn relu_squared_slope(x: f32) -> f32 {
    2.0 * relu(x)
}

/// The standard normal distribution function Φ.
#[inline(always)]
fn normal(x: f32) -> f32 {
    0.5 * (1.0 + erf_lane(x * FRAC_1_SQRT_2))
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    x * normal(x)
}

/// Φ + x·φ
#[inline(always)]
fn gelu_slope(x: f32) -> f32 {
    const DENSITY_AT_0: f32 = 0.398_942_3;
    x.mul_add(DENSITY_AT_0 * exp_lane(-0.5 * x * x), normal(x))
}

/// `√(2/π)·(x + 0.044715·x³)`, inside the tanh of the approximation, by Horner's rule.
#[inline(always)]
fn gelu_argument(x: f32) -> f32 {
    (2.0 / PI).sqrt() * x * (0.044_715 * x).mul_add(x, 1.0)
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    0.5 * x * (1.0 + tanh_lane(gelu_argument(x)))
}

#[inline(always)]
fn gelu_tanh_slope(x: f32) -> f32 {
    let tanh = tanh_lane(gelu_argument(x));
    let argument_slope = (2.0 / PI).sqrt() * (3.0 * 0.044_715 * x).mul_add(x, 1.0);
    0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * argument_slope
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x * sigmoid_lane(x)
}

/// σ + x·σ·(1 − σ)
#[inline(always)]
fn silu_slope(x: f32) -> f32 {
    let sigmoid = sigmoid_lane(x);
    sigmoid * x.mul_add(1.0 - sigmoid, 1.0)
}
