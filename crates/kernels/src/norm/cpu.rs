//! The norms row by row.
//!
//! With `x̂ = (x − μ)·r`, where `r = 1/√(mean((x−μ)²) + ε)` and μ is 0 for RMS norm, the gradients of `y = x̂·gain + bias` are
//! `dx = r·(g − mean(g) − x̂·mean(g·x̂))` with `g = dy·gain` (without `mean(g)` for RMS norm), `dgain = Σ dy·x̂`, `dbias = Σ dy`.

use std::mem::MaybeUninit;

use burn_flex::FlexTensor;

use crate::host::{contiguous, dims, rows_a_chunk, rows_and_width, sum_in_order, tensor, values, written_in_chunks};
use crate::op::{Forward, Kernel, Tracked};
use crate::simd::{row_dot, row_sum, vectorize};

/// Layer norm of `[x, gain, bias]` where it is centred, RMS norm of `[x, gain]` where it is not.
#[derive(Debug)]
pub(super) struct Norm {
    pub epsilon: f32,
    pub centred: bool,
}

impl Norm {
    /// μ and r of a row.
    #[inline(always)]
    fn statistics(&self, x: &[f32]) -> (f32, f32) {
        let width = x.len() as f32;
        if !self.centred {
            return (0.0, 1.0 / (row_dot(x, x) / width + self.epsilon).sqrt());
        }
        let mean = row_sum(x) / width;
        let mut lanes = [0.0f32; 16];
        let (chunks, rest) = x.as_chunks::<16>();
        for chunk in chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane += (x - mean) * (x - mean);
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane += (x - mean) * (x - mean);
        }
        (mean, 1.0 / (row_sum(&lanes) / width + self.epsilon).sqrt())
    }

    #[inline(always)]
    fn row(&self, x: &[f32], gain: &[f32], bias: Option<&[f32]>, y: &mut [MaybeUninit<f32>]) {
        let (mean, scale) = self.statistics(x);
        match bias {
            Some(bias) => {
                for (((y, x), gain), bias) in y.iter_mut().zip(x).zip(gain).zip(bias) {
                    y.write(((x - mean) * scale).mul_add(*gain, *bias));
                }
            }
            None => {
                for ((y, x), gain) in y.iter_mut().zip(x).zip(gain) {
                    y.write(x * scale * gain);
                }
            }
        }
    }

    /// Writes dx, adds to dgain and dbias.
    #[inline(always)]
    fn row_backward(
        &self,
        x: &[f32],
        gain: &[f32],
        dy: &[f32],
        dx: &mut [MaybeUninit<f32>],
        dgain: &mut [f32],
        dbias: &mut [f32],
    ) {
        let (mean, scale) = self.statistics(x);
        let width = x.len() as f32;
        let (mut sum_g, mut sum_gx) = ([0.0f32; 16], [0.0f32; 16]);
        let mut from = 0;
        while from < x.len() {
            let lanes = (x.len() - from).min(16);
            for lane in 0..lanes {
                let i = from + lane;
                let g = dy[i] * gain[i];
                sum_g[lane] += g;
                sum_gx[lane] = g.mul_add((x[i] - mean) * scale, sum_gx[lane]);
            }
            from += 16;
        }
        let mean_g = if self.centred { row_sum(&sum_g) / width } else { 0.0 };
        let mean_gx = row_sum(&sum_gx) / width;
        for (i, dx) in dx.iter_mut().enumerate() {
            let normal = (x[i] - mean) * scale;
            dx.write(scale * (dy[i].mul_add(gain[i], -mean_g) - normal * mean_gx));
            dgain[i] = dy[i].mul_add(normal, dgain[i]);
        }
        if self.centred {
            for (dbias, dy) in dbias.iter_mut().zip(dy) {
                *dbias += dy;
            }
        }
    }
}

impl Kernel for Norm {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let mut inputs: Vec<FlexTensor> = inputs.into_iter().map(contiguous).collect();
        let (rows, width) = rows_and_width(&inputs[0]);
        let (x, gain, bias) = (values(&inputs[0]), values(&inputs[1]), inputs.get(2).map(values));
        // SAFETY: every row is written.
        let y = unsafe {
            written_in_chunks(rows * width, rows_a_chunk(width) * width, |start, y| {
                vectorize(
                    #[inline(always)]
                    || {
                        let x = &x[start..start + y.len()];
                        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
                            self.row(x, gain, bias, y);
                        }
                    },
                );
            })
        };
        let output = tensor(y, dims(&inputs[0]));
        inputs.truncate(2);
        Forward { output, saved: if tracked.any() { inputs } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let gradient = contiguous(gradient);
        let (_, width) = rows_and_width(&saved[0]);
        let (x, gain, dy) = (values(&saved[0]), values(&saved[1]), values(&gradient));
        let chunk = rows_a_chunk(width) * width;
        let parts = std::sync::Mutex::new(vec![(vec![], vec![]); x.len().div_ceil(chunk)]);
        // SAFETY: every row is written.
        let dx = unsafe {
            written_in_chunks(x.len(), chunk, |start, dx| {
                let (mut dgain, mut dbias) = (vec![0.0; width], vec![0.0; width]);
                let (x, dy) = (&x[start..start + dx.len()], &dy[start..start + dx.len()]);
                vectorize(
                    #[inline(always)]
                    || {
                        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
                        for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(width)) {
                            self.row_backward(x, gain, dy, dx, &mut dgain, &mut dbias);
                        }
                    },
                );
                parts.lock().expect("no thread panics with the lock")[start / chunk] = (dgain, dbias);
            })
        };
        let (dgain, dbias): (Vec<_>, Vec<_>) = parts.into_inner().expect("no thread panicked").into_iter().unzip();
        let vector = |parts| Some(tensor(sum_in_order(parts, width), [width]));
        let mut gradients = vec![Some(tensor(dx, dims(&saved[0]))), vector(dgain)];
        if wanted.len() > 2 {
            gradients.push(vector(dbias));
        }
        gradients
    }
}
