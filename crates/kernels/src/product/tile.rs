//! The micro-kernel: computes one tile of C, which stays in registers over the whole depth.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;

use super::Start;
use super::lane::{PANEL, Target, VectorLane};
use super::vectors::LANES;

/// Rows of the largest tile.
pub(super) const TILE_ROWS: usize = 6;
/// Number of vectors in a row of the largest tile. 6 × 4 sums, 4 vectors of B and one of A use 29 of 32 registers, and
/// a step needs 10 loads for 24 multiplications, so that loads limit no CPU. A tile of 12 × 2 would need 14 loads,
/// which limits a CPU that does two multiplications per load.
pub(super) const TILE_VECTORS: usize = 4;
const _: () = assert!(TILE_VECTORS * LANES == PANEL);

/// One tile of M rows and V vectors.
///
/// # Safety
/// `a` has M rows of `steps` lanes, `a_stride` apart; `b` has `steps · V · 16` lanes; C has the target's M rows and
/// columns, more than (V − 1) · 16 of them, and so has what it starts from.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn tile<L: VectorLane, const M: usize, const V: usize>(
    steps: usize,
    a: *const u32,
    a_stride: usize,
    b: *const u32,
    target: Target,
) {
    // Prefetch C: it is needed only at the end, and may not be in the cache.
    for i in 0..M {
        for v in 0..V {
            _mm_prefetch::<_MM_HINT_ET0>(target.c.wrapping_add(i * target.row_stride + v * LANES).cast());
        }
    }
    let mut acc = [[_mm512_setzero_ps(); V]; M];
    // SAFETY: the caller's promise on a and b.
    unsafe {
        for step in 0..steps {
            let mut columns = [_mm512_setzero_si512(); V];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = _mm512_loadu_si512(b.add(step * V * LANES + v * LANES).cast());
            }
            for (i, row) in acc.iter_mut().enumerate() {
                let lane = _mm512_set1_epi32(a.add(i * a_stride + step).read().cast_signed());
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = L::multiply_add(*sum, lane, column);
                }
            }
        }
    }
    let last = u16::MAX >> (V * LANES - target.cols);
    for (i, row) in acc.iter().enumerate() {
        for (v, &sum) in row.iter().enumerate() {
            let columns = if v + 1 < V { u16::MAX } else { last };
            // SAFETY: the caller's promise on C and its start; the mask leaves what lies beyond the last column alone.
            unsafe {
                let c = target.c.add(i * target.row_stride + v * LANES);
                let sum = match target.start {
                    Start::Zero => sum,
                    Start::Held => _mm512_add_ps(_mm512_maskz_loadu_ps(columns, c), sum),
                    Start::Row(row) => _mm512_add_ps(_mm512_maskz_loadu_ps(columns, row.add(v * LANES)), sum),
                };
                _mm512_mask_storeu_ps(c, columns, sum);
            }
        }
    }
}

/// The tile of `target.rows` × `target.cols` (1..=6 × 1..=64), through the smallest kernel that holds it.
///
/// # Safety
/// `a` has `target.rows` rows of `steps` lanes, `a_stride` apart; `b` is a panel of `steps` steps and `target.cols`
/// columns, rounded up to whole vectors; C has the target's rows and columns, and so has what it starts from. The CPU
/// has AVX-512 F, BW and BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn multiply<L: VectorLane>(
    steps: usize,
    a: *const u32,
    a_stride: usize,
    b: *const u32,
    target: Target,
) {
    macro_rules! kernels {
        ($($rows:literal),*) => {
            match (target.rows, target.cols.div_ceil(LANES)) {
                $(
                    ($rows, 1) => tile::<L, $rows, 1>(steps, a, a_stride, b, target),
                    ($rows, 2) => tile::<L, $rows, 2>(steps, a, a_stride, b, target),
                    ($rows, 3) => tile::<L, $rows, 3>(steps, a, a_stride, b, target),
                    ($rows, 4) => tile::<L, $rows, 4>(steps, a, a_stride, b, target),
                )*
                (rows, vectors) => unreachable!("a tile has 1 to 6 rows and 1 to 4 vectors, not {rows} and {vectors}"),
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe { kernels!(1, 2, 3, 4, 5, 6) }
}
