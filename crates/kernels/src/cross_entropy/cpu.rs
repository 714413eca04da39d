//! Head and cross-entropy, a few rows at a time: logits, losses, and the gradients of hidden states and head.
//!
//! With p the softmax of a row and w its weight, the gradient of the logits is `w·(p − onehot(target))`. The loss is
//! one number, so the forward pass already knows the gradients up to one factor: the gradient of the loss itself.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::Targets;
use crate::head::cpu::{LogitChunk, LogitRows, Multiply, row_count};
use crate::host::{CHUNK, contiguous, tensor, values};
use crate::op::{Forward, Kernel, Tracked};
use crate::simd::{exp_lane, row_max, row_sum, vectorize};

/// The loss of `[hidden, head]`, or of `[hidden]` where the head is stored.
#[derive(Debug)]
pub(super) struct CrossEntropy {
    pub targets: Targets,
    pub how: Multiply,
}

impl Kernel for CrossEntropy {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let hidden = contiguous(inputs.remove(0));
        let head = inputs.pop();
        let wanted = [0, 1].map(|input| tracked.input(input));
        let mut work = LogitRows::new(&hidden, head.as_ref(), &self.how, wanted);
        let counted: Vec<usize> = (0..row_count(&hidden)).filter(|&row| self.targets.weights[row] != 0.0).collect();
        let (mut loss, mut chunk) = (0.0, LogitChunk::default());
        for rows in counted.chunks(work.at_a_time()) {
            work.logits(rows, &mut chunk);
            let losses: Vec<f64> = chunk
                .logits
                .par_chunks_exact_mut(work.vocabulary())
                .zip(rows)
                .map(|(logits, &row)| f64::from(self.row(logits, row, tracked.any())))
                .collect();
            loss += losses.iter().sum::<f64>();
            if tracked.any() {
                work.add_gradients(rows, &chunk);
            }
        }
        let saved = work.into_gradients().into_iter().flatten().collect();
        Forward { output: tensor(vec![loss as f32], [1]), saved }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let factor = values(&contiguous(gradient))[0];
        let scaled = |mut gradient: FlexTensor| {
            #[expect(clippy::float_cmp, reason = "exactly 1 is the common case, and changes nothing")]
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
        wanted.iter().map(|&wanted| if wanted { saved.next() } else { None }).collect()
    }
}

impl CrossEntropy {
    /// The weighted loss of a row of logits. If `tracked`, the logits are replaced by their gradients.
    fn row(&self, logits: &mut [f32], row: usize, tracked: bool) -> f32 {
        let (target, weight) = (self.targets.ids[row] as usize, self.targets.weights[row]);
        let target_logit = logits[target];
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
                    let factor = weight / sum;
                    for p in logits.iter_mut() {
                        *p *= factor;
                    }
                    logits[target] -= weight;
                }
                weight * (log_z - target_logit)
            },
        )
    }
}
