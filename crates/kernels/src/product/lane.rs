//! Lanes of 32 bits of an operand: one f32, or a pair of consecutive bf16 numbers along k; and what computes with them.

use std::arch::x86_64::{__m512, __m512i};

use super::Start;
use super::number::Number;
use super::vectors::{LANES, Vectors};

/// Columns of a packed panel of B, and of the largest tile of C.
pub(super) const PANEL: usize = 64;

/// Position of a tile of C, and the operation on it.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub c: *mut f32,
    pub row_stride: usize,
    pub rows: usize,
    pub cols: usize,
    pub start: Start,
}

/// A vector register of lanes.
pub(super) type Register = __m512i;

/// A kind of lane, and how blocks of C are computed from packed ones. Its functions need a CPU with AVX-512 F, BW and
/// BF16.
pub(super) trait Lane: Copy {
    /// Number of elements along k in a lane.
    const DEPTH: usize;
    /// Packed operands have a multiple of this number of lanes along k.
    const STEP_UNIT: usize = 1;
    /// Largest number of rows of C that are computed at once.
    const TILE_ROWS: usize;
    /// Number of lanes along k over which sums stay in registers. By default, a panel of B of this length takes 96 KiB
    /// and stays in L2 while all rows of A are multiplied with it; parts that fit L1 would read and write C more often,
    /// and were a tenth slower.
    const PART: usize = 384;

    /// Number of lanes from one packed row to the next: at least `steps`, and whole vectors.
    fn row_stride(steps: usize) -> usize {
        steps.next_multiple_of(LANES)
    }

    /// The rows of an operand in place as rows of lanes, and the number of lanes from one row to the next; `None` if
    /// they must be packed.
    fn in_place(rows: &Vectors) -> Option<(*const u32, usize)>;

    /// 16 lanes of one vector, from `step` on; this is fast if the vector's elements are contiguous. Lanes after the
    /// vector's end are 0.
    ///
    /// # Safety
    /// The vector and the step exist.
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> __m512i;

    /// The lanes of one step of 16 vectors from `first` on, which are contiguous across vectors (`stride` is 1). Lanes
    /// after the last vector, and of steps after the vectors' end, are 0.
    ///
    /// # Safety
    /// The first vector exists.
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> __m512i;

    /// Prepares the thread for [`multiply`](Self::multiply).
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn begin() {}

    /// Computes the target's rows (at most [`TILE_ROWS`](Self::TILE_ROWS)) and columns (at most 64) of C.
    ///
    /// # Safety
    /// The thread is prepared. `a` has [`TILE_ROWS`](Self::TILE_ROWS) rows of `steps` lanes, `a_stride` apart, of which
    /// the target's have values; `b` is a panel of `steps` steps and the target's columns, rounded up to whole vectors;
    /// C has the target's rows and columns, and so has what it starts from.
    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: Target);

    /// Undoes [`begin`](Self::begin).
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn end() {}
}

/// A lane of vector registers.
pub(super) trait VectorLane: Lane {
    /// `acc + a·b` in every lane.
    unsafe fn multiply_add(acc: __m512, a: __m512i, b: __m512i) -> __m512;
}
