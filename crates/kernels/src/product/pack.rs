//! Packing: converts an operand from any memory layout into lanes in the order in which the micro-kernel reads them.
//!
//! A becomes rows of lanes, one row after the other; B becomes panels of up to 64 columns, in which the lanes of one
//! step along k lie side by side.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;

use super::lane::{Lane, PANEL};
use super::number::Number;
use super::vectors::{LANES, Vectors};

/// Up to 16 vectors by up to 16 lanes, in registers.
type RegisterBlock = [__m512i; LANES];

impl<E: Number> Vectors<E> {
    /// Number of steps along k of the packed vectors. Those after the vectors' end have lanes of 0.
    pub fn steps<L: Lane>(&self) -> usize {
        self.depth.div_ceil(L::DEPTH).next_multiple_of(L::STEP_UNIT)
    }

    /// Packs the vectors as rows: vector v's lanes begin at `v · row_stride`, which is a multiple of 16 and at least
    /// the steps.
    ///
    /// # Safety
    /// The elements are readable, `out` holds `count · row_stride` lanes, and the CPU has AVX-512 F, BW and BF16.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub unsafe fn pack_rows<L: Lane>(&self, out: *mut u32, row_stride: usize) {
        let steps = self.steps::<L>();
        // SAFETY: all of it lies inside both sides: rows are rounded up to whole vectors of lanes.
        unsafe {
            if self.stride != 1 || self.depth_stride == 1 {
                for v in 0..self.count {
                    for step in (0..steps).step_by(LANES) {
                        _mm512_store_si512(out.add(v * row_stride + step).cast(), L::along(self, v, step));
                    }
                }
                return;
            }
            for step in (0..steps).step_by(LANES) {
                for first in (0..self.count).step_by(LANES) {
                    let mut block = [_mm512_setzero_si512(); LANES];
                    for (i, lanes) in block.iter_mut().enumerate().take(steps - step) {
                        *lanes = L::across(self, first, step + i);
                    }
                    let block = transpose(&block);
                    for (i, &lanes) in block.iter().enumerate().take(self.count - first) {
                        _mm512_store_si512(out.add((first + i) * row_stride + step).cast(), lanes);
                    }
                }
            }
        }
    }

    /// Packs the vectors as panels of 64; panel p begins at `p · 64 · steps`. The width of the last panel is rounded up
    /// to a multiple of 16.
    ///
    /// # Safety
    /// The elements are readable, `out` holds `steps · count` lanes, the count rounded up to 16, and the CPU has
    /// AVX-512 F, BW and BF16.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub unsafe fn pack_panels<L: Lane>(&self, out: *mut u32) {
        let steps = self.steps::<L>();
        let width = |first: usize| (self.count - first / PANEL * PANEL).min(PANEL).next_multiple_of(LANES);
        let place = |first: usize, step: usize| first / PANEL * PANEL * steps + step * width(first) + first % PANEL;
        // SAFETY: all of it lies inside both sides.
        unsafe {
            if self.stride == 1 {
                for step in 0..steps {
                    for first in (0..self.count).step_by(LANES) {
                        _mm512_store_si512(out.add(place(first, step)).cast(), L::across(self, first, step));
                    }
                }
                return;
            }
            for first in (0..self.count).step_by(LANES) {
                for step in (0..steps).step_by(LANES) {
                    let mut block = [_mm512_setzero_si512(); LANES];
                    for (i, lanes) in block.iter_mut().enumerate().take(self.count - first) {
                        // Sixteen short streams at once are more than the hardware prefetcher follows.
                        let next = (first + i + LANES) * self.stride + step * L::DEPTH * self.depth_stride;
                        _mm_prefetch::<_MM_HINT_T1>(self.data.wrapping_add(next).cast());
                        _mm_prefetch::<_MM_HINT_T1>(self.data.wrapping_add(next + LANES).cast());
                        *lanes = L::along(self, first + i, step);
                    }
                    let block = transpose(&block);
                    for (i, &lanes) in block.iter().enumerate().take(steps - step) {
                        _mm512_store_si512(out.add(place(first, step + i)).cast(), lanes);
                    }
                }
            }
        }
    }
}

/// Lane j of register i becomes lane i of register j.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn transpose(block: &RegisterBlock) -> RegisterBlock {
    let mut pairs = *block;
    for i in (0..LANES).step_by(2) {
        pairs[i] = _mm512_unpacklo_epi32(block[i], block[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(block[i], block[i + 1]);
    }
    // For every group of four registers: each result has the four lanes of one column.
    let mut fours = pairs;
    for i in (0..LANES).step_by(4) {
        fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    let mut columns = fours;
    for j in 0..4 {
        let low_even = _mm512_shuffle_i32x4::<0x88>(fours[j], fours[4 + j]);
        let low_odd = _mm512_shuffle_i32x4::<0xdd>(fours[j], fours[4 + j]);
        let high_even = _mm512_shuffle_i32x4::<0x88>(fours[8 + j], fours[12 + j]);
        let high_odd = _mm512_shuffle_i32x4::<0xdd>(fours[8 + j], fours[12 + j]);
        columns[j] = _mm512_shuffle_i32x4::<0x88>(low_even, high_even);
        columns[4 + j] = _mm512_shuffle_i32x4::<0x88>(low_odd, high_odd);
        columns[8 + j] = _mm512_shuffle_i32x4::<0xdd>(low_even, high_even);
        columns[12 + j] = _mm512_shuffle_i32x4::<0xdd>(low_odd, high_odd);
    }
    columns
}
