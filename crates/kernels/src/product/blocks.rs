//! Blocking: the order of packing and multiplication, its split over threads, and its use of the caches.
//!
//! The smaller operand is packed once, for all threads. The larger one is packed piece by piece, by the thread that is
//! about to multiply the piece, so that it is in that thread's L2 cache. Rows in the format that is multiplied need no
//! packing. A piece is a band of C over the full depth of a block of k, so no two threads write to the same place, and
//! the order of summation of each number of C follows from the shape alone.

use rayon::prelude::*;

use super::Start;
use super::lane::{Lane, PANEL, Target};
use super::number::Number;
use super::registers::LANES;
use super::scratch::Scratch;
use super::vectors::Vectors;

/// Elements of k between two packings: a piece of 96 vectors of bf16 of this length, or 48 of f32, has the size of
/// `PIECE_LANES`.
pub(super) const DEPTH_BLOCK: usize = 2048;
/// Largest number of lanes of the operand that all threads share: 16 MiB, which fits an L3 cache and bounds the size of
/// the buffers.
pub(super) const SHARED_LANES: usize = 4 << 20;
/// Approximate number of lanes of a piece: half of an L2 cache of 512 KiB to 1 MiB.
const PIECE_LANES: usize = 96 << 10;
/// Smallest number of rows of a piece.
const LEAST_ROWS: usize = 48;
/// Number of multiplications that take as long as waking another thread and as packing one element.
pub(super) const PARALLEL_FROM: usize = 1 << 20;
pub(super) const PACKING: usize = 16;
/// Number of steps along k that a thread packs at once if they are columns in memory: a multiple of a vector.
const PACKED_STEPS: usize = 8 * LANES;
/// Number of bands of C below which k is split as well, if it is long. Below it: the depth of such a split.
const SPLIT_BELOW: usize = 4;
const SPLIT_DEPTH: usize = 1024;

/// The output C, to which threads write in parallel.
#[derive(Clone, Copy)]
pub(super) struct OutputBand {
    pub c: *mut f32,
    pub row_stride: usize,
    pub start: Start,
}

// SAFETY: pieces of work write to bands that do not overlap.
unsafe impl Send for OutputBand {}
// SAFETY: as above.
unsafe impl Sync for OutputBand {}

impl OutputBand {
    pub fn at(self, row: usize, col: usize) -> Self {
        let start = match self.start {
            Start::Row(first) => Start::Row(first.wrapping_add(col)),
            other => other,
        };
        Self { c: self.c.wrapping_add(row * self.row_stride + col), start, ..self }
    }
}

/// Runs `work` on 0..count, on all threads if `parallel`.
pub(super) fn each(count: usize, parallel: bool, work: impl Fn(usize) + Send + Sync) {
    if parallel {
        (0..count).into_par_iter().with_max_len(1).for_each(work);
    } else {
        (0..count).for_each(work);
    }
}

/// C ← start + A·B, with the rows of A in `a` and the columns of B in `b`, neither of them empty.
///
/// # Safety
/// The operands are readable. C is `a.count` rows of `b.count` numbers and writable, and initialised if the product
/// starts from its contents; a row that it starts from has `b.count` numbers. The CPU has the instructions of the
/// lanes.
pub(super) unsafe fn product<L: Lane, A: Number, B: Number>(a: Vectors<A>, b: Vectors<B>, c: *mut f32, start: Start) {
    // SAFETY: the caller's promise holds for parts of the operands too.
    unsafe { in_parts(a, b, c, start, |a, b, output, parallel| whole::<L, A, B>(a, b, output, parallel)) }
}

/// C ← start + A·B by `multiply`, which computes all of a C from a part of k, on all threads if told to: at once, or
/// for several parts of k.
///
/// # Safety
/// Those of [`product`], but for the CPU; `multiply` writes every number of its C.
pub(super) unsafe fn in_parts<A: Number, B: Number>(
    a: Vectors<A>,
    b: Vectors<B>,
    c: *mut f32,
    start: Start,
    multiply: impl Fn(Vectors<A>, Vectors<B>, OutputBand, bool) + Send + Sync,
) {
    let work = (a.count * b.count + PACKING * (a.count + b.count)).saturating_mul(a.depth);
    let parallel = work >= PARALLEL_FROM && rayon::current_num_threads() > 1;
    let output = OutputBand { c, row_stride: b.count, start };
    let bands = a.count.max(b.count).div_ceil(PANEL);
    if bands < SPLIT_BELOW && a.depth >= 2 * SPLIT_DEPTH {
        // SAFETY: the caller's promise.
        unsafe { split(a, b, output, parallel, multiply) }
    } else {
        multiply(a, b, output, parallel);
    }
}

