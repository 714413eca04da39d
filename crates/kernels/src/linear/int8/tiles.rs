//! Products of 8-bit numbers in the tile registers of AMX. A block of weights lies in memory as four tiles of 16 rows,
//! each with four inputs of 16 outputs; the block of 16 rows of inputs is a tile too. One instruction multiplies both.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
#![expect(unsafe_code, reason = "intrinsics and tile instructions, whose operands are checked before")]
use std::arch::asm;
use std::arch::x86_64::*;
use std::ops::Range;

use super::{BLOCK, IntegerBlock, PANEL, RoundedInputs};
use crate::product::pairs::{AmxUnit, PairUnit};

/// Rows of a tile, and outputs of one.
pub(super) const ROWS: usize = 16;
const _: () = assert!(BLOCK == 4 * ROWS && PANEL == 4 * ROWS, "a block of weights is four whole tiles");

/// Sums of 16 rows: four tiles of 16 rows and 16 outputs.
#[repr(C, align(64))]
struct ExactSums([[[i32; ROWS]; ROWS]; PANEL / ROWS]);

/// Adds the products of rows of which there are whole tiles to `sums` `[rows, PANEL]`.
///
/// # Safety
/// The CPU has AMX with 8-bit integers, and AVX-512; lengths have passed [`super::add_products`], and the number of
/// rows is a multiple of [`ROWS`].
#[target_feature(enable = "avx512f")]
pub unsafe fn add(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[IntegerBlock], sums: &mut [f32]) {
    let mut exact = ExactSums([[[0; ROWS]; ROWS]; PANEL / ROWS]);
    // SAFETY: the caller's promise.
    unsafe { AmxUnit::prepared(|| add_prepared(inputs, rows, panel, sums, &mut exact)) }
}

/// # Safety
/// As for [`add`], and the thread is prepared.
#[target_feature(enable = "avx512f")]
unsafe fn add_prepared(
    inputs: &RoundedInputs,
    rows: &Range<usize>,
    panel: &[IntegerBlock],
    sums: &mut [f32],
    exact: &mut ExactSums,
) {
    for (index, block) in panel.iter().enumerate() {
        // SAFETY: a block of weights is four tiles, each row of which is 64 bytes of the 256 of all outputs.
        unsafe { load_weights(block.weights.as_ptr().cast()) };
        for (first, sums) in rows.clone().step_by(ROWS).zip(sums.chunks_exact_mut(ROWS * PANEL)) {
            let from = inputs.block(first, index);
            let stride = inputs.blocks * size_of_val(from);
            // SAFETY: the inputs have 16 rows from this one on, which are as far apart, and the sums as many.
            unsafe {
                multiply(from.values.as_ptr(), stride, exact);
                for row in 0..ROWS {
                    let rounded = inputs.block(first + row, index);
                    let (step, start) = (_mm512_set1_ps(rounded.step), _mm512_set1_epi32(rounded.start));
                    for tile in 0..PANEL / ROWS {
                        let sum = sums.as_mut_ptr().add(row * PANEL + tile * ROWS);
                        let scales = _mm512_mul_ps(_mm512_loadu_ps(block.scales.as_ptr().add(tile * ROWS)), step);
                        let whole = _mm512_load_si512(exact.0[tile][row].as_ptr().cast());
                        let whole = _mm512_cvtepi32_ps(_mm512_add_epi32(whole, start));
                        _mm512_storeu_ps(sum, _mm512_fmadd_ps(whole, scales, _mm512_loadu_ps(sum)));
                    }
                }
            }
        }
    }
}

/// Loads a block of weights into tile registers 4 to 7.
///
/// # Safety
/// The thread is prepared; `weights` points at a block's.
unsafe fn load_weights(weights: *const u8) {
    // SAFETY: the caller's promise. No other code of this thread uses tile registers until they are multiplied.
    unsafe {
        asm!(
            "tileloadd tmm4, [{weights} + {stride}]",
            "tileloadd tmm5, [{weights} + {stride} + 64]",
            "tileloadd tmm6, [{weights} + {stride} + 128]",
            "tileloadd tmm7, [{weights} + {stride} + 192]",
            weights = in(reg) weights,
            stride = in(reg) 4 * PANEL,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack, readonly),
        );
    }
}

/// Multiplies 16 rows of inputs, `stride` bytes apart, with the weights in tile registers 4 to 7.
///
/// # Safety
/// The thread is prepared, the weights are loaded, and the rows have a block of inputs each.
unsafe fn multiply(inputs: *const i8, stride: usize, exact: &mut ExactSums) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tileloadd tmm3, [{inputs} + {stride}]",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tdpbsud tmm0, tmm3, tmm4",
            "tdpbsud tmm1, tmm3, tmm5",
            "tdpbsud tmm2, tmm3, tmm6",
            "tilestored [{sums} + {row}], tmm0",
            "tilezero tmm0",
            "tdpbsud tmm0, tmm3, tmm7",
            "tilestored [{sums} + {row} + 1024], tmm1",
            "tilestored [{sums} + {row} + 2048], tmm2",
            "tilestored [{sums} + {row} + 3072], tmm0",
            inputs = in(reg) inputs,
            stride = in(reg) stride,
            sums = in(reg) exact.0.as_mut_ptr(),
            row = in(reg) 4 * ROWS,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            options(nostack),
        );
    }
}
