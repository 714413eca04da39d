//! Weights in bf16 for inference: the inputs are rounded to bf16 too, so that two products are one instruction where
//! the CPU has it, and weights are never widened in memory.
//!
//! In vector registers every sum is one chain of fused multiply-adds. With AMX it is a chain of tile products
//! (`tiles`), each of which adds the products of 32 inputs, for one row as for many: a tile adds in another order than
//! vectors, and the bits of a row must not depend on the number of rows.

#![expect(unsafe_code, reason = "a cache line is seen as its numbers")]

#[cfg(target_arch = "x86_64")]
pub(super) mod tiles;

use std::ops::Range;

use burn::tensor::Tensor;
use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut};
use rayon::prelude::*;

use super::int8::PANEL;
use crate::chain::{Bf16Pair, Element, round_to_pairs};
use crate::host::CHUNK;

/// Pairs of inputs are padded to a multiple of this: the pairs of a row of a tile.
const PAIRS: usize = 16;

/// Pairs that begin at a cache line, so that no row of a tile lies in two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct PairLine([Bf16Pair; PAIRS]);

// SAFETY: 64 bytes of integers without padding; all zeros are a value.
unsafe impl Zeroable for PairLine {}
// SAFETY: as above; every bit pattern is a value.
unsafe impl Pod for PairLine {}

/// A weight `[I, O]` of bf16 numbers, in pairs of inputs: `[panels, pairs, PANEL]`, padded with zeros.
#[derive(Debug)]
pub(super) struct PairPanels {
    inputs: usize,
    /// Pairs of inputs of an output.
    pub pairs: usize,
    lines: Vec<PairLine>,
}

impl PairPanels {
    /// Rounds a weight.
    pub fn of(weight: Tensor<2>) -> Self {
        let [inputs, outputs] = weight.dims();
        let weight = weight.into_data();
        let weight = weight.as_slice::<f32>().expect("a weight of f32");
        let pairs = padded_pairs(inputs);
        let mut lines = vec![PairLine::zeroed(); outputs.div_ceil(PANEL) * pairs * PANEL / PAIRS];
        cast_slice_mut::<_, Bf16Pair>(&mut lines).par_chunks_mut(PANEL).enumerate().for_each(|(index, row)| {
            let (panel, input) = (index / pairs, index % pairs * 2);
            let width = PANEL.min(outputs - panel * PANEL);
            for second in 0..2.min(inputs.saturating_sub(input)) {
                let weights = &weight[(input + second) * outputs + panel * PANEL..][..width];
                row.iter_mut().zip(weights).for_each(|(pair, &weight)| *pair = pair.with(second, weight));
            }
        });
        Self { inputs, pairs, lines }
    }

    /// All pairs.
    pub fn weights(&self) -> &[Bf16Pair] {
        cast_slice(&self.lines)
    }

    /// Appends the weights of some outputs in f32, each output's inputs one after another.
    pub fn widen_outputs(&self, outputs: Range<usize>, into: &mut Vec<f32>) {
        let weights = self.weights();
        for output in outputs {
            let pair = |input: usize| weights[(output / PANEL * self.pairs + input / 2) * PANEL + output % PANEL];
            into.extend((0..self.inputs).map(|input| f32::from_bits(pair(input) >> (input % 2 * 16) << 16)));
        }
    }
}

/// The number of pairs of this many numbers, padded.
fn padded_pairs(numbers: usize) -> usize {
    numbers.div_ceil(2).next_multiple_of(PAIRS)
}

/// Rows of numbers as pairs.
pub(super) struct RoundedRows {
    lines: Vec<PairLine>,
    /// Pairs from one row to the next.
    pub stride: usize,
}

impl RoundedRows {
    /// Rounds rows, and adds rows of zeros up to a multiple of `rows`.
    pub fn of(x: &[f32], row_length: usize, rows: usize) -> Self {
        // An odd number of cache lines: at a power of two bytes from one another, rows would share a few sets of L1.
        let stride = ((padded_pairs(row_length) / PAIRS) | 1) * PAIRS;
        let mut lines = vec![PairLine::zeroed(); (x.len() / row_length).next_multiple_of(rows) * stride / PAIRS];
        let pairs = cast_slice_mut::<_, Bf16Pair>(&mut lines);
        let round = |(row, x): (&mut [Bf16Pair], &[f32])| round_to_pairs(x, &mut row[..row_length.div_ceil(2)]);
        if x.len() <= CHUNK {
            pairs.chunks_mut(stride).zip(x.chunks(row_length)).for_each(round);
        } else {
            pairs.par_chunks_mut(stride).zip(x.par_chunks(row_length)).for_each(round);
        }
        Self { lines, stride }
    }

    /// All pairs.
    pub fn pairs(&self) -> &[Bf16Pair] {
        cast_slice(&self.lines)
    }
}
