//! Products with 4-bit weights for inference. The inputs are rounded to 8 bits, as those of 8-bit weights are
//! ([`int8`](super::int8)), so that one instruction multiplies and adds four numbers for each output.
//!
//! [`GROUP`] consecutive inputs of an output share a scale and a least weight. Their contribution to an output is an
//! exact sum of integers times the scale, and the exact sum of the inputs times the least weight; contributions are
//! added in f32, in the order of the inputs. So every instruction set, and any number of rows, gives the same bits.

use std::ops::Range;

use burn::tensor::Tensor;
use half::f16;
use rayon::prelude::*;

use super::INT4_GROUP as GROUP;
use super::int8::{PANEL, QUAD, RoundedInputs};
use crate::simd::vectorize;

mod rounding;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Weights of [`GROUP`] inputs and the outputs of a panel.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct NibbleGroup {
    /// For each four inputs of the first half those of every output, in the low bits, and in the high bits those as far
    /// into the second half.
    weights: [[[u8; QUAD]; PANEL]; GROUP / QUAD / 2],
    /// A weight is the stored number times this,
    scales: [f16; PANEL],
    /// plus this.
    least: [f16; PANEL],
}

impl NibbleGroup {
    /// The stored number of one weight.
    fn nibble(&self, input: usize, output: usize) -> u8 {
        let half = GROUP / 2;
        self.weights[input % half / QUAD][output][input % QUAD] >> (input / half * 4) & 15
    }

    /// One weight in f32.
    fn weight(&self, input: usize, output: usize) -> f32 {
        let [scale, least] = [self.scales[output], self.least[output]].map(f16::to_f32);
        f32::from(self.nibble(input, output)).mul_add(scale, least)
    }
}

/// A weight `[I, O]` of 4-bit integers in the layout that products read: `[panels, groups]`.
#[derive(Debug)]
pub(super) struct NibblePanels {
    inputs: usize,
    groups: Vec<NibbleGroup>,
}

impl NibblePanels {
    /// Rounds a weight.
    pub fn of(weight: Tensor<2>) -> Self {
        let [inputs, outputs] = weight.dims();
        let weight = weight.into_data();
        let weight = weight.as_slice::<f32>().expect("a weight of f32");
        let count = Self::group_count(inputs);
        let group = |index: usize| {
            let (output, input) = (index / count * PANEL, index % count * GROUP);
            let width = PANEL.min(outputs - output);
            let mut all = [[0.0f32; PANEL]; GROUP];
            for (i, row) in all.iter_mut().enumerate() {
                // What pads the inputs is multiplied by 0, and what pads the outputs is not read. The last input's
                // weights there leave a group's extremes as they are.
                let place = (input + i).min(inputs - 1);
                row[..width].copy_from_slice(&weight[place * outputs + output..][..width]);
            }
            NibbleGroup::of(&all)
        };
        Self { inputs, groups: (0..outputs.div_ceil(PANEL) * count).into_par_iter().map(group).collect() }
    }

    /// Groups of a panel; as many as the inputs' blocks have halves.
    fn group_count(inputs: usize) -> usize {
        inputs.div_ceil(2 * GROUP) * 2
    }

    /// The groups of a panel, in the order of the inputs.
    pub fn panel(&self, panel: usize) -> &[NibbleGroup] {
        let count = Self::group_count(self.inputs);
        &self.groups[panel * count..][..count]
    }

    /// Appends the weights of some outputs in f32, each output's inputs one after another.
    pub fn widen_outputs(&self, outputs: Range<usize>, into: &mut Vec<f32>) {
        for output in outputs {
            let groups = self.panel(output / PANEL);
            into.extend((0..self.inputs).map(|input| groups[input / GROUP].weight(input % GROUP, output % PANEL)));
        }
    }
}

/// Adds to the sums `[rows, PANEL]` the products of some rows with a panel.
pub(super) fn add_products(inputs: &RoundedInputs, rows: Range<usize>, panel: &[NibbleGroup], sums: &mut [f32]) {
    assert!(panel.len() == 2 * inputs.blocks && rows.end <= inputs.rows, "inputs for every weight and row");
    assert!(sums.len() == rows.len() * PANEL, "a row of sums for each row");
    #[cfg(target_arch = "x86_64")]
    if x86::add_products(inputs, &rows, panel, sums) {
        return;
    }
    add_portable(inputs, rows, panel, sums);
}

/// [`add_products`] for any CPU.
fn add_portable(inputs: &RoundedInputs, rows: Range<usize>, panel: &[NibbleGroup], sums: &mut [f32]) {
    vectorize(
        #[inline(always)]
        || {
            for (index, group) in panel.iter().enumerate() {
                for (row, sums) in rows.clone().zip(sums.as_chunks_mut::<PANEL>().0) {
                    let half = inputs.half(row, index);
                    let (first, second) = half.values.split_at(GROUP / 2);
                    let quads = first.as_chunks::<QUAD>().0.iter().zip(second.as_chunks::<QUAD>().0);
                    let mut exact = [0i32; PANEL];
                    for ((low, high), weights) in quads.zip(&group.weights) {
                        for (sum, weights) in exact.iter_mut().zip(weights) {
                            for ((low, high), weight) in low.iter().zip(high).zip(weights) {
                                *sum += i32::from(*low) * i32::from(weight & 15);
                                *sum += i32::from(*high) * i32::from(weight >> 4);
                            }
                        }
                    }
                    let (step, total) = (half.step, half.step * half.sum as f32);
                    for (output, (sum, exact)) in sums.iter_mut().zip(exact).enumerate() {
                        let [scale, least] = [group.scales[output], group.least[output]].map(f16::to_f32);
                        *sum = least.mul_add(total, (exact as f32).mul_add(scale * step, *sum));
                    }
                }
            }
        },
    );
}
