//! Backward pass.

use std::f32::consts::LN_2;
use std::mem::MaybeUninit;
use std::ops::Range;

use bytemuck::{cast_slice, cast_slice_mut};
use half::bf16;
use half::slice::HalfBitsSliceExt;
use rayon::prelude::*;

use super::super::backward::Lanes;
use super::super::output::SharedOutput;
use super::super::tile::{TILE, Tile};
use super::super::{Gradients, Heads, Shape, buffers};
use super::{RoundedPass, lanes, padded_keys, transposed};
use crate::product::pairs::pack::{Rows, pair_lanes, pair_rows, round_rows, transpose};
use crate::product::pairs::{BLOCK, PairProduct, PairUnit};

/// Number of keys whose probabilities are in memory at once.
const KEYS: usize = 2 * BLOCK;
/// Lanes of a row of probabilities, which are pairs of queries.
const QUERY_PAIRS: usize = TILE / 2;

/// # Safety
/// The CPU has the unit; operands and gradient have the shape.
pub(super) unsafe fn run<U: PairUnit>(pass: &RoundedPass, dy: Heads) -> Gradients {
    let Shape { batch, kv_heads, keys, head_dim, .. } = *pass.shape;
    let dq = SharedOutput::new(pass.y.len());
    let [dk, dv] = [(); 2].map(|()| SharedOutput::new(batch * keys * kv_heads * head_dim));
    let (lanes, keys) = (lanes(head_dim), padded_keys(pass.shape));
    let (half_tile, tile, all) = (TILE * lanes, 2 * TILE * lanes, 2 * keys * lanes);
    let (scores, rounded) = (KEYS * TILE, KEYS / 2 * TILE);
    let sizes = [
        all / 2,
        half_tile,
        half_tile,
        half_tile,
        half_tile,
        half_tile,
        scores,
        scores,
        rounded,
        rounded,
        rounded,
        tile,
        tile,
        all,
        all,
    ];
    (0..batch * kv_heads).into_par_iter().for_each(|task| {
        buffers::with(sizes, |buffers| {
            let mut work = KeyHeadBuffers::new(buffers, lanes);
            // SAFETY: the caller's promise.
            unsafe {
                U::prepared(|| work.key_head::<U>(pass, dy, [task / kv_heads, task % kv_heads], [&dq, &dk, &dv]));
            };
        });
    });
    // SAFETY: the tasks cover every key of every key head, and every query of every head that shares one.
    unsafe { Gradients { q: dq.finish(), k: dk.finish(), v: dv.finish() } }
}

/// Buffers of one thread for one key head.
struct KeyHeadBuffers<'a> {
    /// Lanes of a token.
    lanes: usize,
    /// Keys, in pairs of keys. `[2·lanes, padded S / 2]`
    k_columns: &'a mut [u32],
    /// The tile's queries.
    q: TileOperand<'a>,
    /// The gradients of its results.
    dy: TileOperand<'a>,
    /// `[TILE, lanes]`
    dy_rows: &'a mut [u32],
    /// Probabilities, and the gradients of the scores. `[KEYS, TILE]`
    p: &'a mut [f32],
    ds: &'a mut [f32],
    /// The same in pairs of queries. `[KEYS, TILE / 2]`
    p_rows: &'a mut [u32],
    ds_rows: &'a mut [u32],
    /// In pairs of keys. `[KEYS / 2, TILE]`
    ds_pairs: &'a mut [u32],
    /// Before multiplication by the scale. `[2·lanes, TILE]`
    dq_columns: &'a mut [f32],
    /// `[TILE, 2·lanes]`
    dq: &'a mut [f32],
    /// Before multiplication by ln 2. `[padded S, 2·lanes]`
    dk: &'a mut [f32],
    /// `[padded S, 2·lanes]`
    dv: &'a mut [f32],
}

