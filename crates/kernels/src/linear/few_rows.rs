//! Products of a few rows, as when one token is decoded: every weight is read once and used a few times, so that memory
//! bandwidth is the limit.
//!
//! Sums are in f32 and in the order of the inputs; they depend neither on the number of threads nor
//! on how many rows are computed together.

use std::ops::Range;

use rayon::prelude::*;

use super::view::WeightView;
use crate::simd::{LANES, vectorize};

/// Largest number of rows for which a product is computed here.
pub(super) const MAX_FEW_ROWS: usize = 4;

/// Bytes of weights for which using another thread pays off.
const PIECE: usize = 1 << 18;
/// Largest number of pieces of the inputs. Each has its own sums, which are then added.
const PIECES: usize = 16;
/// Largest number of outputs whose sums stay in the L1 cache, so that weights can be read row after row.
const NARROW: usize = 4096;
/// Number of rows of weights that are read side by side if there are many outputs, so that their sums are loaded less
/// often.
const SIDE_BY_SIDE: usize = 4;
/// Number of outputs computed together.
const GROUP: usize = 64;

/// y ← y + x·W, with x `[rows, I]` and y `[rows, O]`.
pub(super) fn multiply_add(x: &[f32], weight: WeightView, y: &mut [f32]) {
    let WeightView { inputs, outputs, transposed, .. } = weight;
    assert!(x.len() * outputs == y.len() * inputs, "x and y have as many rows");
    if y.is_empty() || inputs == 0 {
        return;
    }
    let values = weight.values;
    if transposed {
        in_columns(y, outputs, &|first, y| dots(x, values, inputs, first, y));
    } else {
        by_rows(x, Weights { values, inputs, outputs }, y);
    }
}

/// Weights `[I, O]`, row after row.
#[derive(Clone, Copy)]
struct Weights<'a> {
    values: &'a [f32],
    inputs: usize,
    outputs: usize,
}

/// Products with weights that are read along their rows. Few outputs are split by inputs, so that each thread reads one
/// piece of memory from end to end; many outputs are split by outputs.
fn by_rows(x: &[f32], weights: Weights, y: &mut [f32]) {
    let Weights { inputs, outputs, .. } = weights;
    if outputs > NARROW {
        return in_columns(y, outputs, &|first, y| {
            add_inputs::<SIDE_BY_SIDE>(x, weights, 0..inputs, first, y);
        });
    }
    // A power of two, so that two, four or eight threads get equal shares.
    let pieces = 1 << (inputs * outputs * size_of::<f32>() / PIECE).clamp(1, PIECES).ilog2();
    let piece = |index: usize, y: &mut [f32]| {
        let some = index * inputs / pieces..(index + 1) * inputs / pieces;
        add_inputs::<1>(x, weights, some, 0, y.chunks_exact_mut(outputs).collect());
    };
    if pieces == 1 {
        return piece(0, y);
    }
    let part = |index| {
        let mut sums = vec![0.0f32; y.len()];
        piece(index, &mut sums);
        sums
    };
    let parts: Vec<Vec<f32>> = (0..pieces).into_par_iter().map(part).collect();
    for part in parts {
        y.iter_mut().zip(part).for_each(|(y, part)| *y += part);
    }
}

/// Calls `compute` with some outputs of all rows of y `[rows, O]` and the index of their first, on several threads.
fn in_columns(y: &mut [f32], outputs: usize, compute: &(dyn Fn(usize, Vec<&mut [f32]>) + Sync)) {
    let threads = if outputs < GROUP { 1 } else { rayon::current_num_threads() };
    let width = outputs.div_ceil(threads).next_multiple_of(GROUP);
    let mut pieces: Vec<Vec<&mut [f32]>> = (0..outputs.div_ceil(width)).map(|_| vec![]).collect();
    for row in y.chunks_exact_mut(outputs) {
        pieces.iter_mut().zip(row.chunks_mut(width)).for_each(|(piece, y)| piece.push(y));
    }
    match pieces.len() {
        1 => pieces.into_iter().for_each(|y| compute(0, y)),
        _ => pieces.into_par_iter().enumerate().for_each(|(index, y)| compute(index * width, y)),
    }
}

