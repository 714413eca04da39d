//! Lanes of 32 bits of an operand: one f32, or a pair of consecutive bf16 numbers along k; and what computes with them.

use super::Start;
use super::number::Number;
use super::registers::{LANES, Sixteen};
use super::vectors::Vectors;

/// Columns of the widest packed panel of B; the widths of others divide it.
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

/// A kind of lane, and how blocks of C are computed from packed ones. Its functions need a CPU with the instructions.
/// Those that give registers are compiled for the instructions by inlining into [`run`](Self::run).
pub(super) trait Lane: Copy {
    /// What lanes are packed with.
    type Registers: Sixteen;
    /// Number of elements along k in a lane.
    const DEPTH: usize;
    /// Packed operands have a multiple of this number of lanes along k.
    const STEP_UNIT: usize = 1;
    /// Columns of a packed panel of B, and most columns of C that are computed at once.
    const PANEL: usize = Self::Registers::TILE_VECTORS * LANES;
    /// Largest number of rows of C that are computed at once.
    const TILE_ROWS: usize;
    /// Number of lanes along k over which sums stay in registers; by default the same for all widths of registers, so
    /// that they give the same bits. With AVX-512 a panel of B of this length takes 96 KiB and stays in L2 while all
    /// rows of A are multiplied with it; parts that fit L1 would read and write C more often, and were a tenth slower.
    /// With AVX2 it takes 24 KiB and stays in L1.
    const PART: usize = 384;

    /// Compiles a closure for the instructions, and runs it, as [`Sixteen::run`] does.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn run<T>(work: impl FnMut() -> T) -> T {
        // SAFETY: the caller's promise.
        unsafe { Self::Registers::run(work) }
    }

    /// Number of lanes from one packed row to the next: at least `steps`, and whole vectors. Rows that are a multiple
    /// of 1 KiB apart would compete for few cache sets.
    fn row_stride(steps: usize) -> usize {
        let lanes = steps.next_multiple_of(LANES);
        lanes + if lanes.is_multiple_of(256) { LANES } else { 0 }
    }

    /// The rows of an operand in place as rows of lanes, and the number of lanes from one row to the next; `None` if
    /// they must be packed.
    fn in_place<E: Number>(rows: &Vectors<E>) -> Option<(*const u32, usize)>;

    /// 16 lanes of one vector, from `step` on; this is fast if the vector's elements are contiguous. Lanes after the
    /// vector's end are 0.
    ///
    /// # Safety
    /// The vector and the step exist.
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> Self::Registers;

    /// The lanes of one step of 16 vectors from `first` on, which are contiguous across vectors (`stride` is 1). Lanes
    /// after the last vector, and of steps after the vectors' end, are 0.
    ///
    /// # Safety
    /// The first vector exists.
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> Self::Registers;

    /// Prepares the thread for [`multiply`](Self::multiply).
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn begin() {}

    /// Computes the target's rows (at most [`TILE_ROWS`](Self::TILE_ROWS)) and columns (at most
    /// [`PANEL`](Self::PANEL)) of C.
    ///
    /// # Safety
    /// The thread is prepared. `a` has [`TILE_ROWS`](Self::TILE_ROWS) rows of `steps` lanes, `a_stride` apart, of which
    /// the target's have values; `b` is a panel of `steps` steps and the target's columns, rounded up to whole vectors;
    /// C has the target's rows and columns, and so has what it starts from.
    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: &Target);

    /// Undoes [`begin`](Self::begin).
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn end() {}
}

/// A lane of vector registers.
pub(super) trait VectorLane: Lane {
    /// `sum + a·b` in every lane.
    unsafe fn add_product(sum: Self::Registers, a: Self::Registers, b: Self::Registers) -> Self::Registers;
}
