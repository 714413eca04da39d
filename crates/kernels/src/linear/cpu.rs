//! `y = x·W + b`, `dx = dy·Wᵀ`, `dW = xᵀ·dy`, `db = Σ dy`.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::few_rows::{self, FEW};
use super::view::{Values, WeightView};
use crate::Precision;
use crate::host::{contiguous, dims, rows_a_chunk, sum_in_order, tensor, values, written};
use crate::op::{Forward, Kernel, Tracked};
use crate::product::{MatRef, Number, product_into};
use crate::simd::vectorize;

/// The map of `[x, weight]` or `[x, weight, bias]`.
#[derive(Debug)]
pub(super) struct Linear {
    pub precision: Precision,
}

impl Kernel for Linear {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let x = contiguous(inputs.remove(0));
        let (rows, outputs) = (dims(&x)[0], dims(&inputs[0])[1]);
        let bias = inputs.get(1).cloned().map(contiguous);
        let bias = bias.as_ref().map(values);
        let y = match WeightView::of(&inputs[0]) {
            Some(weight) if rows <= FEW || !matches!(weight.values, Values::F32(_)) => {
                let whole = matches!(weight.values, Values::F32(_));
                assert!(whole || !tracked.any(), "weights stored in bf16 are for inference");
                from_view(&x, weight, bias, self.precision)
            }
            _ => from_product(matrix(&x), matrix(&inputs[0]), bias, self.precision),
        };
        let output = tensor(y, [rows, outputs]);
        Forward { output, saved: if tracked.any() { vec![x, inputs.remove(0)] } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let dy = contiguous(gradient);
        let (x, weight, dy) = (matrix(&saved[0]), matrix(&saved[1]), matrix(&dy));
        let multiplied = |a: MatRef, b: MatRef| tensor(from_product(a, b, None, self.precision), [a.rows, b.cols]);
        let mut gradients = vec![
            wanted[0].then(|| multiplied(dy, weight.transposed())),
            wanted[1].then(|| multiplied(x.transposed(), dy)),
        ];
        if let Some(&wanted) = wanted.get(2) {
            gradients.push(wanted.then(|| tensor(column_sums(dy.data, dy.cols), [dy.cols])));
        }
        gradients
    }
}

/// `x·W + b` with a weight in any format.
pub(super) fn from_view(x: &FlexTensor, weight: WeightView, bias: Option<&[f32]>, precision: Precision) -> Vec<f32> {
    match dims(x)[0] {
        rows @ ..=FEW => from_few_rows(values(x), weight, rows, bias),
        _ => from_many_rows(matrix(x), weight, bias, precision),
    }
}

/// `x·W + b` where memory sets the pace.
fn from_few_rows(x: &[f32], weight: WeightView, rows: usize, bias: Option<&[f32]>) -> Vec<f32> {
    let mut y = match bias {
        Some(bias) => bias.repeat(rows),
        None => vec![0.0; rows * weight.outputs],
    };
    few_rows::multiply_add(x, weight, &mut y);
    y
}

/// `x·W + b` of many rows.
fn from_many_rows(x: MatRef, weight: WeightView, bias: Option<&[f32]>, precision: Precision) -> Vec<f32> {
    match weight.values {
        Values::F32(values) => from_product(x, weight.matrix(values), bias, precision),
        Values::Bf16(values) => from_product(x, weight.matrix(values), bias, precision),
        Values::Int8 { .. } => from_product(x, weight.matrix(&weight.widened()), bias, precision),
    }
}

fn from_product<E: Number>(x: MatRef, weight: MatRef<E>, bias: Option<&[f32]>, precision: Precision) -> Vec<f32> {
    // SAFETY: the product writes every element.
    unsafe {
        written(x.rows * weight.cols, |y| {
            product_into(x, weight, bias, y, precision);
        })
    }
}

/// A tensor of two axes as a matrix; it may be a transposed view.
pub(crate) fn matrix(x: &FlexTensor) -> MatRef<'_> {
    let [rows, cols] = dims(x)[..] else { unreachable!("a matrix has two axes") };
    let strides = x.layout().strides();
    let stride = |axis: usize| usize::try_from(strides[axis]).expect("strides of views are positive");
    let data = &x.storage::<f32>()[x.layout().start_offset()..];
    MatRef { data, rows, cols, row_stride: stride(0), col_stride: stride(1) }
}

/// The sum of each column of `rows`: of parts of the rows, and then of these in order, so that it does not depend on the threads.
fn column_sums(rows: &[f32], width: usize) -> Vec<f32> {
    let part = |rows: &[f32]| {
        let mut sums = vec![0.0f32; width];
        vectorize(
            #[inline(always)]
            || {
                for row in rows.chunks_exact(width) {
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum += x;
                    }
                }
            },
        );
        sums
    };
    sum_in_order(rows.par_chunks(rows_a_chunk(width) * width).map(part).collect(), width)
}
