//! Forward pass of flash attention.

use std::f32::consts::{LN_2, LOG2_E};
use std::ops::Range;

use rayon::prelude::*;

use super::few::{self, MIN_TILED_QUERIES};
use super::output::SharedOutput;
use super::product::{Left, Product};
use super::tile::{PerLane, TILE, Tile, VECTORS, vectors};
use super::{HeadRows, Heads, KeyMask, Shape, buffers, padded};
use crate::simd::{LANES, exp2_lane, larger, vectorize};

/// Number of keys whose scores are in memory at once.
const BLOCK: usize = 128;
/// Lower than every score, and finite: the lane of a query that has seen no key yet must not subtract infinities.
const LOWEST: f32 = -1e30;

/// `y = softmax(scale·q·kᵀ + mask)·v` for each head, and the log-sum-exp of its scores (natural logarithm).
///
/// # Shapes
/// q `[B, H, T, K]`, k and v `[B, KV, S, K]` → y `[B, T, H, K]`, log-sum-exp `[B, H, T]`, both contiguous.
///
/// # Panics
/// If the sizes contradict each other, or a query sees no key.
pub fn forward(q: Heads, k: Heads, v: Heads, shape: &Shape, mask: &KeyMask, scale: f32) -> (Vec<f32>, Vec<f32>) {
    shape.check(q, k, v, mask);
    if shape.queries < MIN_TILED_QUERIES {
        return few::forward(q, k, v, shape, mask, scale);
    }
    if shape.head_dim != padded(shape.head_dim) {
        let copy = v.padded(shape.key_dims());
        return run(q, k, Heads::of_padded(&copy, shape.key_dims()), shape, mask, scale);
    }
    run(q, k, v, shape, mask, scale)
}

#[expect(unsafe_code, reason = "threads write disjoint parts of one result")]
fn run(q: Heads, k: Heads, v: Heads, shape: &Shape, mask: &KeyMask, scale: f32) -> (Vec<f32>, Vec<f32>) {
    let Shape { batch, heads, queries, head_dim, .. } = *shape;
    let y = SharedOutput::new(batch * queries * heads * head_dim);
    let lse = SharedOutput::new(batch * heads * queries);
    let tiles = Tile::count(queries);
    (0..batch * heads * tiles).into_par_iter().for_each(|task| {
        let (row, head, tile) = (task / (heads * tiles), task / tiles % heads, task % tiles);
        let tile = Tile::new(shape, mask, row, tile);
        let sizes = [TILE * padded(head_dim), padded(head_dim) * TILE, BLOCK * TILE, TILE * padded(head_dim)];
        buffers::with(sizes, |[q_rows, q_columns, scores, sums]| {
            tile.pack(&q, [row, head, head_dim], scale * LOG2_E, q_rows);
            tile.transpose(q_rows, q_columns);
            let kv_head = head / shape.group();
            let kv = [k, v].map(|x| x.rows(row, kv_head, head_dim));
            let state = attend(&tile, q_columns, kv, scores, sums);
            for (i, [max, sum]) in state.lanes().take(tile.rows).enumerate() {
                let t = tile.start + i;
                let start = ((row * queries + t) * heads + head) * head_dim;
                let values = &sums[i * padded(head_dim)..][..head_dim];
                let log = [(max + sum.log2()) * LN_2];
                // SAFETY: each task has its own head and its own queries.
                unsafe {
                    y.write(start, values, 1.0 / sum);
                    lse.write((row * heads + head) * queries + t, &log, 1.0);
                }
            }
        });
    });
    // SAFETY: the tasks cover every query of every head.
    unsafe { (y.finish(), lse.finish()) }
}

/// Running softmax in powers of two: the largest score and the sum of `2^(score - max)`.
pub(crate) struct TileSoftmax {
    max: PerLane,
    sum: PerLane,
    /// Factor that rescales the sums of all earlier blocks.
    shrink: PerLane,
}

/// Writes to `sums` the weighted sums of values, not yet divided by the sum of the softmax. `[TILE, padded K]`
fn attend(tile: &Tile, q_columns: &[f32], [k, v]: [HeadRows; 2], scores: &mut [f32], sums: &mut [f32]) -> TileSoftmax {
    let width = sums.len() / TILE;
    let mut softmax = TileSoftmax::new();
    for block in tile.blocks(BLOCK) {
        tile.scores(k, q_columns, &block, scores);
        softmax.update(tile, &block, scores);
        let first = block.start == tile.keys.start;
        if !first {
            for (row, shrink) in sums.chunks_exact_mut(width).zip(softmax.shrink.as_flattened()) {
                for sum in row {
                    *sum *= shrink;
                }
            }
        }
        for (queries, keys) in tile.steps(&block) {
            Product {
                a: &scores[queries.start..],
                layout: Left::Columns(TILE),
                b: &v.data[keys.start * v.stride..],
                b_stride: v.stride,
                c: &mut sums[queries.start * width..],
                c_stride: width,
                m: queries.len(),
                n: width,
                inner: keys.len(),
                add: !first,
            }
            .run();
        }
    }
    softmax
}

impl TileSoftmax {
    pub(crate) fn new() -> Self {
        Self { max: [[LOWEST; LANES]; VECTORS], sum: [[0.0; LANES]; VECTORS], shrink: [[1.0; LANES]; VECTORS] }
    }

    /// The largest score of each query, and its sum.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = [f32; 2]> {
        self.max.as_flattened().iter().zip(self.sum.as_flattened()).map(|(&max, &sum)| [max, sum])
    }

    /// Updates the softmax with a block of scores and replaces them by `2^(score - max)`.
    fn update(&mut self, tile: &Tile, block: &Range<usize>, scores: &mut [f32]) {
        tile.mask(block, scores, f32::NEG_INFINITY);
        let rows = vectors(scores);
        vectorize(
            #[inline(always)]
            || {
                for vector in 0..tile.width / LANES {
                    let rows = &mut rows[..tile.seen(block, vector)];
                    self.take_in(vector, rows);
                }
            },
        );
    }

    /// Updates the softmax with scores of which those of hidden keys are −∞, and replaces them by `2^(score - max)`.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn update_all(&mut self, scores: &mut [f32]) {
        let rows = vectors(scores);
        vectorize(
            #[inline(always)]
            || {
                for vector in 0..VECTORS {
                    self.take_in(vector, rows);
                }
            },
        );
    }

    /// Rescales sums of earlier blocks, a column for each query.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn shrink_columns(&self, sums: &mut [f32]) {
        let shrink = self.shrink.as_flattened();
        vectorize(
            #[inline(always)]
            || {
                for row in sums.chunks_exact_mut(TILE) {
                    for (sum, shrink) in row.iter_mut().zip(shrink) {
                        *sum *= shrink;
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn take_in(&mut self, vector: usize, rows: &mut [[[f32; LANES]; VECTORS]]) {
        let before = self.max[vector];
        let mut max = before;
        for row in &*rows {
            for lane in 0..LANES {
                max[lane] = larger(row[vector][lane], max[lane]);
            }
        }
        let mut sum = self.sum[vector];
        for lane in 0..LANES {
            self.shrink[vector][lane] = exp2_lane(before[lane] - max[lane]);
            sum[lane] *= self.shrink[vector][lane];
        }
        for row in rows {
            for lane in 0..LANES {
                let p = exp2_lane(row[vector][lane] - max[lane]);
                row[vector][lane] = p;
                sum[lane] += p;
            }
        }
        self.max[vector] = max;
        self.sum[vector] = sum;
    }
}
