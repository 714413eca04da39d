//! Integer products with 8-bit weights: the other factor is rounded to 16 bits, so that one instruction multiplies two
//! numbers in place of one f32, and weights need not be widened in memory.
//!
//! The scales of the weights are multiplied into the other factor before it is rounded. [`INPUTS`] of its numbers share
//! a step size, the largest magnitude divided by 32,767; the error is a hundredth of that of rounding the weights. Sums
//! within these inputs are exact, so that every instruction set, and any number of rows, gives the same bits.

use std::ops::Range;

use super::INT8_BLOCK as PANEL;
use crate::simd::vectorize;

#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Numbers of the other factor that share a step size. Their sums stay below 2³¹: 128 · 32,767 · 127 does.
pub(super) const INPUTS: usize = 128;
/// Largest magnitude of a rounded number.
const LARGEST: f32 = 32_767.0;

/// Weights of a panel's outputs for two consecutive inputs, side by side: one instruction multiplies and adds both.
pub(super) type Pairs = [[i8; 2]; PANEL];

/// 8-bit weights of a panel: the [`Pairs`] of each two inputs, the last padded with zeros.
pub(super) fn pairs(rows: &[[i8; PANEL]]) -> Vec<Pairs> {
    let of_two = |two: &[[i8; PANEL]]| {
        let second = two.get(1).unwrap_or(&[0; PANEL]);
        std::array::from_fn(|output| [two[0][output], second[output]])
    };
    rows.chunks(2).map(of_two).collect()
}

/// Numbers rounded to 16 bits, `[rows, INPUTS]`, and the step size of each row.
#[derive(Default)]
pub(super) struct Rounded {
    values: Vec<i16>,
    steps: Vec<f32>,
}

impl Rounded {
    /// Rounds some inputs (an even number of the first on, at most [`INPUTS`]) of rows of `x`, times the weights'
    /// scales. Replaces the previous contents.
    pub fn set(&mut self, x: &[f32], row_length: usize, inputs: Range<usize>, scales: &[f32]) {
        let rows = x.len() / row_length;
        self.values.resize(rows * INPUTS, 0);
        self.steps.clear();
        for (row, rounded) in x.chunks_exact(row_length).zip(self.values.chunks_exact_mut(INPUTS)) {
            self.steps.push(round(&row[inputs.clone()], scales, rounded));
        }
    }
}

/// Rounds `x · scales` and returns the step size; the remaining numbers become 0. NaN if a number is not finite.
fn round(x: &[f32], scales: &[f32], rounded: &mut [i16]) -> f32 {
    /// Adding it leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    vectorize(
        #[inline(always)]
        || {
            // Magnitudes compare as integers in the order of the numbers, with NaN above all.
            let magnitude = |(x, scale): (&f32, &f32)| (x * scale).to_bits() & 0x7fff_ffff;
            let largest = f32::from_bits(x.iter().zip(scales).map(magnitude).fold(0, u32::max));
            let steps = LARGEST / largest;
            let (used, rest) = rounded.split_at_mut(x.len());
            rest.fill(0);
            if !steps.is_normal() {
                used.fill(0);
                return if largest.is_finite() { 0.0 } else { f32::NAN };
            }
            for (rounded, (x, scale)) in used.iter_mut().zip(x.iter().zip(scales)) {
                *rounded = (x * scale).mul_add(steps, ROUND).to_bits() as i16;
            }
            largest / LARGEST
        },
    )
}

/// Adds to the sums `[rows, PANEL]` the products of rounded rows with a panel's weights of the same inputs.
pub(super) fn add_products(rounded: &Rounded, weights: &[Pairs], sums: &mut [f32]) {
    let rows = rounded.steps.len();
    assert!(weights.len() <= INPUTS / 2, "a rounded row has numbers for all weights");
    assert!(rounded.values.len() == rows * INPUTS && sums.len() == rows * PANEL, "a row of sums for each rounded one");
    #[cfg(target_arch = "x86_64")]
    if x86::add_products(rounded, weights, sums) {
        return;
    }
    add_portable(rounded, weights, sums);
}

/// [`add_products`] for any CPU.
fn add_portable(rounded: &Rounded, weights: &[Pairs], sums: &mut [f32]) {
    vectorize(
        #[inline(always)]
        || {
            let rows = rounded.values.chunks_exact(INPUTS).zip(&rounded.steps);
            for ((values, step), sums) in rows.zip(sums.as_chunks_mut::<PANEL>().0) {
                let mut exact = [0i32; PANEL];
                for (two, pairs) in values.as_chunks::<2>().0.iter().zip(weights) {
                    for (sum, pair) in exact.iter_mut().zip(pairs) {
                        *sum += i32::from(two[0]) * i32::from(pair[0]) + i32::from(two[1]) * i32::from(pair[1]);
                    }
                }
                for (sum, exact) in sums.iter_mut().zip(exact) {
                    *sum = (exact as f32).mul_add(*step, *sum);
                }
            }
        },
    );
}
