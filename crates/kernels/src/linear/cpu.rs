//! `y = x·W + b`, `dx = dy·Wᵀ`, `dW = xᵀ·dy`, `db = Σ dy`.

#![expect(unsafe_code, reason = "threads write disjoint parts of one result")]

use burn::tensor::{DType, Element};
use burn_flex::FlexTensor;
use bytemuck::Pod;
use half::bf16;
use rayon::prelude::*;

use super::few_rows::{self, MAX_FEW_ROWS};
use super::view::WeightView;
use crate::Precision;
use crate::host::{contiguous, dims, rounded, rows_a_chunk, sum_in_order, tensor, values, written, zeros};
use crate::op::{Forward, Kernel, MultiOutputKernel, Tracked};
use crate::product::{MatRef, Number, product, product_into};
use crate::simd::vectorize;

/// The map of `[x, weight]` or `[x, weight, bias]`.
#[derive(Debug)]
pub(super) struct LinearKernel {
    pub precision: Precision,
}

impl Kernel for LinearKernel {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let x = operand(inputs.remove(0), self.precision);
        let output = mapped(&x, &inputs[0], inputs.get(1), self.precision);
        Forward { output, saved: if tracked.any() { vec![x, inputs.remove(0)] } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let dy = contiguous(gradient);
        let mut dx = None;
        let dweight_dbias = gradients(&saved[0], &saved[1], &dy, wanted, &mut dx, self.precision);
        let dx = dx.map(|dx| tensor(dx, dims(&saved[0])));
        std::iter::once(dx).chain(dweight_dbias).take(wanted.len()).collect()
    }
}

/// Several maps of the same x: `[x, weight…]` or `[x, weight…, bias…]`.
#[derive(Debug)]
pub(super) struct Linears {
    pub count: usize,
    pub precision: Precision,
}

impl MultiOutputKernel for Linears {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> (Vec<FlexTensor>, Vec<FlexTensor>) {
        let x = operand(inputs.remove(0), self.precision);
        let (weights, biases) = inputs.split_at(self.count);
        let map = |(i, weight)| mapped(&x, weight, biases.get(i), self.precision);
        let outputs = weights.iter().enumerate().map(map).collect();
        inputs.truncate(self.count);
        inputs.push(x);
        (outputs, if tracked.any() { inputs } else { vec![] })
    }

    fn backward(
        &self,
        mut weights: Vec<FlexTensor>,
        gradients_of_y: Vec<Option<FlexTensor>>,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let x = weights.pop().expect("x is the last that was saved");
        let (mut dx, mut found) = (None, vec![None; wanted.len()]);
        for (i, (weight, dy)) in weights.iter().zip(gradients_of_y).enumerate() {
            let (of_weight, of_bias) = (1 + i, 1 + self.count + i);
            let wanted = [wanted[0], wanted[of_weight], wanted.get(of_bias).copied().unwrap_or(false)];
            let [dweight, dbias] = match dy.map(contiguous) {
                Some(dy) => gradients(&x, weight, &dy, &wanted, &mut dx, self.precision),
                None => [zeros(dims(weight)), zeros([dims(weight)[1]])].map(Some),
            };
            found[of_weight] = dweight;
            if let Some(found) = found.get_mut(of_bias) {
                *found = dbias;
            }
        }
        found[0] = dx.map(|dx| tensor(dx, dims(&x)));
        found
    }
}

/// x as products in this format multiply it: in bf16 it is rounded once for all of them, and kept so for the backward
/// pass, in half the memory. If others keep it too, as several adapters do, a copy would take more memory. A few rows
/// are multiplied in f32.
fn operand(x: FlexTensor, precision: Precision) -> FlexTensor {
    match precision {
        Precision::Bf16 if dims(&x)[0] > MAX_FEW_ROWS && x.is_unique() => rounded(x),
        _ => contiguous(x),
    }
}

/// Evaluates `$body` with `$matrix` bound to the tensor of two axes as a [`MatRef`] of its numbers, f32 or bf16.
macro_rules! with_matrix {
    ($tensor:expr, |$matrix:ident| $body:expr) => {
        if $tensor.dtype() == DType::BF16 {
            let $matrix = matrix_of::<bf16>($tensor);
            $body
        } else {
            let $matrix = matrix($tensor);
            $body
        }
    };
}

/// `x·W + b`
fn mapped(x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>, precision: Precision) -> FlexTensor {
    let (rows, outputs) = (dims(x)[0], dims(weight)[1]);
    let bias = bias.cloned().map(contiguous);
    let bias = bias.as_ref().map(values);
    let y = match WeightView::of(weight) {
        Some(weight) if rows <= MAX_FEW_ROWS => from_few_rows(values(x), weight, rows, bias),
        _ => with_matrix!(x, |x| from_product(x, matrix(weight), bias, precision)),
    };
    tensor(y, [rows, outputs])
}

/// Gradients of weight and bias; the gradient of x is added to `dx`, or starts it. `wanted` says which of x, weight and
/// bias need a gradient.
fn gradients(
    x: &FlexTensor,
    weight: &FlexTensor,
    dy: &FlexTensor,
    wanted: &[bool],
    dx: &mut Option<Vec<f32>>,
    precision: Precision,
) -> [Option<FlexTensor>; 2] {
    let (weight, dy) = (matrix(weight), matrix(dy));
    if wanted[0] {
        match dx {
            Some(dx) => product(dy, weight.transposed(), dx, true, precision),
            None => *dx = Some(from_product(dy, weight.transposed(), None, precision)),
        }
    }
    let of_weight = || with_matrix!(x, |x| from_product(x.transposed(), dy, None, precision));
    let dweight = wanted[1].then(|| tensor(of_weight(), [weight.rows, weight.cols]));
    let dbias = wanted.get(2) == Some(&true);
    [dweight, dbias.then(|| tensor(column_sums(&dy.data[..dy.rows * dy.cols], dy.cols), [dy.cols]))]
}

/// `x·W + b` of a few rows, where memory bandwidth is the limit.
fn from_few_rows(x: &[f32], weight: WeightView, rows: usize, bias: Option<&[f32]>) -> Vec<f32> {
    let mut y = match bias {
        Some(bias) => bias.repeat(rows),
        None => vec![0.0; rows * weight.outputs],
    };
    few_rows::multiply_add(x, weight, &mut y);
    y
}

/// `x·W + b` of many rows.
fn from_product<E: Number>(x: MatRef<E>, weight: MatRef, bias: Option<&[f32]>, precision: Precision) -> Vec<f32> {
    // SAFETY: the product writes every element.
    unsafe {
        written(x.rows * weight.cols, |y| {
            product_into(x, weight, bias, y, precision);
        })
    }
}

/// A tensor of two axes as a matrix; it may be a transposed view.
pub(crate) fn matrix(x: &FlexTensor) -> MatRef<'_> {
    matrix_of(x)
}

fn matrix_of<E: Element + Pod>(x: &FlexTensor) -> MatRef<'_, E> {
    let [rows, cols] = dims(x)[..] else { unreachable!("a matrix has two axes") };
    let strides = x.layout().strides();
    let stride = |axis: usize| usize::try_from(strides[axis]).expect("strides of views are positive");
    let data = &x.storage::<E>()[x.layout().start_offset()..];
    MatRef { data, rows, cols, row_stride: stride(0), col_stride: stride(1) }
}

/// Sums of the columns of `rows`: partial sums over parts of the rows, which are then added in order, so that the
/// result does not depend on the threads.
pub(super) fn column_sums(rows: &[f32], width: usize) -> Vec<f32> {
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