/// A small C of long sums, as the gradient of a weight is: each thread sums a part of k, and then the parts are added.
/// The split does not depend on the number of threads. The safety requirements are those of [`in_parts`].
unsafe fn split<A: Number, B: Number>(
    a: Vectors<A>,
    b: Vectors<B>,
    output: OutputBand,
    parallel: bool,
    multiply: impl Fn(Vectors<A>, Vectors<B>, OutputBand, bool) + Send + Sync,
) {
    let (rows, cols) = (a.count, b.count);
    let parts = (a.depth / SPLIT_DEPTH).min(SPLIT_BELOW);
    let depth = a.depth.div_ceil(parts).next_multiple_of(2 * LANES);
    Scratch::Parts.with(parts * rows * cols, |sums| {
        let sums = OutputBand { c: sums.cast(), row_stride: cols, start: Start::Zero };
        each(parts, parallel, |part| {
            let from = (part * depth).min(a.depth);
            let depth = depth.min(a.depth - from);
            let (a, b) = (a.part(0, rows, from, depth), b.part(0, cols, from, depth));
            // The part lies inside the operands, and each thread writes to its own matrix.
            multiply(a, b, sums.at(part * rows, 0), false);
        });
        each(rows, parallel, |row| {
            for col in 0..cols {
                // SAFETY: the index lies in C, and in the sums of every part.
                unsafe {
                    let OutputBand { c, start, .. } = output.at(row, col);
                    let sum: f32 = (0..parts).map(|part| sums.at(part * rows + row, col).c.read()).sum();
                    c.write(match start {
                        Start::Zero => sum,
                        Start::Held => c.read() + sum,
                        Start::Row(row) => row.read() + sum,
                    });
                }
            }
        });
    });
}

/// All of C, k block by block. The safety requirements of this and the following functions are those of [`product`].
unsafe fn whole<L: Lane, A: Number, B: Number>(a: Vectors<A>, b: Vectors<B>, mut output: OutputBand, parallel: bool) {
    for from in (0..a.depth).step_by(DEPTH_BLOCK) {
        let depth = DEPTH_BLOCK.min(a.depth - from);
        let (a, b) = (a.part(0, a.count, from, depth), b.part(0, b.count, from, depth));
        let shared_vectors = SHARED_LANES / a.steps::<L>().next_multiple_of(LANES) / PANEL * PANEL;
        // SAFETY: the parts lie inside the operands and C.
        unsafe {
            if a.count > b.count {
                for first in (0..b.count).step_by(shared_vectors) {
                    let b = b.part(first, shared_vectors.min(b.count - first), 0, depth);
                    share_b::<L, A, B>(a, b, output.at(0, first), parallel);
                }
            } else {
                for first in (0..a.count).step_by(shared_vectors) {
                    let a = a.part(first, shared_vectors.min(a.count - first), 0, depth);
                    share_a::<L, A, B>(a, b, output.at(first, 0), parallel);
                }
            }
        }
        output.start = Start::Held;
    }
}

/// Packs all of B, then A in bands of rows.
unsafe fn share_b<L: Lane, A: Number, B: Number>(a: Vectors<A>, b: Vectors<B>, output: OutputBand, parallel: bool) {
    let steps = a.steps::<L>();
    let band = band(a.count, L::row_stride(steps), L::TILE_ROWS, LEAST_ROWS, parallel);
    Scratch::Shared.with(steps * b.count.next_multiple_of(LANES), |panels| {
        let shared = Packed(panels);
        each(b.count.div_ceil(PANEL), parallel && PACKING * b.count * b.depth >= PARALLEL_FROM, |panel| {
            let first = panel * PANEL;
            let columns = b.part(first, PANEL.min(b.count - first), 0, b.depth);
            // SAFETY: only this task writes the panel.
            unsafe { columns.pack_panels::<L>(shared.at(first * steps)) }
        });
        each(a.count.div_ceil(band), parallel, |piece| {
            let first = piece * band;
            let rows = a.part(first, band.min(a.count - first), 0, a.depth);
            // SAFETY: the rows are a part of A; then the operands are packed, and the rows of C are this piece's.
            unsafe {
                with_rows::<L, A>(rows, Scratch::Local, false, |rows| {
                    multiply_packed::<L>(steps, rows, shared.at(0), b.count, output.at(first, 0));
                });
            }
        });
    });
}

/// Packs all of A, then B in bands of columns.
unsafe fn share_a<L: Lane, A: Number, B: Number>(a: Vectors<A>, b: Vectors<B>, output: OutputBand, parallel: bool) {
    let steps = a.steps::<L>();
    let band = band(b.count, steps, PANEL, PANEL, parallel);
    let multiply = |rows: RowLanes, piece: usize| {
        let first = piece * band;
        let columns = b.part(first, band.min(b.count - first), 0, b.depth);
        Scratch::Local.with(columns.count.next_multiple_of(LANES) * steps, |packed| {
            // SAFETY: the buffer is large enough, and the columns of C are this piece's.
            unsafe {
                columns.pack_panels::<L>(packed);
                multiply_packed::<L>(steps, rows, packed, columns.count, output.at(0, first));
            }
        });
    };
    // SAFETY: the caller's promise.
    unsafe {
        with_rows::<L, A>(a, Scratch::Shared, parallel, |rows| {
            each(b.count.div_ceil(band), parallel, |piece| multiply(rows, piece));
        });
    }
}

