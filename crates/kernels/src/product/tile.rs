//! The micro-kernel: computes one tile of C, which stays in registers over the whole depth.

use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};

use super::Start;
use super::lane::{PANEL, Target, VectorLane};
use super::registers::{LANES, Sixteen};

/// Rows of the largest tile.
pub(super) const TILE_ROWS: usize = 6;
/// Most vectors of 16 in a row of a tile, for any registers.
const MOST_VECTORS: usize = 4;
const _: () = assert!(MOST_VECTORS * LANES == PANEL);

/// One tile of M rows and V vectors of 16.
///
/// # Safety
/// `a` has M rows of `steps` lanes, `a_stride` apart; `b` has `steps · V · 16` lanes; C has the target's M rows and
/// columns, more than (V − 1) · 16 of them, and so has what it starts from. The CPU has the instructions.
unsafe fn tile<L: VectorLane, const M: usize, const V: usize>(
    steps: usize,
    a: *const u32,
    a_stride: usize,
    b: *const u32,
    target: &Target,
) {
    // SAFETY: the caller's promise.
    unsafe {
        L::run(
            #[inline(always)]
            move || sums::<L, M, V>(steps, a, a_stride, b, target),
        );
    }
}

/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn sums<L: VectorLane, const M: usize, const V: usize>(
    steps: usize,
    a: *const u32,
    a_stride: usize,
    b: *const u32,
    target: &Target,
) {
    // Prefetch C: it is needed only at the end, and may not be in the cache.
    for i in 0..M {
        for v in 0..V {
            let c = target.c.wrapping_add(i * target.row_stride + v * LANES);
            // SAFETY: a prefetch reads nothing, and every CPU of this architecture has it.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(c.cast()) };
        }
    }
    // SAFETY: the caller's promise on a and b.
    let acc = unsafe {
        let mut acc = [[L::Registers::splat(0); V]; M];
        for step in 0..steps {
            let mut columns = [L::Registers::splat(0); V];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = L::Registers::load(b.add(step * V * LANES + v * LANES));
            }
            for (i, row) in acc.iter_mut().enumerate() {
                let lane = L::Registers::splat(a.add(i * a_stride + step).read());
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = L::add_product(*sum, lane, column);
                }
            }
        }
        acc
    };
    let last = target.cols - (V - 1) * LANES;
    for (i, row) in acc.iter().enumerate() {
        for (v, &sum) in row.iter().enumerate() {
            let columns = if v + 1 < V { LANES } else { last };
            // SAFETY: the caller's promise on C and its start; what lies beyond the last column is left alone.
            unsafe {
                let c = target.c.add(i * target.row_stride + v * LANES).cast::<u32>();
                let sum = match target.start {
                    Start::Zero => sum,
                    Start::Held => L::Registers::load_first(c, columns).add(sum),
                    Start::Row(row) => L::Registers::load_first(row.add(v * LANES).cast(), columns).add(sum),
                };
                sum.store_first(c, columns);
            }
        }
    }
}

/// The tile of `target.rows` × `target.cols` (at least 1 × 1, at most 6 rows and a panel), through the smallest kernel
/// that holds it.
///
/// # Safety
/// `a` has `target.rows` rows of `steps` lanes, `a_stride` apart; `b` is a panel of `steps` steps and `target.cols`
/// columns, rounded up to whole vectors; C has the target's rows and columns, and so has what it starts from. The CPU
/// has the instructions.
pub(super) unsafe fn multiply<L: VectorLane>(
    steps: usize,
    a: *const u32,
    a_stride: usize,
    b: *const u32,
    target: &Target,
) {
    macro_rules! kernels {
        ($($rows:literal),*) => {
            match (target.rows, target.cols.div_ceil(LANES)) {
                $(
                    ($rows, 1) => tile::<L, $rows, 1>(steps, a, a_stride, b, target),
                    ($rows, 2) if L::PANEL > LANES => tile::<L, $rows, 2>(steps, a, a_stride, b, target),
                    ($rows, 3) if L::PANEL > 2 * LANES => tile::<L, $rows, 3>(steps, a, a_stride, b, target),
                    ($rows, 4) if L::PANEL > 3 * LANES => tile::<L, $rows, 4>(steps, a, a_stride, b, target),
                )*
                (rows, vectors) => unreachable!("a tile has 1 to 6 rows and fits a panel: {rows}, {vectors} vectors"),
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe { kernels!(1, 2, 3, 4, 5, 6) }
}
