//! Some rows at a time: their logits, losses, and the gradients of all that these came from.
//!
//! With p the softmax of a row's logits and w its weight, the gradient of the logits is `w·(p·(1 + 2z·log Z) − onehot(target))`. The loss is
//! one number, so the gradients are known but for its own gradient, a factor, before the backward pass begins.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::Targets;
use crate::Precision;
use crate::host::{CHUNK, contiguous, tensor, values};
use crate::linear::matrix;
use crate::op::{Forward, Kernel, Tracked};
use crate::product::{MatRef, product};
use crate::simd::{exp_lane, row_max, row_sum, vectorize};

/// The loss of `[hidden, head]`.
#[derive(Debug)]
pub(super) struct CrossEntropy {
    pub targets: Targets,
    /// Whether the head is an embedding `[V, D]`, to be transposed.
    pub tied: bool,
    pub precision: Precision,
}

impl Kernel for CrossEntropy {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let hidden = contiguous(inputs.remove(0));
        let head = inputs.remove(0);
        let [rows, width] = crate::host::dims(&hidden)[..] else { unreachable!("hidden states are a matrix") };
        let head_shape = crate::host::dims(&head);
        let mut head_matrix = matrix(&head);
        if self.tied {
            head_matrix = head_matrix.transposed();
        }
        let counted: Vec<usize> = (0..rows).filter(|&row| self.targets.weights[row] != 0.0).collect();
        let mut work = Work {
            of: self,
            head: head_matrix,
            hidden_gradient: vec![0.0; if tracked.any() { rows * width } else { 0 }],
            head_gradient: tracked.input(1).then(|| vec![0.0; head_matrix.rows * head_matrix.cols]),
        };
        let mut loss = 0.0;
        for counted in counted.chunks(rows_at_a_time(head_matrix.cols)) {
            loss += work.rows(values(&hidden), counted, tracked.any());
        }
        let mut saved = vec![];
        if tracked.any() {
            saved.push(tensor(work.hidden_gradient, [rows, width]));
            saved.extend(work.head_gradient.map(|gradient| tensor(gradient, head_shape)));
        }
        Forward { output: tensor(vec![loss as f32], [1]), saved }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let factor = values(&contiguous(gradient))[0];
        let scaled = |mut gradient: FlexTensor| {
            #[allow(clippy::float_cmp, reason = "exactly 1 is the common case, and changes nothing")]
            if factor != 1.0 {
                gradient.storage_mut::<f32>().par_chunks_mut(CHUNK).for_each(|chunk| {
                    for x in chunk {
                        *x *= factor;
                    }
                });
            }
            gradient
        };
        let mut saved = saved.into_iter().map(scaled);
        wanted.iter().map(|&wanted| saved.next().filter(|_| wanted)).collect()
    }
}

/// The gradients so far.
struct Work<'a> {
    of: &'a CrossEntropy,
    /// `[D, V]`
    head: MatRef<'a>,
    /// `[N, D]`
    hidden_gradient: Vec<f32>,
    /// `[D, V]`, or `[V, D]` where the head is an embedding.
    head_gradient: Option<Vec<f32>>,
}

impl Work<'_> {
    /// The loss of some rows; adds their gradients.
    fn rows(&mut self, hidden: &[f32], rows: &[usize], tracked: bool) -> f64 {
        let (width, vocabulary) = (self.head.rows, self.head.cols);
        let chosen: Vec<f32> = rows.iter().flat_map(|row| &hidden[row * width..][..width]).copied().collect();
        let chosen = MatRef::row_major(&chosen, rows.len(), width);
        let precision = self.of.precision;
        let mut logits = vec![0.0; rows.len() * vocabulary];
        product(chosen, self.head, &mut logits, false, precision);

        let losses: Vec<f64> = logits
            .par_chunks_exact_mut(vocabulary)
            .zip(rows)
            .map(|(logits, &row)| f64::from(self.of.row(logits, row, tracked)))
            .collect();
        if tracked {
            // The logits have become their own gradients.
            let gradients = MatRef::row_major(&logits, rows.len(), vocabulary);
            let mut of_hidden = vec![0.0; rows.len() * width];
            product(gradients, self.head.transposed(), &mut of_hidden, false, precision);
            for (of_hidden, row) in of_hidden.chunks_exact(width).zip(rows) {
                self.hidden_gradient[row * width..][..width].copy_from_slice(of_hidden);
            }
            if let Some(of_head) = &mut self.head_gradient {
                let (a, b) = match self.of.tied {
                    true => (gradients.transposed(), chosen),
                    false => (chosen.transposed(), gradients),
                };
                product(a, b, of_head, true, precision);
            }
        }
        losses.iter().sum()
    }
}

impl CrossEntropy {
    /// The weighted loss of a row of logits, which become their gradients where these are `tracked`.
    fn row(&self, logits: &mut [f32], row: usize, tracked: bool) -> f32 {
        let (target, weight) = (self.targets.ids[row] as usize, self.targets.weights[row]);
        let target_logit = logits[target];
        let z_loss = self.targets.z_loss as f32;
        vectorize(
            #[inline(always)]
            || {
                let max = row_max(logits);
                for logit in logits.iter_mut() {
                    *logit = exp_lane(*logit - max);
                }
                let sum = row_sum(logits);
                let log_z = max + sum.ln();
                if tracked {
                    let factor = weight * (2.0 * z_loss).mul_add(log_z, 1.0) / sum;
                    for p in logits.iter_mut() {
                        *p *= factor;
                    }
                    logits[target] -= weight;
                }
                weight * (log_z - target_logit + z_loss * log_z * log_z)
            },
        )
    }
}

/// Rows whose logits are held at once: few, so that they stay in the cache, but enough for the products to be worth packing the head.
fn rows_at_a_time(vocabulary: usize) -> usize {
    ((1 << 20) / vocabulary.max(1)).max(256)
}