/// Calls `work` with the rows of A as lanes: in place, or packed into a buffer.
unsafe fn with_rows<L: Lane, A: Number>(a: Vectors<A>, buffer: Scratch, parallel: bool, work: impl FnOnce(RowLanes)) {
    if let Some((lanes, row_stride)) = L::in_place(&a) {
        return work(RowLanes { lanes, row_stride, count: a.count });
    }
    let steps = a.steps::<L>();
    let row_stride = L::row_stride(steps);
    // Pieces are read in memory order.
    let along = if a.stride == 1 { [a.count, PACKED_STEPS] } else { [LANES, steps] };
    let shared = parallel && PACKING * a.count * a.depth >= PARALLEL_FROM;
    let [vectors, length] = if shared { along } else { [a.count, steps] };
    // Whole tiles of rows may be read.
    buffer.with(a.count.next_multiple_of(L::TILE_ROWS) * row_stride, |lanes| {
        let packed = Packed(lanes);
        let pieces = a.count.div_ceil(vectors);
        each(pieces * steps.div_ceil(length), shared, |piece| {
            let (first, step) = (piece % pieces * vectors, piece / pieces * length);
            let from = step * L::DEPTH;
            let rows = a.part(first, vectors.min(a.count - first), from, (length * L::DEPTH).min(a.depth - from));
            // SAFETY: only this task writes these lanes of the rows.
            unsafe { rows.pack_rows::<L>(packed.at(first * row_stride + step), row_stride) }
        });
        work(RowLanes { lanes, row_stride, count: a.count });
    });
}

/// Number of vectors in a piece, a multiple of `unit`: as many as stay in L2, but at least `least`, and fewer if
/// threads would wait for the last piece. All pieces have one size, and each thread gets the same number.
fn band(count: usize, lanes: usize, unit: usize, least: usize, parallel: bool) -> usize {
    let threads = if parallel { rayon::current_num_threads() } else { 1 };
    let largest = (PIECE_LANES / lanes).clamp(least, 4 * PANEL);
    let pieces = count.div_ceil(largest).next_multiple_of(threads);
    let pieces = if parallel { pieces.max((4 * threads).min(count / least)) } else { pieces };
    count.div_ceil(pieces.max(1)).next_multiple_of(unit)
}

/// The packed operand that all threads share.
#[derive(Clone, Copy)]
pub(super) struct Packed(pub *mut u32);

// SAFETY: each thread writes its own part, and afterwards the memory is only read.
unsafe impl Send for Packed {}
// SAFETY: as above.
unsafe impl Sync for Packed {}

impl Packed {
    pub fn at(self, lanes: usize) -> *mut u32 {
        self.0.wrapping_add(lanes)
    }
}

/// Rows of A as lanes.
#[derive(Clone, Copy)]
struct RowLanes {
    lanes: *const u32,
    row_stride: usize,
    count: usize,
}

// SAFETY: they are only read, by threads that all end before the rows are freed.
unsafe impl Send for RowLanes {}
// SAFETY: as above.
unsafe impl Sync for RowLanes {}

/// Multiplies packed rows with packed panels. Each part of a panel stays in L2 while all rows are multiplied with it,
/// and the band of C of the panel stays in L2 over all parts of the panel.
unsafe fn multiply_packed<L: Lane>(steps: usize, a: RowLanes, panels: *const u32, cols: usize, output: OutputBand) {
    let parts = steps.div_ceil(L::PART);
    let part = steps.div_ceil(parts).next_multiple_of(L::STEP_UNIT);
    // SAFETY: the CPU has the instructions.
    unsafe { L::begin() };
    for col in (0..cols).step_by(L::PANEL) {
        let width = L::PANEL.min(cols - col);
        for from in (0..steps).step_by(part) {
            let count = part.min(steps - from);
            let b = panels.wrapping_add(col * steps + from * width.next_multiple_of(LANES));
            for row in (0..a.count).step_by(L::TILE_ROWS) {
                let OutputBand { c, row_stride, start } = output.at(row, col);
                let start = if from > 0 { Start::Held } else { start };
                let target = &Target { c, row_stride, rows: L::TILE_ROWS.min(a.count - row), cols: width, start };
                // SAFETY: the tile lies inside the packed operands and C.
                unsafe {
                    L::multiply(count, a.lanes.wrapping_add(row * a.row_stride + from), a.row_stride, b, target);
                }
            }
        }
    }
    // SAFETY: the thread was prepared above.
    unsafe { L::end() };
}
