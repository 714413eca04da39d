//! Forward pass of a few queries, as when one token is generated at a time.

use std::f32::consts::{LN_2, LOG2_E};
use std::ops::Range;

use rayon::prelude::*;

use super::output::SharedOutput;
use super::product::{Left, Product};
use super::{HeadRows, Heads, KeyMask, Shape, buffers};
use crate::simd::{LANES, exp2_lane, row_dot, row_max, row_sum, vectorize};

/// Below this number of queries most lanes of a tile would be idle, so the lanes run along the width of a head and
/// along the keys instead.
pub(crate) const MIN_TILED_QUERIES: usize = 3;
/// Number of multiplications below which waking other threads costs more than it saves.
const SERIAL: usize = 1 << 17;

/// Same as [`super::forward()`], with the scores of one query in memory at a time.
#[expect(unsafe_code, reason = "threads write disjoint parts of one result")]
pub(crate) fn forward(q: Heads, k: Heads, v: Heads, shape: &Shape, mask: &KeyMask, scale: f32) -> (Vec<f32>, Vec<f32>) {
    let Shape { batch, heads, queries, keys, head_dim, .. } = *shape;
    let y = SharedOutput::new(batch * queries * heads * head_dim);
    let lse = SharedOutput::new(batch * heads * queries);
    let one = |task: usize| {
        let (row, head, t) = (task / (heads * queries), task / queries % heads, task % queries);
        let position = keys - queries + t;
        let seen = mask.first(row, queries, t, position)..position + 1;
        let [k, v] = [k, v].map(|x| x.rows(row, head / shape.group(), head_dim));
        let sizes = [head_dim, seen.len(), head_dim].map(|size| size.next_multiple_of(LANES));
        buffers::with(sizes, |[scaled, p, sums]| {
            let (scaled, p, sums) = (&mut scaled[..head_dim], &mut p[..seen.len()], &mut sums[..head_dim]);
            for (scaled, x) in scaled.iter_mut().zip(q.from(row, head, t)) {
                *scaled = x * scale * LOG2_E;
            }
            let [max, sum] = probabilities(scaled, k, &seen, p);
            weighted_sum(p, v, &seen, sums);
            // SAFETY: each task has its own query.
            unsafe {
                y.write(((row * queries + t) * heads + head) * head_dim, sums, 1.0 / sum);
                lse.write(task, &[(max + sum.log2()) * LN_2], 1.0);
            }
        });
    };
    let tasks = batch * heads * queries;
    if tasks * keys * head_dim < SERIAL {
        (0..tasks).for_each(one);
    } else {
        (0..tasks).into_par_iter().for_each(one);
    }
    // SAFETY: the tasks cover every query of every head.
    unsafe { (y.finish(), lse.finish()) }
}

/// Writes `2^(score - max)` to `p`; returns the largest score and the sum.
fn probabilities(q: &[f32], k: HeadRows, seen: &Range<usize>, p: &mut [f32]) -> [f32; 2] {
    vectorize(
        #[inline(always)]
        || {
            for (p, key) in p.iter_mut().zip(seen.clone()) {
                *p = row_dot(q, &k.data[key * k.stride..][..k.width]);
            }
            let max = row_max(p);
            for p in p.iter_mut() {
                *p = exp2_lane(*p - max);
            }
            [max, row_sum(p)]
        },
    )
}

/// `Σ p·v`
fn weighted_sum(p: &[f32], v: HeadRows, seen: &Range<usize>, sums: &mut [f32]) {
    let n = v.width - v.width % LANES;
    let v_seen = &v.data[seen.start * v.stride..];
    let (whole, rest) = sums.split_at_mut(n);
    Product {
        a: p,
        layout: Left::Rows(p.len()),
        b: v_seen,
        b_stride: v.stride,
        c: whole,
        c_stride: n,
        m: 1,
        n,
        inner: p.len(),
        add: false,
    }
    .run();
    if rest.is_empty() {
        return;
    }
    rest.fill(0.0);
    for (p, v) in p.iter().zip(v_seen.chunks(v.stride)) {
        for (sum, v) in rest.iter_mut().zip(&v[n..]) {
            *sum += p * v;
        }
    }
}