/// Adds the contribution of some inputs to some outputs of all rows, from `first` on: R rows of weights at a time.
fn add_inputs<const R: usize>(x: &[f32], weights: Weights, some: Range<usize>, first: usize, mut y: Vec<&mut [f32]>) {
    let Weights { values, inputs, outputs } = weights;
    vectorize(
        #[inline(always)]
        || {
            let mut input = some.start;
            while input < some.end {
                let count = if some.end - input >= R { R } else { 1 };
                for (y, x) in y.iter_mut().zip(x.chunks_exact(inputs)) {
                    let row = |i: usize| Row { x: x[i], weights: &values[i * outputs + first..][..y.len()] };
                    if count == R {
                        let rows = std::array::from_fn(|i| row(input + i));
                        add_rows::<R>(y, rows);
                    } else {
                        let row = row(input);
                        add_rows::<1>(y, [row]);
                    }
                }
                input += count;
            }
        },
    );
}

/// An input, and the weights of some outputs from it.
#[derive(Clone, Copy)]
struct Row<'a> {
    x: f32,
    weights: &'a [f32],
}

/// `y ← y + Σ x·w`, the sum over the rows in their order.
#[inline(always)]
fn add_rows<const R: usize>(y: &mut [f32], rows: [Row; R]) {
    let (groups, rest) = y.as_chunks_mut::<GROUP>();
    for (group, y) in groups.iter_mut().enumerate() {
        let mut sums = *y;
        for row in &rows {
            let weights: &[f32; GROUP] = row.weights[group * GROUP..].first_chunk().expect("a group of weights");
            for lane in 0..GROUP {
                sums[lane] = row.x.mul_add(weights[lane], sums[lane]);
            }
        }
        *y = sums;
    }
    let group = groups.len();
    for row in rows {
        for (y, weight) in rest.iter_mut().zip(&row.weights[group * GROUP..]) {
            *y = row.x.mul_add(*weight, *y);
        }
    }
}

/// Adds to some outputs of all rows, from `first` on. Weights are stored as `[O, I]`, so each output is a dot product.
fn dots(x: &[f32], weight: &[f32], inputs: usize, first: usize, mut y: Vec<&mut [f32]>) {
    /// Number of outputs computed together, so that a multiplication need not wait for the one before.
    const TOGETHER: usize = 4;
    vectorize(
        #[inline(always)]
        || {
            let width = y[0].len();
            for start in (0..width).step_by(TOGETHER) {
                let count = TOGETHER.min(width - start);
                let row = |i: usize| &weight[(first + start + i) * inputs..][..inputs];
                for (y, x) in y.iter_mut().zip(x.chunks_exact(inputs)) {
                    let y = &mut y[start..start + count];
                    if count == TOGETHER {
                        let sums = dots_of::<TOGETHER>(x, std::array::from_fn(row));
                        y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
                    } else {
                        y.iter_mut().enumerate().for_each(|(i, y)| *y += dots_of::<1>(x, [row(i)])[0]);
                    }
                }
            }
        },
    );
}

/// `x·w` for each `w`.
#[inline(always)]
fn dots_of<const R: usize>(x: &[f32], weights: [&[f32]; R]) -> [f32; R] {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let done = chunks.len() * LANES;
    let mut lanes = [[0.0f32; LANES]; R];
    for (index, x) in chunks.iter().enumerate() {
        for (sums, weights) in lanes.iter_mut().zip(&weights) {
            let weights: &[f32; LANES] = weights[index * LANES..].first_chunk().expect("as many weights as inputs");
            for lane in 0..LANES {
                sums[lane] = x[lane].mul_add(weights[lane], sums[lane]);
            }
        }
    }
    for (sums, weights) in lanes.iter_mut().zip(&weights) {
        for (sum, (x, weight)) in sums.iter_mut().zip(rest.iter().zip(&weights[done..])) {
            *sum = x.mul_add(*weight, *sum);
        }
    }
    lanes.map(|lanes| crate::simd::row_sum(&lanes))
}
