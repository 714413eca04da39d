//! Weights in bf16 for inference: the inputs are rounded to bf16 too, so that two products are one instruction where
//! the CPU has it, and weights are never widened in memory.

use std::ops::Range;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::int8::PANEL;
use crate::chain::{Bf16Pair, Element, round_to_pairs};
use crate::host::CHUNK;

/// A weight `[I, O]` of bf16 numbers, in pairs of inputs: `[panels, I / 2, PANEL]`, padded with zeros.
#[derive(Debug)]
pub(super) struct PairPanels {
    /// Pairs of inputs of an output.
    pairs: usize,
    inputs: usize,
    pub weights: Vec<Bf16Pair>,
}

impl PairPanels {
    /// Rounds a weight.
    pub fn of(weight: Tensor<2>) -> Self {
        let [inputs, outputs] = weight.dims();
        let weight = weight.into_data();
        let weight = weight.as_slice::<f32>().expect("a weight of f32");
        let pairs = inputs.div_ceil(2);
        let mut weights = vec![Bf16Pair::ZERO; outputs.div_ceil(PANEL) * pairs * PANEL];
        weights.par_chunks_mut(PANEL).enumerate().for_each(|(index, row)| {
            let (panel, input) = (index / pairs, index % pairs * 2);
            let width = PANEL.min(outputs - panel * PANEL);
            for second in 0..2.min(inputs - input) {
                let weights = &weight[(input + second) * outputs + panel * PANEL..][..width];
                row.iter_mut().zip(weights).for_each(|(pair, &weight)| *pair = pair.with(second, weight));
            }
        });
        Self { pairs, inputs, weights }
    }

    /// Pairs of inputs of an output.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Appends the weights of some outputs in f32, each output's inputs one after another.
    pub fn widen_outputs(&self, outputs: Range<usize>, into: &mut Vec<f32>) {
        for output in outputs {
            let pair = |input: usize| self.weights[(output / PANEL * self.pairs + input / 2) * PANEL + output % PANEL];
            into.extend((0..self.inputs).map(|input| f32::from_bits(pair(input) >> (input % 2 * 16) << 16)));
        }
    }
}

/// Rows of numbers as pairs; a last number without a second is paired with 0.
pub(super) fn rounded(x: &[f32], row_length: usize) -> Vec<Bf16Pair> {
    let pairs = row_length.div_ceil(2);
    let mut rounded = vec![Bf16Pair::ZERO; x.len() / row_length * pairs];
    let round = |(row, x): (&mut [Bf16Pair], &[f32])| round_to_pairs(x, row);
    if x.len() <= CHUNK {
        rounded.chunks_mut(pairs).zip(x.chunks(row_length)).for_each(round);
    } else {
        rounded.par_chunks_mut(pairs).zip(x.par_chunks(row_length)).for_each(round);
    }
    rounded
}
