//! Products of integers, for inference with 8-bit weights: the inputs are rounded to 8 bits too, so that one
//! instruction multiplies and adds four numbers for each output, and weights are never widened.
//!
//! [`BLOCK`] consecutive inputs share a step size in each row, and a scale in each output's weights. Their contribution
//! to an output is an exact sum of integers times both; contributions are added in f32, in the order of the inputs. So
//! every instruction set, and any number of rows, gives the same bits.

use std::ops::Range;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::INT8_BLOCK as BLOCK;
use crate::simd::{larger, vectorize};

mod inputs;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod tiles;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(super) use inputs::RoundedInputs;

/// Number of outputs in a panel.
pub(super) const PANEL: usize = 64;
/// Number of inputs that one instruction multiplies.
pub(super) const QUAD: usize = 4;
/// A weight of 0 in memory: weights are stored without a sign, as one of the instruction's factors has none.
const ZERO: u8 = 128;

/// Weights of [`BLOCK`] inputs and the outputs of a panel.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct IntegerBlock {
    /// For each four inputs those of every output, plus [`ZERO`].
    weights: [[[u8; QUAD]; PANEL]; BLOCK / QUAD],
    /// A weight is the stored number, less [`ZERO`], times this.
    scales: [f32; PANEL],
}

impl IntegerBlock {
    /// Rounds weights `[inputs, outputs]`, at most [`BLOCK`] and [`PANEL`] of them, of rows of memory `stride` apart:
    /// `scale = max |w| / 127` over an output's inputs, `round(w / scale)`.
    fn of(weights: &[f32], stride: usize, inputs: usize, outputs: usize) -> Self {
        let mut block = Self { weights: [[[ZERO; QUAD]; PANEL]; BLOCK / QUAD], scales: [1.0; PANEL] };
        let mut all = [[0.0f32; PANEL]; BLOCK];
        for (row, weights) in all.iter_mut().zip(weights.chunks(stride)).take(inputs) {
            row[..outputs].copy_from_slice(&weights[..outputs]);
        }
        vectorize(
            #[inline(always)]
            || {
                let mut largest = [0.0f32; PANEL];
                for row in &all {
                    for (largest, x) in largest.iter_mut().zip(row) {
                        *largest = larger(x.abs(), *largest);
                    }
                }
                for (scale, largest) in block.scales.iter_mut().zip(largest) {
                    *scale = if largest == 0.0 { 1.0 } else { largest / 127.0 };
                }
                for (weights, rows) in block.weights.iter_mut().zip(all.as_chunks::<QUAD>().0) {
                    for (output, weights) in weights.iter_mut().enumerate() {
                        for (weight, row) in weights.iter_mut().zip(rows) {
                            let rounded = (row[output] / block.scales[output]).round_ties_even() as i8;
                            *weight = rounded.cast_unsigned() ^ ZERO;
                        }
                    }
                }
            },
        );
        block
    }

    /// One weight in f32.
    fn weight(&self, input: usize, output: usize) -> f32 {
        let rounded = (self.weights[input / QUAD][output][input % QUAD] ^ ZERO).cast_signed();
        f32::from(rounded) * self.scales[output]
    }
}

/// A weight `[I, O]` of 8-bit integers in the layout that products of integers read: `[panels, blocks]`, padded with
/// zeros.
#[derive(Debug)]
pub(super) struct IntegerPanels {
    inputs: usize,
    blocks: Vec<IntegerBlock>,
}

impl IntegerPanels {
    /// Rounds a weight.
    pub fn of(weight: Tensor<2>) -> Self {
        let [inputs, outputs] = weight.dims();
        let weight = weight.into_data();
        let weight = weight.as_slice::<f32>().expect("a weight of f32");
        let count = inputs.div_ceil(BLOCK);
        let block = |index: usize| {
            let (output, input) = (index / count * PANEL, index % count * BLOCK);
            let (width, height) = (PANEL.min(outputs - output), BLOCK.min(inputs - input));
            IntegerBlock::of(&weight[input * outputs + output..], outputs, height, width)
        };
        Self { inputs, blocks: (0..outputs.div_ceil(PANEL) * count).into_par_iter().map(block).collect() }
    }

    /// The blocks of a panel, in the order of the inputs.
    pub fn panel(&self, panel: usize) -> &[IntegerBlock] {
        let count = self.inputs.div_ceil(BLOCK);
        &self.blocks[panel * count..][..count]
    }

    /// Appends the weights of some outputs in f32, each output's inputs one after another.
    pub fn widen_outputs(&self, outputs: Range<usize>, into: &mut Vec<f32>) {
        for output in outputs {
            let blocks = self.panel(output / PANEL);
            into.extend((0..self.inputs).map(|input| blocks[input / BLOCK].weight(input % BLOCK, output % PANEL)));
        }
    }
}

/// Adds to the sums `[rows, PANEL]` the products of some rows with a panel.
pub(super) fn add_products(inputs: &RoundedInputs, rows: Range<usize>, panel: &[IntegerBlock], sums: &mut [f32]) {
    assert!(panel.len() == inputs.blocks && rows.end <= inputs.rows, "inputs for every weight and row");
    assert!(sums.len() == rows.len() * PANEL, "a row of sums for each row");
    #[cfg(target_arch = "x86_64")]
    if x86::add_products(inputs, &rows, panel, sums) {
        return;
    }
    add_portable(inputs, rows, panel, sums);
}

/// [`add_products`] for any CPU.
fn add_portable(inputs: &RoundedInputs, rows: Range<usize>, panel: &[IntegerBlock], sums: &mut [f32]) {
    vectorize(
        #[inline(always)]
        || {
            for (index, block) in panel.iter().enumerate() {
                for (row, sums) in rows.clone().zip(sums.as_chunks_mut::<PANEL>().0) {
                    let rounded = inputs.block(row, index);
                    let mut exact = [rounded.start; PANEL];
                    for (x, weights) in rounded.values.as_chunks::<QUAD>().0.iter().zip(&block.weights) {
                        for (sum, weights) in exact.iter_mut().zip(weights) {
                            for (x, weight) in x.iter().zip(weights) {
                                *sum += i32::from(*x) * i32::from(*weight);
                            }
                        }
                    }
                    for ((sum, exact), scale) in sums.iter_mut().zip(exact).zip(&block.scales) {
                        *sum = (exact as f32).mul_add(scale * rounded.step, *sum);
                    }
                }
            }
        },
    );
}
