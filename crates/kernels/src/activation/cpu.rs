//! Activation functions and their derivatives, each in one pass over memory.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::DType;
use burn_flex::FlexTensor;
use half::bf16;

use crate::host::{
    byte_tensor, combined, contiguous, dims, half_tensor, lanes_tensor, map, map2, tensor, two_combined, values,
};
use crate::op::{Forward, Kernel, Tracked};
use crate::product::Number;
use crate::simd::{bf16_lane, erf_lane, exp_lane, sigmoid_lane, tanh_lane};
use crate::{Activation, Precision};

/// `f(x)` of `[x]`. In bf16, here and below, what the backward pass needs is rounded; of `ReLU` it is only the sign.
#[derive(Debug)]
pub(super) struct Activate {
    pub activation: Activation,
    pub precision: Precision,
}

/// `f(gate)·up` of `[gate, up]`.
#[derive(Debug)]
pub(super) struct Gated {
    pub activation: Activation,
    pub precision: Precision,
}

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
        if !tracked.any() || self.precision == Precision::F32 {
            let output = for_each_activation!(self.activation, |f, _slope| map(&x, f));
            let saved = match self.activation {
                _ if !tracked.any() => vec![],
                // The derivative at the output equals the derivative at the input, and the next layer keeps the output
                // in any case.
                Activation::Relu => vec![output.clone()],
                _ => vec![x],
            };
            return Forward { output, saved };
        }
        let shape = dims(&x);
        if self.activation == Activation::Relu {
            let (y, positive) = two_combined(
                [values(&x); 3],
                #[inline(always)]
                |x, _, _| (relu(x), u8::from(x > 0.0)),
            );
            return Forward { output: tensor(y, shape.clone()), saved: vec![byte_tensor(positive, shape)] };
        }
        let (y, rounded) = for_each_activation!(self.activation, |f, _slope| two_combined(
            [values(&x); 3],
            #[inline(always)]
            |x, _, _| (f(x), bf16::from_bits(bf16_lane(x)))
        ));
        Forward { output: tensor(y, shape.clone()), saved: vec![half_tensor(rounded, shape)] }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let (dy, x) = (contiguous(gradient), &saved[0]);
        let (shape, dy) = (dims(&dy), values(&dy));
        let dx = for_each_activation!(self.activation, |_f, slope| match x.dtype() {
            DType::U8 => combined(
                x.storage(),
                dy,
                #[inline(always)]
                |positive: u8, dy| f32::from(positive) * dy
            ),
            DType::BF16 => combined(
                x.storage(),
                dy,
                #[inline(always)]
                |x: bf16, dy| slope(x.widen()) * dy
            ),
            _ => combined(
                values(x),
                dy,
                #[inline(always)]
                |x, dy| slope(x) * dy
            ),
        });
        vec![Some(tensor(dx, shape))]
    }
}

impl Kernel for Gated {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let inputs: Vec<FlexTensor> = inputs.into_iter().map(contiguous).collect();
        if !tracked.any() || self.precision == Precision::F32 {
            let output = for_each_activation!(self.activation, |f, _slope| map2(
                &inputs[0],
                &inputs[1],
                #[inline(always)]
                |gate, up| f(gate) * up
            ));
            return Forward { output, saved: if tracked.any() { inputs } else { vec![] } };
        }
        let shape = dims(&inputs[0]);
        let (hidden, rounded) = for_each_activation!(self.activation, |f, _slope| two_combined(
            [values(&inputs[0]), values(&inputs[1]), values(&inputs[1])],
            #[inline(always)]
            |gate, up, _| (f(gate) * up, rounded_pair(gate, up))
        ));
        Forward { output: tensor(hidden, shape.clone()), saved: vec![lanes_tensor(rounded, shape)] }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let dy = contiguous(gradient);
        let (shape, dy) = (dims(&dy), values(&dy));
        let (d_gate, d_up) = for_each_activation!(self.activation, |f, slope| match &saved[..] {
            [gate, up] => two_combined(
                [values(gate), values(up), dy],
                #[inline(always)]
                |gate, up, dy| (slope(gate) * up * dy, f(gate) * dy)
            ),
            [rounded] => {
                // The bits of lanes are read as those of f32 numbers, so that all inputs have one type.
                let lanes = bytemuck::cast_slice(rounded.storage::<u32>());
                two_combined(
                    [lanes, dy, dy],
                    #[inline(always)]
                    |lane, dy, _| {
                        let [gate, up] = widened_pair(lane.to_bits());
                        (slope(gate) * up * dy, f(gate) * dy)
                    },
                )
            }
            _ => unreachable!("both inputs were saved, or their pairs"),
        });
        vec![Some(tensor(d_gate, shape.clone())), Some(tensor(d_up, shape))]
    }
}

/// Both numbers in bf16, the first in the lower half.
#[inline(always)]
fn rounded_pair(low: f32, high: f32) -> u32 {
    u32::from(bf16_lane(low)) | u32::from(bf16_lane(high)) << 16
}

#[inline(always)]
fn widened_pair(pair: u32) -> [f32; 2] {
    [f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000)]
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
