//! One block of C in tile registers. Its sums stay there over a part of k; both operands are read from end to end.

use std::arch::asm;
use std::mem::offset_of;

/// Rows, and columns, of a block of C.
pub(in crate::product) const BLOCK: usize = 32;
/// Rows, and columns, of a tile of C.
pub(in crate::product) const TILE: usize = 16;
/// Elements along k in a tile of A or B.
pub(in crate::product) const STEP: usize = 32;
/// Lanes of 32 bits of a tile.
pub(in crate::product) const TILE_LANES: usize = TILE * TILE;
/// Lanes of one step along k of a block: two tiles.
pub(in crate::product) const STEP_LANES: usize = 2 * TILE_LANES;
/// Rows whose prefetch is divided over the steps: that many a step.
const ROWS_A_STEP: usize = 4;
const _: () = assert!(BLOCK.is_multiple_of(ROWS_A_STEP));

/// A block of 32 × 32 numbers: `C ← start + A·B`. Strides are in bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in crate::product) struct TileProduct {
    /// For each step along k two tiles: rows 0 to 15, and 16 to 31, of 32 elements.
    pub a: *const u32,
    /// For each step along k two tiles: 16 pairs of elements by columns 0 to 15, and by 16 to 31.
    pub b: *const u32,
    /// Number of steps; not 0.
    pub count: usize,
    /// Initial values of rows 0 to 15, and of 16 to 31; null if they are 0.
    pub start: [*const f32; 2],
    /// With stride 0 all rows begin with the same values.
    pub start_stride: usize,
    pub c: [*mut f32; 2],
    pub c_stride: usize,
    /// Where A or B is prefetched into L1 during the first step, and one step further in each one after it; or null.
    pub ahead: *const u32,
    /// The block of C whose first rows are prefetched, 4 a step, as many as `next_rows` says; a multiple of 4.
    pub next: *const f32,
    pub next_rows: usize,
}

/// Prefetches the tile at `v`, unless that is null, and moves `v` to the next; the label is the code's own.
macro_rules! prefetch_tile {
    ($label:literal) => {
        concat!(
            "test {v}, {v}\njz ",
            $label,
            "f\n",
            "prefetcht0 [{v}]\nprefetcht0 [{v} + 64]\nprefetcht0 [{v} + 128]\nprefetcht0 [{v} + 192]\n",
            "prefetcht0 [{v} + 256]\nprefetcht0 [{v} + 320]\nprefetcht0 [{v} + 384]\nprefetcht0 [{v} + 448]\n",
            "prefetcht0 [{v} + 512]\nprefetcht0 [{v} + 576]\nprefetcht0 [{v} + 640]\nprefetcht0 [{v} + 704]\n",
            "prefetcht0 [{v} + 768]\nprefetcht0 [{v} + 832]\nprefetcht0 [{v} + 896]\nprefetcht0 [{v} + 960]\n",
            "add {v}, 1024\n",
            $label,
            ":",
        )
    };
}

/// Computes a block in the tile registers.
///
/// # Safety
/// The thread's tiles are configured as eight of 16 rows of 64 bytes, and what the block points at is readable or, of
/// C, writable; `ahead` and `next` are only prefetched.
pub(super) unsafe fn multiply(block: &TileProduct) {
    // SAFETY: the caller's promise; tile registers are used nowhere else.
    unsafe {
        asm!(
            "mov {c}, [{p} + {C_STRIDE}]",
            "mov {a}, [{p} + {START}]",
            "test {a}, {a}",
            "jz 3f",
            "mov {b}, [{p} + {START} + 8]",
            "mov {s}, [{p} + {START_STRIDE}]",
            "tileloadd tmm0, [{a} + {s}]",
            "tileloadd tmm1, [{a} + {s} + 64]",
            "tileloadd tmm2, [{b} + {s}]",
            "tileloadd tmm3, [{b} + {s} + 64]",
            "jmp 4f",
            "3:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "4:",
            "mov {a}, [{p} + {A}]",
            "mov {b}, [{p} + {B}]",
            "mov {n}, [{p} + {COUNT}]",
            "mov {v}, [{p} + {AHEAD}]",
            "mov {f}, [{p} + {NEXT}]",
            "mov {m}, [{p} + {NEXT_ROWS}]",
            "mov {s}, 64",
            "2:",
            "tileloadd tmm4, [{a} + {s}]",
            "tileloadd tmm6, [{b} + {s}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            prefetch_tile!("5"),
            "tileloadd tmm7, [{b} + {s} + 1024]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "test {m}, {m}",
            "jz 6f",
            // The last bytes of both tiles' rows: if rows do not begin at a cache line, the block before shares the
            // first line.
            "prefetchw [{f} + 60]", "prefetchw [{f} + 124]", "add {f}, {c}",
            "prefetchw [{f} + 60]", "prefetchw [{f} + 124]", "add {f}, {c}",
            "prefetchw [{f} + 60]", "prefetchw [{f} + 124]", "add {f}, {c}",
            "prefetchw [{f} + 60]", "prefetchw [{f} + 124]", "add {f}, {c}",
            "sub {m}, {ROWS_A_STEP}",
            "6:",
            "tileloadd tmm5, [{a} + {s} + 1024]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            prefetch_tile!("7"),
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 2048",
            "add {b}, 2048",
            "dec {n}",
            "jnz 2b",
            "mov {a}, [{p} + {C}]",
            "mov {b}, [{p} + {C} + 8]",
            "tilestored [{a} + {c}], tmm0",
            "tilestored [{a} + {c} + 64], tmm1",
            "tilestored [{b} + {c}], tmm2",
            "tilestored [{b} + {c} + 64], tmm3",
            p = in(reg) block,
            a = out(reg) _, b = out(reg) _, c = out(reg) _, s = out(reg) _,
            n = out(reg) _, v = out(reg) _, f = out(reg) _, m = out(reg) _,
            A = const offset_of!(TileProduct, a),
            B = const offset_of!(TileProduct, b),
            COUNT = const offset_of!(TileProduct, count),
            START = const offset_of!(TileProduct, start),
            START_STRIDE = const offset_of!(TileProduct, start_stride),
            C = const offset_of!(TileProduct, c),
            C_STRIDE = const offset_of!(TileProduct, c_stride),
            AHEAD = const offset_of!(TileProduct, ahead),
            NEXT = const offset_of!(TileProduct, next),
            NEXT_ROWS = const offset_of!(TileProduct, next_rows),
            ROWS_A_STEP = const ROWS_A_STEP,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
