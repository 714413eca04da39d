//! The norms row by row.
//!
//! With `x̂ = (x − μ)·r`, where `r = 1/√(mean((x−μ)²) + ε)` and μ is 0 for RMS norm, the gradients
//! of `y = x̂·gain + bias` are `dx = r·(g − mean(g) − x̂·mean(g·x̂))` with `g = dy·gain` (without
//! `mean(g)` for RMS norm), `dgain = Σ dy·x̂`, `dbias = Σ dy`. Where rows are rotated afterwards,
//! dy is first rotated back.

#![expect(unsafe_code, reason = "threads write disjoint parts of one result")]

use std::mem::MaybeUninit;
use std::sync::Mutex;

use burn_flex::FlexTensor;

use crate::host::{
    contiguous, dims, rows_a_chunk, rows_and_width, sum_in_order, tensor, two_written_in_chunks, values,
    written_in_chunks, zeros,
};
use crate::op::{Forward, Kernel, MultiOutputKernel, Tracked};
use crate::rotary::Angles;
use crate::rotary::cpu::rotate_head;
use crate::simd::{LANES, row_dot, row_sum, vectorize};

/// Layer norm of `[x, gain, bias]` if centred, RMS norm of `[x, gain]` if not.
#[derive(Debug)]
pub(super) struct NormKernel {
    pub epsilon: f32,
    pub centred: bool,
    /// Rotation of the normalised rows, the heads of `[B, T, H, K]`.
    pub rotation: Option<Angles>,
}

/// The rotation of each row of a tensor.
#[derive(Clone, Copy)]
struct Rotation<'a> {
    angles: &'a Angles,
    heads: usize,
}

impl Rotation<'_> {
    #[inline(always)]
    fn rotate(self, row: usize, head: &mut [f32], sign: f32) {
        let (cos, sin) = self.angles.of_token(row / self.heads);
        rotate_head(head, cos, sin, sign);
    }
}

impl NormKernel {
    fn rotation(&self, x: &FlexTensor) -> Option<Rotation<'_>> {
        let rotation = |angles| Rotation { angles, heads: x.layout().shape()[2] };
        self.rotation.as_ref().map(rotation)
    }

    /// μ and r of a row.
    #[inline(always)]
    fn statistics(&self, x: &[f32]) -> (f32, f32) {
        let width = x.len() as f32;
        if !self.centred {
            return (0.0, 1.0 / (row_dot(x, x) / width + self.epsilon).sqrt());
        }
        let mean = row_sum(x) / width;
        let mut lanes = [0.0f32; LANES];
        let (chunks, rest) = x.as_chunks::<LANES>();
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
        let (mut sum_g, mut sum_gx) = ([0.0f32; LANES], [0.0f32; LANES]);
        // Slices of one length need no bounds checks, so that the compiler vectorises the loops.
        let n = x.len();
        let (dy, gain, dx, dgain) = (&dy[..n], &gain[..n], &mut dx[..n], &mut dgain[..n]);
        for from in (0..n / LANES * LANES).step_by(LANES) {
            let at = from..from + LANES;
            let (x, dy, gain) = (&x[at.clone()], &dy[at.clone()], &gain[at]);
            for lane in 0..LANES {
                let g = dy[lane] * gain[lane];
                sum_g[lane] += g;
                sum_gx[lane] = g.mul_add((x[lane] - mean) * scale, sum_gx[lane]);
            }
        }
        for (lane, i) in (n / LANES * LANES..n).enumerate() {
            let g = dy[i] * gain[i];
            sum_g[lane] += g;
            sum_gx[lane] = g.mul_add((x[i] - mean) * scale, sum_gx[lane]);
        }
        let mean_g = if self.centred { row_sum(&sum_g) / width } else { 0.0 };
        let mean_gx = row_sum(&sum_gx) / width;
        for i in 0..n {
            let normal = (x[i] - mean) * scale;
            dx[i].write(scale * (dy[i].mul_add(gain[i], -mean_g) - normal * mean_gx));
            dgain[i] = dy[i].mul_add(normal, dgain[i]);
        }
        if self.centred {
            for (dbias, dy) in dbias.iter_mut().zip(dy) {
                *dbias += dy;
            }
        }
    }
}

/// A row of the sum that is normalised, where it is one.
#[inline(always)]
fn write_sum(x: &[f32], added: &[f32], sum: &mut [MaybeUninit<f32>]) {
    for ((sum, x), added) in sum.iter_mut().zip(x).zip(added) {
        sum.write(x + added);
    }
}

