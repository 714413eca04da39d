//! Backward pass of flash attention.

use std::f32::consts::{LN_2, LOG2_E};
use std::ops::Range;

use rayon::prelude::*;

use super::output::SharedOutput;
use super::product::{Left, Product};
use super::tile::{PerLane, TILE, Tile, VECTORS, vectors};
use super::{HeadRows, Heads, KeyMask, Shape, buffers, padded};
use crate::product::Number;
use crate::simd::{LANES, exp2_lane, mapped_dot, vectorize};

/// Number of keys whose probabilities are in memory at once.
const BLOCK: usize = 64;

/// Gradients of a loss with respect to the operands of attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// `[B, T, H, K]`
    pub q: Vec<f32>,
    /// `[B, S, KV, K]`
    pub k: Vec<f32>,
    /// `[B, S, KV, K]`
    pub v: Vec<f32>,
}

/// Inputs and results of [`super::forward()`].
#[derive(Clone, Copy)]
pub struct ForwardPass<'a> {
    /// `[B, H, T, K]`
    pub q: Heads<'a>,
    /// `[B, KV, S, K]`
    pub k: Heads<'a>,
    /// `[B, KV, S, K]`
    pub v: Heads<'a>,
    /// `[B, T, H, K]`, contiguous.
    pub y: &'a [f32],
    /// Log-sum-exp. `[B, H, T]`
    pub lse: &'a [f32],
    /// The sizes.
    pub shape: &'a Shape,
    /// Mask of the keys that each query sees.
    pub mask: &'a KeyMask<'a>,
    /// Factor of the scores.
    pub scale: f32,
}

/// Gradients of the operands, given `dy`, the gradient of the result. The probabilities are recomputed from the
/// log-sum-exp, `P = exp(scale·q·kᵀ - lse)`, and with `dP = dy·vᵀ` and `dS = P·(dP - Σ dy·y)`
///
/// ```text
/// dv = Pᵀ·dy    dk = scale·dSᵀ·q    dq = scale·dS·k
/// ```
///
/// One thread computes all sums of a key head, in the order of the query heads and of the queries: the result does not
/// depend on the number of threads.
///
/// # Shapes
/// dy `[B, H, T, K]`
///
/// # Panics
/// If the sizes contradict each other.
pub fn backward(pass: &ForwardPass, dy: Heads) -> Gradients {
    let ForwardPass { q, k, v, shape, .. } = *pass;
    shape.check(q, k, v, pass.mask);
    dy.check("the gradient", shape.query_dims());
    assert_eq!(pass.y.len(), shape.query_dims().iter().product::<usize>(), "the result has the query's size");
    assert_eq!(pass.lse.len(), shape.batch * shape.heads * shape.queries, "one log-sum-exp a query");
    if shape.head_dim != padded(shape.head_dim) {
        let copy = k.padded(shape.key_dims());
        return run(&ForwardPass { k: Heads::of_padded(&copy, shape.key_dims()), ..*pass }, dy);
    }
    run(pass, dy)
}

#[expect(unsafe_code, reason = "threads write disjoint parts of one result")]
fn run(pass: &ForwardPass, dy: Heads) -> Gradients {
    let Shape { batch, kv_heads, keys, head_dim, .. } = *pass.shape;
    let dq = SharedOutput::new(pass.y.len());
    let [dk, dv] = [(); 2].map(|()| SharedOutput::new(batch * keys * kv_heads * head_dim));
    let width = padded(head_dim);
    let (tile, scores, all) = (TILE * width, BLOCK * TILE, keys * width);
    let sizes = [tile, tile, tile, tile, tile, scores, scores, all, all];
    (0..batch * kv_heads).into_par_iter().for_each(|task| {
        buffers::with(sizes, |[q, q_columns, dy_rows, dy_columns, dq_rows, p, ds, dk_rows, dv_rows]| {
            let work = Work { q, q_columns, dy: dy_rows, dy_columns, dq: dq_rows, p, ds, dk: dk_rows, dv: dv_rows };
            work.key_head(pass, dy, [task / kv_heads, task % kv_heads], [&dq, &dk, &dv]);
        });
    });
    // SAFETY: the tasks cover every key of every key head, and every query of every head that shares one.
    unsafe { Gradients { q: dq.finish(), k: dk.finish(), v: dv.finish() } }
}

