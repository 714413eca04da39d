//! bf16 products by the tile registers of Intel AMX.
//!
//! A tile register holds 16 rows of 64 bytes: 16 rows of A by 32 numbers along k, or 16 pairs of numbers along k by 16
//! columns of B. Four tiles of sums, a block of 32 × 32 numbers of C, stay in registers over a part of k ("Intel 64 and
//! IA-32 Architectures Optimization Reference Manual", chapter "Intel Advanced Matrix Extensions").
//!
//! `blocking` is the order of blocks, `pack` packs operands tile by tile, `kernel` computes a block. [`Tiles`]
//! multiplies tiles inside the rows and panels of vector registers instead; it is kept to be measured beside them.

use std::arch::asm;
use std::marker::PhantomData;
use std::mem::offset_of;

pub(super) mod blocking;
mod kernel;
mod pack;
#[cfg(test)]
pub(super) mod software;

use self::kernel::{BLOCK, TILE, TileProduct};
use super::Start;
use super::lane::{Lane, Target};
use super::number::Number;
use super::registers::{LANES, Zmm};
use super::vector_lanes::Pair;
use super::vectors::Vectors;

/// A block of 32 × 32 numbers: `C ← start + A·B`. Addresses are in memory order, strides in bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct AmxBlock {
    /// Rows 0 to 15 of A, and 16 to 31.
    pub a: [*const u32; 2],
    pub a_stride: usize,
    /// Columns 0 to 15 of B, and 16 to 31.
    pub b: [*const u32; 2],
    pub b_stride: usize,
    /// Bytes from one tile of B to the next along k.
    pub b_advance: usize,
    /// Number of tiles along k; not 0.
    pub count: usize,
    /// Initial values of rows 0 to 15, and of 16 to 31. With stride 0 all rows begin with the same values.
    pub start: [*const f32; 2],
    pub start_stride: usize,
    pub c: [*mut f32; 2],
    pub c_stride: usize,
}

/// A unit that multiplies blocks.
pub(super) trait TileUnit: Copy {
    /// Prepares the thread.
    ///
    /// # Safety
    /// The CPU has the unit.
    unsafe fn begin();

    /// Computes a block.
    ///
    /// # Safety
    /// The thread is prepared, and what the block points at is readable or, of C, writable.
    unsafe fn multiply(block: &AmxBlock);

    /// Computes a block whose operands are packed in tiles.
    ///
    /// # Safety
    /// As for [`multiply`](Self::multiply).
    unsafe fn product(block: &TileProduct);

    /// Returns the thread to where it was before.
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn end();
}

/// The tile registers of the CPU.
#[derive(Clone, Copy)]
pub(super) struct Hardware;

