//! Rotation in place, head by head. Its gradient is the rotation by the opposite angles.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::Angles;
use crate::host::{contiguous, rows_a_chunk, rows_and_width};
use crate::op::{Forward, Kernel, Tracked};
use crate::simd::vectorize;

#[derive(Debug)]
pub(super) struct Rotary(pub Angles);

impl Rotary {
    /// Rotates every head by `sign` times its angles. The tensor is changed in place if it has no other owner.
    fn rotate(&self, x: FlexTensor, sign: f32) -> FlexTensor {
        let mut x = contiguous(x);
        let heads = x.layout().shape()[2];
        let (_, width) = rows_and_width(&x);
        let token = heads * width;
        let tokens_a_chunk = rows_a_chunk(token);
        x.storage_mut::<f32>().par_chunks_mut(tokens_a_chunk * token).enumerate().for_each(|(chunk, tokens)| {
            vectorize(
                #[inline(always)]
                || {
                    for (index, token) in tokens.chunks_exact_mut(token).enumerate() {
                        let (cos, sin) = self.0.of_token(chunk * tokens_a_chunk + index);
                        for head in token.chunks_exact_mut(width) {
                            rotate_head(head, cos, sin, sign);
                        }
                    }
                },
            );
        });
        x
    }
}

/// Rotates the planes of a head by `sign` times their angles.
#[inline(always)]
pub(crate) fn rotate_head(head: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
    let (first, second) = head.split_at_mut(cos.len());
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        let sin = sin * sign;
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

impl Kernel for Rotary {
    fn forward(&self, mut inputs: Vec<FlexTensor>, _tracked: Tracked) -> Forward {
        Forward { output: self.rotate(inputs.remove(0), 1.0), saved: vec![] }
    }

    fn backward(&self, _saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        vec![Some(self.rotate(gradient, -1.0))]
    }
}