/// Buffers of one thread for one key head.
struct Work<'a> {
    /// The tile's queries times scale and log₂ e, so that exponentials become powers of two. `[TILE, padded K]`
    q: &'a mut [f32],
    /// `[padded K, TILE]`
    q_columns: &'a mut [f32],
    /// `[TILE, padded K]`
    dy: &'a mut [f32],
    /// `[padded K, TILE]`
    dy_columns: &'a mut [f32],
    /// Before multiplication by the scale. `[TILE, padded K]`
    dq: &'a mut [f32],
    /// Probabilities. `[BLOCK, TILE]`
    p: &'a mut [f32],
    /// Gradients of the scores. `[BLOCK, TILE]`
    ds: &'a mut [f32],
    /// Before multiplication by ln 2. `[S, padded K]`
    dk: &'a mut [f32],
    /// `[S, padded K]`
    dv: &'a mut [f32],
}

/// Per-query values that the gradients of the scores need.
pub(crate) struct Lanes {
    /// Log-sum-exp to the base two.
    lse: PerLane,
    /// `Σ dy·y`
    delta: PerLane,
}

impl Work<'_> {
    /// The gradients of one key head and of the query heads that share it.
    #[expect(unsafe_code, reason = "threads write disjoint parts of one result")]
    fn key_head(mut self, pass: &ForwardPass, dy: Heads, [row, kv_head]: [usize; 2], [dq, dk, dv]: [&SharedOutput; 3]) {
        let Shape { heads, kv_heads, queries, keys, head_dim, .. } = *pass.shape;
        let width = padded(head_dim);
        self.dk.fill(0.0);
        self.dv.fill(0.0);
        let group = pass.shape.group();
        for head in kv_head * group..(kv_head + 1) * group {
            for index in 0..Tile::count(queries) {
                let tile = Tile::new(pass.shape, pass.mask, row, index);
                self.tile(pass, dy, [row, head, kv_head], &tile);
                for (i, values) in self.dq.chunks_exact(width).take(tile.rows).enumerate() {
                    let start = ((row * queries + tile.start + i) * heads + head) * head_dim;
                    // SAFETY: each key head has its own query heads.
                    unsafe { dq.write(start, &values[..head_dim], pass.scale) };
                }
            }
        }
        for (rows, out, scale) in [(self.dk, dk, LN_2), (self.dv, dv, 1.0)] {
            for (key, values) in rows.chunks_exact(width).enumerate() {
                let start = ((row * keys + key) * kv_heads + kv_head) * head_dim;
                // SAFETY: this is called once for each key head.
                unsafe { out.write(start, &values[..head_dim], scale) };
            }
        }
    }

    fn tile(&mut self, pass: &ForwardPass, dy: Heads, [row, head, kv_head]: [usize; 3], tile: &Tile) {
        let head_dim = pass.shape.head_dim;
        tile.pack(&pass.q, [row, head, head_dim], pass.scale * LOG2_E, self.q);
        tile.transpose(self.q, self.q_columns);
        tile.pack(&dy, [row, head, head_dim], 1.0, self.dy);
        tile.transpose(self.dy, self.dy_columns);
        let (width, dy_rows) = (padded(head_dim), &*self.dy);
        let lanes = Lanes::new(tile, pass.y, pass.lse, [row, head], pass.shape, |i| &dy_rows[i * width..][..head_dim]);
        let [k, v] = [pass.k, pass.v].map(|x| x.rows(row, kv_head, head_dim));
        for block in tile.blocks(BLOCK) {
            tile.scores(k, self.q_columns, &block, self.p);
            tile.scores(v, self.dy_columns, &block, self.ds);
            lanes.differentiate(tile, &block, self.p, self.ds);
            self.add_to_keys(tile, &block);
            self.add_to_queries(k, tile, &block);
        }
    }

    /// `dv += Pᵀ·dy` and `dk += dSᵀ·q`
    fn add_to_keys(&mut self, tile: &Tile, block: &Range<usize>) {
        let width = self.q.len() / TILE;
        for segment in tile.segments(block) {
            let scores = (segment.keys.start - block.start) * TILE + segment.lane;
            for (a, b, c) in [(&*self.p, &*self.dy, &mut *self.dv), (&*self.ds, &*self.q, &mut *self.dk)] {
                Product {
                    a: &a[scores..],
                    layout: Left::Rows(TILE),
                    b: &b[segment.lane * width..],
                    b_stride: width,
                    c: &mut c[segment.keys.start * width..],
                    c_stride: width,
                    m: segment.keys.len(),
                    n: width,
                    inner: tile.rows - segment.lane,
                    add: true,
                }
                .run();
            }
        }
    }

    /// `dq += dS·k`
    fn add_to_queries(&mut self, k: HeadRows, tile: &Tile, block: &Range<usize>) {
        let width = self.q.len() / TILE;
        for (queries, keys) in tile.steps(block) {
            Product {
                a: &self.ds[queries.start..],
                layout: Left::Columns(TILE),
                b: &k.data[keys.start * k.stride..],
                b_stride: k.stride,
                c: &mut self.dq[queries.start * width..],
                c_stride: width,
                m: queries.len(),
                n: width,
                inner: keys.len(),
                add: block.start > tile.keys.start,
            }
            .run();
        }
    }
}

