//! Weights in bf16 for inference: the inputs are rounded to bf16 too, so that two products are one instruction where
//! the CPU has it, and weights are never widened in memory.
//!
//! Every sum is one chain of fused multiply-adds in vector registers. With AMX it is one in tile registers (`tiles`),
//! for one row as for many: tiles may add in another order than vectors, and the bits of a row must not depend on the
//! number of rows.

#[cfg(target_arch = "x86_64")]
pub(super) mod tiles;

use std::ops::Range;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::int8::PANEL;
use crate::chain::{Bf16Pair, Element, round_to_pairs};
use crate::host::CHUNK;

/// Pairs of inputs of an output are filled up with zeros to a multiple of this, the depth of a tile register.
const PAIRS: usize = 16;

/// A weight `[I, O]` of bf16 numbers, in pairs of inputs: `[panels, I / 2, PANEL]`, padded with zeros.
#[derive(Debug)]
pub(super) struct PairPanels {
    inputs: usize,
    /// Pairs of inputs of an output.
    pub pairs: usize,
    pub weights: Vec<Bf16Pair>,
}

impl PairPanels {
    /// Rounds a weight.
    pub fn of(weight: Tensor<2>) -> Self {
        let [inputs, outputs] = weight.dims();
        let weight = weight.into_data();
        let weight = weight.as_slice::<f32>().expect("a weight of f32");
        let pairs = padded_pairs(inputs);
        let mut weights = vec![Bf16Pair::ZERO; outputs.div_ceil(PANEL) * pairs * PANEL];
        weights.par_chunks_mut(PANEL).enumerate().for_each(|(index, row)| {
            let (panel, input) = (index / pairs, index % pairs * 2);
            let width = PANEL.min(outputs - panel * PANEL);
            for second in 0..2.min(inputs.saturating_sub(input)) {
                let weights = &weight[(input + second) * outputs + panel * PANEL..][..width];
                row.iter_mut().zip(weights).for_each(|(pair, &weight)| *pair = pair.with(second, weight));
            }
        });
        Self { inputs, pairs, weights }
    }

    /// Appends the weights of some outputs in f32, each output's inputs one after another.
    pub fn widen_outputs(&self, outputs: Range<usize>, into: &mut Vec<f32>) {
        for output in outputs {
            let pair = |input: usize| self.weights[(output / PANEL * self.pairs + input / 2) * PANEL + output % PANEL];
            into.extend((0..self.inputs).map(|input| f32::from_bits(pair(input) >> (input % 2 * 16) << 16)));
        }
    }
}

/// Pairs of so many numbers, filled up.
fn padded_pairs(numbers: usize) -> usize {
    numbers.div_ceil(2).next_multiple_of(PAIRS)
}

/// Rows of numbers as pairs.
pub(super) struct RoundedRows {
    pub pairs: Vec<Bf16Pair>,
    /// Pairs from one row to the next.
    pub stride: usize,
}

impl RoundedRows {
    /// Rounds rows, and adds rows of zeros up to a multiple of `rows`. Pairs that fill up a row are zeros too.
    pub fn of(x: &[f32], row_length: usize, rows: usize) -> Self {
        // An odd number of cache lines: at a power of two bytes from one another, rows would share a few sets of L1.
        let stride = (padded_pairs(row_length) / PAIRS | 1) * PAIRS;
        let mut pairs = vec![Bf16Pair::ZERO; (x.len() / row_length).next_multiple_of(rows) * stride];
        let round = |(row, x): (&mut [Bf16Pair], &[f32])| round_to_pairs(x, &mut row[..row_length.div_ceil(2)]);
        if x.len() <= CHUNK {
            pairs.chunks_mut(stride).zip(x.chunks(row_length)).for_each(round);
        } else {
            pairs.par_chunks_mut(stride).zip(x.par_chunks(row_length)).for_each(round);
        }
        Self { pairs, stride }
    }
}