impl<'a> KeyHeadBuffers<'a> {
    fn new(buffers: [&'a mut [f32]; 15], lanes: usize) -> Self {
        let [a, b, c, d, e, f, p, ds, g, h, i, dq_columns, dq, dk, dv] = buffers;
        let [k_columns, q_columns, dy_columns, q_pairs, dy_pairs, dy_rows] = [a, b, c, d, e, f].map(cast_slice_mut);
        let [p_rows, ds_rows, ds_pairs] = [g, h, i].map(cast_slice_mut);
        let q = TileOperand { columns: q_columns, pairs: q_pairs };
        let dy = TileOperand { columns: dy_columns, pairs: dy_pairs };
        Self { lanes, k_columns, q, dy, dy_rows, p, ds, p_rows, ds_rows, ds_pairs, dq_columns, dq, dk, dv }
    }

    /// The gradients of one key head and of the query heads that share it.
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn key_head<U: PairUnit>(
        &mut self,
        pass: &RoundedPass,
        dy: Heads,
        [row, kv_head]: [usize; 2],
        [dq, dk, dv]: [&SharedOutput; 3],
    ) {
        let Shape { heads, kv_heads, queries, keys, head_dim, .. } = *pass.shape;
        let (lanes, padded) = (self.lanes, padded_keys(pass.shape));
        let [k, v] = [pass.operands.k, pass.operands.v]
            .map(|x| &x[(row * kv_heads + kv_head) * padded * lanes..][..padded * lanes]);
        // SAFETY: the caller's promise; numbers that are written over may be seen as not initialised.
        unsafe { transposed(k, lanes, uninitialised(self.k_columns)) };
        self.dk.fill(0.0);
        self.dv.fill(0.0);
        let group = pass.shape.group();
        for head in kv_head * group..(kv_head + 1) * group {
            for index in 0..Tile::count(queries) {
                let tile = Tile::new(pass.shape, pass.mask, row, index);
                // SAFETY: the caller's promise.
                unsafe { self.tile::<U>(pass, dy, [row, head], [k, v], &tile) };
                for (i, values) in self.dq.chunks_exact(2 * lanes).take(tile.rows).enumerate() {
                    let start = ((row * queries + tile.start + i) * heads + head) * head_dim;
                    // SAFETY: each key head has its own query heads.
                    unsafe { dq.write(start, &values[..head_dim], pass.scale) };
                }
            }
        }
        for (rows, out, scale) in [(&*self.dk, dk, LN_2), (&*self.dv, dv, 1.0)] {
            for (key, values) in rows.chunks_exact(2 * lanes).take(keys).enumerate() {
                let start = ((row * keys + key) * kv_heads + kv_head) * head_dim;
                // SAFETY: this is called once for each key head.
                unsafe { out.write(start, &values[..head_dim], scale) };
            }
        }
    }

    /// Adds to the gradients of keys and values what a tile's queries contribute, and computes the gradients of these.
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn tile<U: PairUnit>(
        &mut self,
        pass: &RoundedPass,
        dy: Heads,
        [row, head]: [usize; 2],
        [k, v]: [&[u32]; 2],
        tile: &Tile,
    ) {
        let Shape { heads, queries, head_dim, .. } = *pass.shape;
        let lanes = self.lanes;
        let q = &pass.operands.q[((row * heads + head) * queries + tile.start) * lanes..][..tile.rows * lanes];
        let dy = Rows::new(dy.from(row, head, tile.start), dy.time_stride, [tile.rows, head_dim]);
        let dy_rows = &mut self.dy_rows[..tile.rows * lanes];
        // SAFETY: the caller's promise, and as in `key_head`.
        unsafe {
            round_rows(dy, 1.0, lanes, uninitialised(dy_rows));
            self.q.fill(Rows::new(q, lanes, [tile.rows, lanes]));
            self.dy.fill(Rows::new(dy_rows, lanes, [tile.rows, lanes]));
        }
        // Where a softmax is saturated its gradients cancel only if they are of the same rounded numbers.
        let dy: &[bf16] = cast_slice::<u32, u16>(dy_rows).reinterpret_cast();
        let softmax = Lanes::new(tile, pass.y, pass.lse, [row, head], pass.shape, |i| &dy[2 * i * lanes..][..head_dim]);
        for (first, keys) in tile.whole_blocks(KEYS) {
            // SAFETY: the caller's promise.
            unsafe {
                self.scores::<U>([k, v], &keys);
                tile.hide(&keys, self.p, f32::NEG_INFINITY);
                softmax.differentiate_all(&mut self.p[..keys.len() * TILE], &mut self.ds[..keys.len() * TILE]);
                self.round(keys.len());
                self.add_to_keys::<U>(&keys);
                self.add_to_queries::<U>(&keys, !first);
            }
        }
        // SAFETY: the caller's promise.
        unsafe {
            let columns = Rows::new(cast_slice(self.dq_columns), TILE, [2 * lanes, TILE]);
            transpose(columns, 2 * lanes, cast_slice_mut(self.dq), 2 * lanes);
        }
    }

    /// Scores, and the gradients of the probabilities.
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn scores<U: PairUnit>(&mut self, [k, v]: [&[u32]; 2], keys: &Range<usize>) {
        for (a, b, c) in [(k, &*self.q.columns, &mut *self.p), (v, &*self.dy.columns, &mut *self.ds)] {
            let product = PairProduct {
                a: &a[keys.start * self.lanes..],
                a_stride: self.lanes,
                b,
                b_stride: TILE,
                c,
                c_stride: TILE,
                m: keys.len(),
                n: TILE,
                pairs: self.lanes,
                add: false,
            };
            // SAFETY: the caller's promise.
            unsafe { product.run::<U>() };
        }
    }

    /// Rounds the probabilities and the gradients of the scores of so many keys.
    ///
    /// # Safety
    /// The CPU has AVX512-BF16.
    unsafe fn round(&mut self, keys: usize) {
        let (rows, pairs) = (keys * QUERY_PAIRS, keys / 2 * TILE);
        let [p, ds] = [&*self.p, &*self.ds].map(|x| Rows::new(x, TILE, [keys, TILE]));
        // SAFETY: the caller's promise, and as in `key_head`.
        unsafe {
            round_rows(p, 1.0, QUERY_PAIRS, uninitialised(&mut self.p_rows[..rows]));
            round_rows(ds, 1.0, QUERY_PAIRS, uninitialised(&mut self.ds_rows[..rows]));
            pair_rows(ds, &mut self.ds_pairs[..pairs]);
        }
    }

    /// `dv += Pᵀ·dy` and `dk += dSᵀ·q`
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn add_to_keys<U: PairUnit>(&mut self, keys: &Range<usize>) {
        let width = 2 * self.lanes;
        let [of_values, of_keys] =
            [(&*self.p_rows, &*self.dy.pairs, &mut *self.dv), (&*self.ds_rows, &*self.q.pairs, &mut *self.dk)];
        for (a, b, c) in [of_values, of_keys] {
            let product = PairProduct {
                a,
                a_stride: QUERY_PAIRS,
                b,
                b_stride: width,
                c: &mut c[keys.start * width..],
                c_stride: width,
                m: keys.len(),
                n: width,
                pairs: QUERY_PAIRS,
                add: true,
            };
            // SAFETY: the caller's promise.
            unsafe { product.run::<U>() };
        }
    }

    /// `dqᵀ += kᵀ·dSᵀ`
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn add_to_queries<U: PairUnit>(&mut self, keys: &Range<usize>, add: bool) {
        let product = PairProduct {
            a: &self.k_columns[keys.start / 2..],
            a_stride: self.k_columns.len() / (2 * self.lanes),
            b: self.ds_pairs,
            b_stride: TILE,
            c: self.dq_columns,
            c_stride: TILE,
            m: 2 * self.lanes,
            n: TILE,
            pairs: keys.len() / 2,
            add,
        };
        // SAFETY: the caller's promise.
        unsafe { product.run::<U>() };
    }
}

/// A tile's rows of bf16 numbers as both kinds of right operands.
struct TileOperand<'a> {
    /// A column of pairs of numbers for each query. `[lanes, TILE]`
    columns: &'a mut [u32],
    /// Pairs of queries. `[TILE / 2, 2·lanes]`
    pairs: &'a mut [u32],
}

impl TileOperand<'_> {
    /// # Safety
    /// The CPU has AVX512-BF16.
    unsafe fn fill(&mut self, rows: Rows<u32>) {
        // SAFETY: the caller's promise.
        unsafe {
            transpose(rows, TILE, self.columns, TILE);
            pair_lanes(rows, self.pairs);
        }
    }
}

/// Numbers that are about to be written over.
///
/// # Safety
/// Only numbers are written through the result.
unsafe fn uninitialised(numbers: &mut [u32]) -> &mut [MaybeUninit<u32>] {
    // SAFETY: the types have the same layout, and the caller's promise.
    unsafe { &mut *(std::ptr::from_mut(numbers) as *mut [MaybeUninit<u32>]) }
}