impl NormKernel {
    /// The norm of every row.
    fn normalized(&self, x: &FlexTensor, gain: &[f32], bias: Option<&[f32]>) -> FlexTensor {
        let (rows, width) = rows_and_width(x);
        let (numbers, rotation) = (values(x), self.rotation(x));
        // SAFETY: every row is written.
        let y = unsafe {
            written_in_chunks(rows * width, rows_a_chunk(width) * width, |start, y| {
                vectorize(
                    #[inline(always)]
                    || {
                        let x = &numbers[start..start + y.len()];
                        for (index, (x, y)) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).enumerate() {
                            self.row(x, gain, bias, y);
                            if let Some(rotation) = rotation {
                                // SAFETY: the row was written.
                                rotation.rotate(start / width + index, y.assume_init_mut(), 1.0);
                            }
                        }
                    },
                );
            })
        };
        tensor(y, dims(x))
    }

    /// `x + added` and the norm of every row of it, in one pass.
    fn added_and_normalized(
        &self,
        x: &FlexTensor,
        added: &FlexTensor,
        gain: &[f32],
        bias: Option<&[f32]>,
    ) -> [FlexTensor; 2] {
        let (rows, width) = rows_and_width(x);
        let (numbers, added) = (values(x), values(added));
        // SAFETY: every row of both is written.
        let (sums, y) = unsafe {
            two_written_in_chunks(rows * width, rows_a_chunk(width) * width, |start, sum, y| {
                let at = start..start + y.len();
                let (x, added) = (&numbers[at.clone()], &added[at]);
                vectorize(
                    #[inline(always)]
                    || {
                        let given = x.chunks_exact(width).zip(added.chunks_exact(width));
                        let results = sum.chunks_exact_mut(width).zip(y.chunks_exact_mut(width));
                        for ((x, added), (sum, y)) in given.zip(results) {
                            write_sum(x, added, sum);
                            // SAFETY: the row was written.
                            self.row(sum.assume_init_mut(), gain, bias, y);
                        }
                    },
                );
            })
        };
        [sums, y].map(|numbers| tensor(numbers, dims(x)))
    }

    /// Gradients of x, gain and bias from that of the norm. The gradient of x is added to `dsum`, that of the sum.
    fn gradients(
        &self,
        x: &FlexTensor,
        gain: &[f32],
        dy: &[f32],
        dsum: Option<&[f32]>,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (_, width) = rows_and_width(x);
        let (numbers, chunk, rotation) = (values(x), rows_a_chunk(width) * width, self.rotation(x));
        let parts = Mutex::new(vec![(vec![], vec![]); numbers.len().div_ceil(chunk)]);
        // SAFETY: every row is written.
        let dx = unsafe {
            written_in_chunks(numbers.len(), chunk, |start, dx| {
                let (mut dgain, mut dbias) = (vec![0.0; width], vec![0.0; width]);
                let at = start..start + dx.len();
                let (x, dy, dsum) = (&numbers[at.clone()], &dy[at.clone()], dsum.map(|dsum| &dsum[at]));
                vectorize(
                    #[inline(always)]
                    || {
                        let mut rotated_back = vec![0.0; if rotation.is_some() { width } else { 0 }];
                        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
                        for (index, ((x, mut dy), dx)) in rows.zip(dx.chunks_exact_mut(width)).enumerate() {
                            if let Some(rotation) = rotation {
                                rotated_back.copy_from_slice(dy);
                                rotation.rotate(start / width + index, &mut rotated_back, -1.0);
                                dy = &rotated_back;
                            }
                            self.row_backward(x, gain, dy, dx, &mut dgain, &mut dbias);
                            if let Some(dsum) = dsum {
                                // SAFETY: the row was written.
                                let dx = dx.assume_init_mut();
                                dx.iter_mut().zip(&dsum[index * width..]).for_each(|(dx, dsum)| *dx += dsum);
                            }
                        }
                    },
                );
                parts.lock().expect("no thread panics with the lock")[start / chunk] = (dgain, dbias);
            })
        };
        let (dgain, dbias): (Vec<_>, Vec<_>) = parts.into_inner().expect("no thread panicked").into_iter().unzip();
        let vector = |parts| tensor(sum_in_order(parts, width), [width]);
        (tensor(dx, dims(x)), vector(dgain), vector(dbias))
    }
}

impl Kernel for NormKernel {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let mut inputs: Vec<FlexTensor> = inputs.into_iter().map(contiguous).collect();
        let output = self.normalized(&inputs[0], values(&inputs[1]), inputs.get(2).map(values));
        inputs.truncate(2);
        Forward { output, saved: if tracked.any() { inputs } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let gradient = contiguous(gradient);
        let (dx, dgain, dbias) = self.gradients(&saved[0], values(&saved[1]), values(&gradient), None);
        [dx, dgain, dbias].into_iter().map(Some).take(wanted.len()).collect()
    }
}

/// `[x + added, norm(x + added)]` of `[x, added, gain]` or `[x, added, gain, bias]`, or `[x, norm(x)]` without `added`.
#[derive(Debug)]
pub(super) struct AddNorm {
    pub norm: NormKernel,
    pub adds: bool,
}

impl MultiOutputKernel for AddNorm {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> (Vec<FlexTensor>, Vec<FlexTensor>) {
        let mut inputs: Vec<FlexTensor> = inputs.into_iter().map(contiguous).collect();
        let x = inputs.remove(0);
        let added = self.adds.then(|| inputs.remove(0));
        let (gain, bias) = (values(&inputs[0]), inputs.get(1).map(values));
        let [sum, y] = if let Some(added) = &added {
            self.norm.added_and_normalized(&x, added, gain, bias)
        } else {
            let y = self.norm.normalized(&x, gain, bias);
            [x, y]
        };
        let saved = if tracked.any() { vec![sum.clone(), inputs.remove(0)] } else { vec![] };
        (vec![sum, y], saved)
    }

    fn backward(
        &self,
        saved: Vec<FlexTensor>,
        mut gradients: Vec<Option<FlexTensor>>,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [dsum, dy] = [0, 1].map(|index| gradients[index].take().map(contiguous));
        let parameters = if self.adds { 2 } else { 1 };
        let mut found = vec![None; wanted.len()];
        if let Some(dy) = dy {
            let (dx, dgain, dbias) =
                self.norm.gradients(&saved[0], values(&saved[1]), values(&dy), dsum.as_ref().map(values));
            found[..parameters].fill(Some(dx));
            for (found, gradient) in found[parameters..].iter_mut().zip([dgain, dbias]) {
                *found = Some(gradient);
            }
        } else {
            found[..parameters].fill(dsum);
            found[parameters..].fill(Some(zeros(dims(&saved[1]))));
        }
        found
    }
}