impl Lanes {
    /// The values of a tile's queries, of which `dy` gives the gradients of the results. y `[B, T, H, K]`, lse
    /// `[B, H, T]`
    pub(crate) fn new<'a, E: Number + 'a>(
        tile: &Tile,
        y: &[E],
        lse: &[f32],
        [row, head]: [usize; 2],
        shape: &Shape,
        dy: impl Fn(usize) -> &'a [E],
    ) -> Self {
        let Shape { heads, queries, head_dim, .. } = *shape;
        let mut lanes = Self { lse: [[0.0; LANES]; VECTORS], delta: [[0.0; LANES]; VECTORS] };
        vectorize(
            #[inline(always)]
            || {
                for i in 0..tile.rows {
                    let t = tile.start + i;
                    lanes.lse.as_flattened_mut()[i] = lse[(row * heads + head) * queries + t] * LOG2_E;
                    let y = &y[((row * queries + t) * heads + head) * head_dim..][..head_dim];
                    lanes.delta.as_flattened_mut()[i] = mapped_dot([y, dy(i)], E::widen);
                }
            },
        );
        lanes
    }

    /// Scores and `dP` of a block → `P` and `dS`, both in place.
    fn differentiate(&self, tile: &Tile, block: &Range<usize>, p: &mut [f32], ds: &mut [f32]) {
        tile.mask(block, p, f32::NEG_INFINITY);
        let (p, ds) = (vectors(p), vectors(ds));
        vectorize(
            #[inline(always)]
            || {
                for vector in 0..tile.width / LANES {
                    let seen = tile.seen(block, vector);
                    self.differentiate_vector(vector, &mut p[..seen], &mut ds[..seen]);
                }
            },
        );
    }

    /// The same of scores of which those of hidden keys are −∞.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn differentiate_all(&self, p: &mut [f32], ds: &mut [f32]) {
        let (p, ds) = (vectors(p), vectors(ds));
        vectorize(
            #[inline(always)]
            || {
                for vector in 0..VECTORS {
                    self.differentiate_vector(vector, p, ds);
                }
            },
        );
    }

    #[inline(always)]
    fn differentiate_vector(
        &self,
        vector: usize,
        p: &mut [[[f32; LANES]; VECTORS]],
        ds: &mut [[[f32; LANES]; VECTORS]],
    ) {
        let (lse, delta) = (self.lse[vector], self.delta[vector]);
        for (p, ds) in p.iter_mut().zip(ds) {
            let (p, ds) = (&mut p[vector], &mut ds[vector]);
            for lane in 0..LANES {
                p[lane] = exp2_lane(p[lane] - lse[lane]);
                ds[lane] = p[lane] * (ds[lane] - delta[lane]);
            }
        }
    }
}