/// Operand of `ldtilecfg`.
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Eight tiles of 16 rows of 64 bytes.
static WHOLE_TILES: TileConfig = TileConfig {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

impl TileUnit for Hardware {
    unsafe fn begin() {
        // SAFETY: the CPU has AMX, and the operating system lets this process use it.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE_TILES, options(nostack, readonly)) }
    }

    unsafe fn multiply(block: &AmxBlock) {
        // SAFETY: the caller's promise; tile registers are used nowhere else.
        unsafe {
            asm!(
                "mov {x}, [{p} + {START}]",
                "mov {y}, [{p} + {START} + 8]",
                "mov {s}, [{p} + {START_STRIDE}]",
                "tileloadd tmm0, [{x} + {s}]",
                "tileloadd tmm1, [{x} + {s} + 64]",
                "tileloadd tmm2, [{y} + {s}]",
                "tileloadd tmm3, [{y} + {s} + 64]",
                "mov {x}, [{p} + {A}]",
                "mov {y}, [{p} + {A} + 8]",
                "mov {s}, [{p} + {A_STRIDE}]",
                "mov {z}, [{p} + {B}]",
                "mov {w}, [{p} + {B} + 8]",
                "mov {t}, [{p} + {B_STRIDE}]",
                "mov {n}, [{p} + {COUNT}]",
                "2:",
                "tileloadd tmm4, [{x} + {s}]",
                "tileloadd tmm6, [{z} + {t}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{w} + {t}]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{y} + {s}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {x}, 64",
                "add {y}, 64",
                "add {z}, [{p} + {B_ADVANCE}]",
                "add {w}, [{p} + {B_ADVANCE}]",
                "dec {n}",
                "jnz 2b",
                "mov {x}, [{p} + {C}]",
                "mov {y}, [{p} + {C} + 8]",
                "mov {s}, [{p} + {C_STRIDE}]",
                "tilestored [{x} + {s}], tmm0",
                "tilestored [{x} + {s} + 64], tmm1",
                "tilestored [{y} + {s}], tmm2",
                "tilestored [{y} + {s} + 64], tmm3",
                p = in(reg) block,
                x = out(reg) _, y = out(reg) _, z = out(reg) _, w = out(reg) _,
                s = out(reg) _, t = out(reg) _, n = out(reg) _,
                A = const offset_of!(AmxBlock, a),
                A_STRIDE = const offset_of!(AmxBlock, a_stride),
                B = const offset_of!(AmxBlock, b),
                B_STRIDE = const offset_of!(AmxBlock, b_stride),
                B_ADVANCE = const offset_of!(AmxBlock, b_advance),
                COUNT = const offset_of!(AmxBlock, count),
                START = const offset_of!(AmxBlock, start),
                START_STRIDE = const offset_of!(AmxBlock, start_stride),
                C = const offset_of!(AmxBlock, c),
                C_STRIDE = const offset_of!(AmxBlock, c_stride),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    unsafe fn product(block: &TileProduct) {
        // SAFETY: the caller's promise.
        unsafe { kernel::multiply(block) }
    }

    unsafe fn end() {
        // SAFETY: the CPU has AMX. Without configured tiles the operating system has less to save.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) }
    }
}

/// Pairs of bf16 numbers that are multiplied in tiles.
#[derive(Clone, Copy)]
pub(super) struct Tiles<U>(PhantomData<U>);

impl<U: TileUnit> Lane for Tiles<U> {
    type Registers = Zmm;
    const DEPTH: usize = Pair::DEPTH;
    /// Whole tiles: what lies beyond the last step of k is 0 in both operands.
    const STEP_UNIT: usize = TILE;
    const TILE_ROWS: usize = BLOCK;
    /// 32 KiB of a panel of B, which stay in L1 while all rows are multiplied with it.
    const PART: usize = 128;

    unsafe fn run<T>(work: impl FnMut() -> T) -> T {
        // SAFETY: the caller's promise.
        unsafe { Pair::run(work) }
    }

    fn in_place<E: Number>(_rows: &Vectors<E>) -> Option<(*const u32, usize)> {
        None
    }

    #[inline(always)]
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> Zmm {
        // SAFETY: the caller's promise.
        unsafe { Pair::along(vectors, vector, step) }
    }

    #[inline(always)]
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> Zmm {
        // SAFETY: the caller's promise.
        unsafe { Pair::across(vectors, first, step) }
    }

    unsafe fn begin() {
        // SAFETY: the caller's promise.
        unsafe { U::begin() }
    }

    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: &Target) {
        let panel = target.cols.next_multiple_of(LANES);
        for first in (0..target.cols).step_by(BLOCK) {
            let cols = BLOCK.min(target.cols - first);
            // Where there is no second tile of columns, the first is read twice.
            let second = if cols > TILE { TILE } else { 0 };
            let b = b.wrapping_add(first);
            let block = AmxBlock {
                a: [a, a.wrapping_add(TILE * a_stride)],
                a_stride: 4 * a_stride,
                b: [b, b.wrapping_add(second)],
                b_stride: 4 * panel,
                b_advance: 4 * panel * TILE,
                count: steps / TILE,
                start: [&raw const NOTHING[0]; 2],
                start_stride: 0,
                c: [target.c.wrapping_add(first); 2],
                c_stride: 4 * target.row_stride,
            };
            let start = match target.start {
                Start::Row(row) => Start::Row(row.wrapping_add(first)),
                other => other,
            };
            let target = &Target { c: target.c.wrapping_add(first), cols, start, ..*target };
            // SAFETY: the caller's promise.
            unsafe {
                if target.rows == BLOCK && cols == BLOCK {
                    U::multiply(&whole(block, target));
                } else {
                    multiply_edge::<U>(block, target);
                }
            }
        }
    }

    unsafe fn end() {
        // SAFETY: the caller's promise.
        unsafe { U::end() }
    }
}

/// Initial values of a sum that begins with 0.
static NOTHING: [f32; BLOCK] = [0.0; BLOCK];

/// The block with all of its numbers in C.
fn whole(block: AmxBlock, target: &Target) -> AmxBlock {
    let c = [target.c, target.c.wrapping_add(TILE * target.row_stride)];
    let (start, start_stride) = match target.start {
        Start::Zero => (block.start, 0),
        Start::Held => (c.map(<*mut f32>::cast_const), block.c_stride),
        Start::Row(row) => ([row; 2], 0),
    };
    AmxBlock { start, start_stride, c, ..block }
}

/// A block on the edge of C, by way of a buffer: C has only the target's rows and columns of it.
///
/// # Safety
/// As for [`Lane::multiply`].
unsafe fn multiply_edge<U: TileUnit>(block: AmxBlock, target: &Target) {
    #[repr(C, align(64))]
    struct Buffer([[f32; BLOCK]; BLOCK]);
    let mut buffer = Buffer([[0.0; BLOCK]; BLOCK]);
    let from = |row: usize| match target.start {
        Start::Zero => None,
        Start::Held => Some(target.c.wrapping_add(row * target.row_stride).cast_const()),
        Start::Row(values) => Some(values),
    };
    for (row, sums) in buffer.0.iter_mut().enumerate().take(target.rows) {
        if let Some(from) = from(row) {
            // SAFETY: the caller's promise on C, and on the row that it starts from.
            unsafe { sums.as_mut_ptr().copy_from_nonoverlapping(from, target.cols) };
        }
    }
    let sums: *mut f32 = buffer.0.as_mut_ptr().cast();
    let c = [sums, sums.wrapping_add(TILE * BLOCK)];
    let stride = 4 * BLOCK;
    let block = AmxBlock { start: c.map(<*mut f32>::cast_const), start_stride: stride, c, c_stride: stride, ..block };
    // SAFETY: the buffer holds a whole block.
    unsafe { U::multiply(&block) };
    for (row, sums) in buffer.0.iter().enumerate().take(target.rows) {
        // SAFETY: the caller's promise on C.
        unsafe {
            target.c.add(row * target.row_stride).copy_from_nonoverlapping(sums.as_ptr(), target.cols);
        }
    }
}
