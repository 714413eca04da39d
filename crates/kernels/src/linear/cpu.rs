//! `y = x·W + b`, `dx = dy·Wᵀ`, `dW = xᵀ·dy`, `db = Σ dy`.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::Precision;
use crate::host::{contiguous, dims, rows_a_chunk, sum_in_order, tensor, values, written};
use crate::op::{Forward, Kernel, Tracked};
use crate::product::{MatRef, product, product_into};
use crate::simd::vectorize;

/// The map of `[x, weight]` or `[x, weight, bias]`.
#[derive(Debug)]
pub(super) struct Linear {
    pub precision: Precision,
}

impl Kernel for Linear {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let x = contiguous(inputs.remove(0));
        let (x_matrix, weight_matrix) = (matrix(&x), matrix(&inputs[0]));
        let (rows, outputs) = (x_matrix.rows, weight_matrix.cols);
        let y = match inputs.get(1).cloned().map(contiguous) {
            Some(bias) => {
                let mut y = values(&bias).repeat(rows);
                product(x_matrix, weight_matrix, &mut y, true, self.precision);
                y
            }
            // SAFETY: the product writes every element.
            None => unsafe {
                written(rows * outputs, |y| {
                    product_into(x_matrix, weight_matrix, y, self.precision);
                })
            },
        };
        let output = tensor(y, [rows, outputs]);
        Forward { output, saved: if tracked.any() { vec![x, inputs.remove(0)] } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let dy = contiguous(gradient);
        let (x, weight, dy) = (matrix(&saved[0]), matrix(&saved[1]), matrix(&dy));
        let multiplied = |a: MatRef, b: MatRef| {
            // SAFETY: the product writes every element.
            let values = unsafe {
                written(a.rows * b.cols, |c| {
                    product_into(a, b, c, self.precision);
                })
            };
            tensor(values, [a.rows, b.cols])
        };
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
