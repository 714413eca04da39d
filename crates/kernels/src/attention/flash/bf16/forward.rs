//! Forward pass.

use std::f32::consts::LN_2;

use bytemuck::{cast_slice, cast_slice_mut};
use rayon::prelude::*;

use super::super::forward::TileSoftmax;
use super::super::output::SharedOutput;
use super::super::tile::{TILE, Tile};
use super::super::{KeyMask, Shape, buffers};
use super::{Operands, lanes, padded_keys, transposed};
use crate::host::written_in_chunks;
use crate::product::pairs::pack::{Rows, pair_rows, transpose};
use crate::product::pairs::{BLOCK, PairProduct, PairUnit};

/// Number of keys whose scores are in memory at once.
const KEYS: usize = 4 * BLOCK;

/// # Safety
/// The CPU has the unit; the operands have the shape.
pub(super) unsafe fn run<U: PairUnit>(
    operands: &Operands<&[u32]>,
    shape: &Shape,
    mask: &KeyMask,
) -> (Vec<f32>, Vec<f32>) {
    let Shape { batch, heads, queries, head_dim, .. } = *shape;
    let (lanes, keys) = (lanes(head_dim), padded_keys(shape));
    let v_columns = transposed_heads(operands.v, keys, lanes);
    let y = SharedOutput::new(batch * queries * heads * head_dim);
    let lse = SharedOutput::new(batch * heads * queries);
    let tiles = Tile::count(queries);
    (0..batch * heads * tiles).into_par_iter().for_each(|task| {
        let (row, head, tile) = (task / (heads * tiles), task / tiles % heads, task % tiles);
        let tile = Tile::new(shape, mask, row, tile);
        let kv_head = (row * shape.kv_heads + head / shape.group()) * keys * lanes;
        let [k, v_columns] = [operands.k, &v_columns[..]].map(|x| &x[kv_head..][..keys * lanes]);
        let q = &operands.q[((row * heads + head) * queries + tile.start) * lanes..][..tile.rows * lanes];
        buffers::with([lanes * TILE, KEYS * TILE, KEYS / 2 * TILE, 2 * lanes * TILE, 2 * lanes * TILE], |buffers| {
            let [q_columns, scores, p, columns, rows] = buffers;
            let mut work =
                QueryTileBuffers { q_columns: cast_slice_mut(q_columns), scores, p: cast_slice_mut(p), y: columns };
            // SAFETY: the caller's promise.
            let softmax = unsafe { U::prepared(|| work.attend::<U>(&tile, q, k, v_columns, lanes)) };
            // SAFETY: as above.
            unsafe {
                let columns = Rows::new(cast_slice(columns), TILE, [2 * lanes, TILE]);
                transpose(columns, 2 * lanes, cast_slice_mut(rows), 2 * lanes);
            }
            for (i, [max, sum]) in softmax.lanes().take(tile.rows).enumerate() {
                let t = tile.start + i;
                // SAFETY: each task has its own head and its own queries.
                unsafe {
                    let values = &rows[i * 2 * lanes..][..head_dim];
                    y.write(((row * queries + t) * heads + head) * head_dim, values, 1.0 / sum);
                    lse.write((row * heads + head) * queries + t, &[(max + sum.log2()) * LN_2], 1.0);
                }
            }
        });
    });
    // SAFETY: the tasks cover every query of every head.
    unsafe { (y.finish(), lse.finish()) }
}

/// The transposed values of every head, in pairs of keys. `[B, KV, padded S, lanes]` → `[B, KV, 2·lanes, padded S / 2]`
fn transposed_heads(v: &[u32], keys: usize, lanes: usize) -> Vec<u32> {
    let size = keys * lanes;
    // SAFETY: each piece is a head, all of whose lanes are written; the CPU that rounded operands has AVX512-BF16.
    unsafe {
        written_in_chunks(v.len(), size, |start, out| {
            transposed(&v[start..][..size], lanes, out);
        })
    }
}

/// Buffers of one thread for one tile.
struct QueryTileBuffers<'a> {
    /// Pairs of numbers of a query. `[lanes, TILE]`
    q_columns: &'a mut [u32],
    /// Scores, then probabilities times the sum of the softmax. `[KEYS, TILE]`
    scores: &'a mut [f32],
    /// The probabilities in pairs of keys. `[KEYS / 2, TILE]`
    p: &'a mut [u32],
    /// Weighted sums of values, not yet divided by the sum of the softmax. `[2·lanes, TILE]`
    y: &'a mut [f32],
}

impl QueryTileBuffers<'_> {
    /// # Safety
    /// The thread is prepared.
    unsafe fn attend<U: PairUnit>(
        &mut self,
        tile: &Tile,
        q: &[u32],
        k: &[u32],
        v_columns: &[u32],
        lanes: usize,
    ) -> TileSoftmax {
        let v_stride = v_columns.len() / (2 * lanes);
        let mut softmax = TileSoftmax::new();
        // SAFETY: the caller's promise.
        unsafe { transpose(Rows::new(q, lanes, [tile.rows, lanes]), TILE, self.q_columns, TILE) };
        for (first, keys) in tile.whole_blocks(KEYS) {
            let count = keys.len();
            let scores = &mut self.scores[..count * TILE];
            let p = &mut self.p[..count / 2 * TILE];
            let score_product = PairProduct {
                a: &k[keys.start * lanes..],
                a_stride: lanes,
                b: self.q_columns,
                b_stride: TILE,
                c: scores,
                c_stride: TILE,
                m: count,
                n: TILE,
                pairs: lanes,
                add: false,
            };
            // SAFETY: the caller's promise.
            unsafe { score_product.run::<U>() };
            tile.hide(&keys, scores, f32::NEG_INFINITY);
            softmax.update_all(scores);
            // SAFETY: as above.
            unsafe { pair_rows(Rows::new(scores, TILE, [count, TILE]), p) };
            if !first {
                softmax.shrink_columns(self.y);
            }
            let sums = PairProduct {
                a: &v_columns[keys.start / 2..],
                a_stride: v_stride,
                b: p,
                b_stride: TILE,
                c: self.y,
                c_stride: TILE,
                m: 2 * lanes,
                n: TILE,
                pairs: count / 2,
                add: !first,
            };
            // SAFETY: as above.
            unsafe { sums.run::<U>() };
        }
        softmax
    }
}
