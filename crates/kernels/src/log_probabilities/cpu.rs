//! Log-probabilities and entropies from logits that are computed a few rows at a time.
//!
//! With p the softmax of a row and H its entropy, the gradient of the logits is `g·(onehot − p) −
//! g_H·p·(log p + H)`, divided by the temperature. The backward pass recomputes the logits: keeping them would take
//! more memory than everything else of a step.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::head::cpu::{LogitChunk, LogitRows, Multiply, row_count};
use crate::host::{contiguous, tensor, values};
use crate::op::{Forward, Kernel, Tracked};
use crate::simd::{exp_lane, row_dot, row_max, row_sum, vectorize};

/// Log-probabilities followed by entropies, `[2, N]`, of `[hidden, head]`, or of `[hidden]` if the head is stored.
#[derive(Debug)]
pub(super) struct LogProbabilitiesKernel {
    pub ids: Vec<u32>,
    pub inverse_temperature: f32,
    pub how: Multiply,
}

impl Kernel for LogProbabilitiesKernel {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let hidden = contiguous(inputs.remove(0));
        let head = inputs.pop();
        let work = LogitRows::new(&hidden, head.as_ref(), &self.how, [false; 2]);
        let all: Vec<usize> = (0..row_count(&hidden)).collect();
        let (mut results, mut chunk) = (Vec::with_capacity(all.len()), LogitChunk::default());
        for rows in all.chunks(work.at_a_time()) {
            work.logits(rows, &mut chunk);
            let of_rows = chunk.logits.par_chunks_exact_mut(work.vocabulary()).zip(rows);
            results.par_extend(of_rows.map(|(logits, &row)| {
                let softmax = self.softmax(logits);
                (softmax.logprob(self.ids[row]), softmax.entropy)
            }));
        }
        let both: Vec<f32> = results.iter().map(|row| row.0).chain(results.iter().map(|row| row.1)).collect();
        let output = tensor(both, [2, all.len()]);
        Forward { output, saved: if tracked.any() { std::iter::once(hidden).chain(head).collect() } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let gradient = contiguous(gradient);
        let (of_chosen, of_entropy) = values(&gradient).split_at(self.ids.len());
        let wanted_of_head = wanted.get(1) == Some(&true);
        let mut work = LogitRows::new(&saved[0], saved.get(1), &self.how, [wanted[0], wanted_of_head]);
        let mut chunk = LogitChunk::default();
        // Padding has no gradient, so it needs no logits.
        let all: Vec<usize> =
            (0..self.ids.len()).filter(|&row| of_chosen[row] != 0.0 || of_entropy[row] != 0.0).collect();
        for rows in all.chunks(work.at_a_time()) {
            work.logits(rows, &mut chunk);
            chunk.logits.par_chunks_exact_mut(work.vocabulary()).zip(rows).for_each(|(logits, &row)| {
                self.softmax(logits).into_gradient(self.ids[row], of_chosen[row], of_entropy[row]);
            });
            work.add_gradients(rows, &chunk);
        }
        work.into_gradients().into_iter().take(wanted.len()).collect()
    }
}

/// A row's softmax.
struct RowSoftmax<'a> {
    /// `(logit − largest) / temperature`
    scores: &'a mut [f32],
    /// log Σ exp score
    log_sum: f32,
    entropy: f32,
    inverse_temperature: f32,
}

impl LogProbabilitiesKernel {
    fn softmax<'a>(&self, logits: &'a mut [f32]) -> RowSoftmax<'a> {
        let inverse_temperature = self.inverse_temperature;
        let (log_sum, entropy) = vectorize(
            #[inline(always)]
            || {
                let max = row_max(logits);
                for logit in logits.iter_mut() {
                    *logit = (*logit - max) * inverse_temperature;
                }
                let (sum, weighted) = sums(logits);
                let log_sum = sum.ln();
                (log_sum, log_sum - weighted / sum)
            },
        );
        RowSoftmax { scores: logits, log_sum, entropy, inverse_temperature }
    }
}

impl RowSoftmax<'_> {
    fn logprob(&self, id: u32) -> f32 {
        self.scores[id as usize] - self.log_sum
    }

    /// Replaces the logits by their gradient, given the gradients of the log-probability of `id` and of the entropy.
    fn into_gradient(self, id: u32, of_chosen: f32, of_entropy: f32) {
        let Self { scores, log_sum, entropy, inverse_temperature } = self;
        vectorize(
            #[inline(always)]
            || {
                for score in scores.iter_mut() {
                    let logprob = *score - log_sum;
                    let factor = of_entropy.mul_add(logprob + entropy, of_chosen) * inverse_temperature;
                    *score = -exp_lane(logprob) * factor;
                }
            },
        );
        scores[id as usize] += of_chosen * inverse_temperature;
    }
}

/// `Σ eˣ` and `Σ x·eˣ`, in pieces that stay in the L1 cache.
#[inline(always)]
fn sums(scores: &[f32]) -> (f32, f32) {
    const PIECE: usize = 256;
    let mut powers = [0.0f32; PIECE];
    let (mut sum, mut weighted) = (0.0, 0.0);
    for piece in scores.chunks(PIECE) {
        let powers = &mut powers[..piece.len()];
        for (power, score) in powers.iter_mut().zip(piece) {
            *power = exp_lane(*score);
        }
        sum += row_sum(powers);
        weighted += row_dot(powers, piece);
    }
    (sum, weighted)
}
