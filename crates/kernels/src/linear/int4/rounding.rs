//! Rounding weights to 4 bits with small errors.

use half::f16;

use super::{GROUP, NibbleGroup, PANEL, QUAD};
use crate::simd::{larger, vectorize};

/// Largest stored number.
const LARGEST: f32 = 15.0;
/// Numbers of steps between the least and the largest weight of a group that are tried; the one with the smallest sum
/// of squared errors is taken. With fewer steps than there are, the extreme weights are nearer to their numbers; with
/// more, the others are.
const STEPS: [f32; 6] = [13.5, 14.25, 15.0, 15.75, 16.5, 17.25];

/// A number for each output.
type OfOutputs = [f32; PANEL];

impl NibbleGroup {
    /// Rounds the weights of some inputs, one after another.
    pub(super) fn of(all: &[OfOutputs; GROUP]) -> Self {
        let (mut best, mut best_error) = ([[0.0; PANEL]; 2], [f32::INFINITY; PANEL]);
        let [least, largest] = extremes(all);
        for steps in STEPS {
            let mut rates = [0.0; PANEL];
            for (rate, (least, largest)) in rates.iter_mut().zip(least.iter().zip(&largest)) {
                *rate = if largest > least { steps / (largest - least) } else { 0.0 };
            }
            let found = fitted(all, &least, &rates);
            let errors = errors(all, &found);
            for output in 0..PANEL {
                // A weight that is no number has an error that is none, and leaves the first.
                if errors[output] < best_error[output] || steps == STEPS[0] {
                    best_error[output] = errors[output];
                    (best[0][output], best[1][output]) = (found[0][output], found[1][output]);
                }
            }
        }
        Self::with(all, &best)
    }

    /// Rounds weights with scales and least weights that are numbers of f16.
    fn with(all: &[OfOutputs; GROUP], [scales, least]: &[OfOutputs; 2]) -> Self {
        let [scales_16, least_16] = [scales, least].map(|row| row.map(f16::from_f32));
        let mut group = Self { weights: [[[0; QUAD]; PANEL]; GROUP / QUAD / 2], scales: scales_16, least: least_16 };
        let inverse = inverse(scales);
        for (input, row) in all.iter().enumerate() {
            let (quad, shift) = (input % (GROUP / 2) / QUAD, input / (GROUP / 2) * 4);
            for (output, weight) in row.iter().enumerate() {
                let nibble = nibble(*weight, least[output], inverse[output]) as u8;
                group.weights[quad][output][input % QUAD] |= nibble << shift;
            }
        }
        group
    }
}

/// The least and the largest weight of each output.
fn extremes(all: &[OfOutputs; GROUP]) -> [OfOutputs; 2] {
    let (mut least, mut largest) = ([f32::INFINITY; PANEL], [f32::NEG_INFINITY; PANEL]);
    vectorize(
        #[inline(always)]
        || {
            for row in all {
                for output in 0..PANEL {
                    largest[output] = larger(row[output], largest[output]);
                    least[output] = -larger(-row[output], -least[output]);
                }
            }
        },
    );
    [least, largest]
}

/// The scales and least weights that fit best, by least squares, where a weight is rounded to the nearest of its steps
/// above `least`, `rate` of which are 1; rounded to f16.
fn fitted(all: &[OfOutputs; GROUP], least: &OfOutputs, rates: &OfOutputs) -> [OfOutputs; 2] {
    // Sums over the inputs: of the stored numbers, their squares, the weights, and the products of both.
    let mut sums = [[0.0f32; PANEL]; 4];
    let [numbers, squares, weights, products] = &mut sums;
    vectorize(
        #[inline(always)]
        || {
            for row in all {
                for output in 0..PANEL {
                    let number = nibble(row[output], least[output], rates[output]);
                    // Above the least weight, where the numbers are small: sums of squares lose fewer digits.
                    let weight = row[output] - least[output];
                    numbers[output] += number;
                    squares[output] = number.mul_add(number, squares[output]);
                    weights[output] += weight;
                    products[output] = number.mul_add(weight, products[output]);
                }
            }
        },
    );
    let mut found = [[0.0; PANEL]; 2];
    let count = GROUP as f32;
    for output in 0..PANEL {
        let (n, nn, w, nw) = (numbers[output], squares[output], weights[output], products[output]);
        let determinant = count * nn - n * n;
        let scale = if determinant > 0.0 { (count * nw - n * w) / determinant } else { 0.0 };
        let offset = (w - scale * n) / count;
        [found[0][output], found[1][output]] = [scale, least[output] + offset].map(|x| f16::from_f32(x).to_f32());
    }
    found
}

/// The sum of the squared errors of each output.
fn errors(all: &[OfOutputs; GROUP], [scales, least]: &[OfOutputs; 2]) -> OfOutputs {
    let (mut errors, inverse) = ([0.0f32; PANEL], inverse(scales));
    vectorize(
        #[inline(always)]
        || {
            for row in all {
                for output in 0..PANEL {
                    let number = nibble(row[output], least[output], inverse[output]);
                    let error = number.mul_add(scales[output], least[output]) - row[output];
                    errors[output] = error.mul_add(error, errors[output]);
                }
            }
        },
    );
    errors
}

fn inverse(scales: &OfOutputs) -> OfOutputs {
    scales.map(|scale| if scale > 0.0 { 1.0 / scale } else { 0.0 })
}

/// The stored number of a weight.
#[inline(always)]
fn nibble(weight: f32, least: f32, rate: f32) -> f32 {
    let number = ((weight - least) * rate).round_ties_even();
    let number = if number > 0.0 { number } else { 0.0 };
    if number < LARGEST { number } else { LARGEST }
}
