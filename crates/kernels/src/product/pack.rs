//! Packing: converts an operand from any memory layout into lanes in the order in which the micro-kernel reads them.
//!
//! A becomes rows of lanes, one row after the other; B becomes panels of up to 64 columns, in which the lanes of one
//! step along k lie side by side.

use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use super::lane::Lane;
use super::number::Number;
use super::registers::{LANES, Sixteen};
use super::vectors::Vectors;

impl<E: Number> Vectors<E> {
    /// Number of steps along k of the packed vectors. Those after the vectors' end have lanes of 0.
    pub fn steps<L: Lane>(&self) -> usize {
        self.depth.div_ceil(L::DEPTH).next_multiple_of(L::STEP_UNIT)
    }

    /// Packs the vectors as rows: vector v's lanes begin at `v · row_stride`, which is a multiple of 16 and at least
    /// the steps.
    ///
    /// # Safety
    /// The elements are readable, `out` holds `count · row_stride` lanes, and the CPU has the instructions.
    pub unsafe fn pack_rows<L: Lane>(&self, out: *mut u32, row_stride: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            L::run(
                #[inline(always)]
                || self.rows_to::<L>(out, row_stride),
            );
        }
    }

    /// Packs the vectors as panels; panel p begins at `p · L::PANEL · steps`. The width of the last panel is rounded up
    /// to a multiple of 16.
    ///
    /// # Safety
    /// The elements are readable, `out` holds `steps · count` lanes, the count rounded up to 16, and the CPU has the
    /// instructions.
    pub unsafe fn pack_panels<L: Lane>(&self, out: *mut u32) {
        // SAFETY: the caller's promise.
        unsafe {
            L::run(
                #[inline(always)]
                || self.panels_to::<L>(out),
            );
        }
    }

    /// # Safety
    /// As for [`pack_rows`](Self::pack_rows).
    #[inline(always)]
    unsafe fn rows_to<L: Lane>(&self, out: *mut u32, row_stride: usize) {
        let steps = self.steps::<L>();
        // SAFETY: all of it lies inside both sides: rows are rounded up to whole vectors of lanes.
        unsafe {
            if self.stride != 1 || self.depth_stride == 1 {
                for v in 0..self.count {
                    for step in (0..steps).step_by(LANES) {
                        L::along(self, v, step).store(out.add(v * row_stride + step));
                    }
                }
                return;
            }
            for step in (0..steps).step_by(LANES) {
                for first in (0..self.count).step_by(LANES) {
                    let mut block = [L::Registers::splat(0); LANES];
                    for (i, lanes) in block.iter_mut().enumerate().take(steps - step) {
                        *lanes = L::across(self, first, step + i);
                    }
                    let block = L::Registers::transposed(&block);
                    for (i, lanes) in block.iter().enumerate().take(self.count - first) {
                        lanes.store(out.add((first + i) * row_stride + step));
                    }
                }
            }
        }
    }

    /// # Safety
    /// As for [`pack_panels`](Self::pack_panels).
    #[inline(always)]
    unsafe fn panels_to<L: Lane>(&self, out: *mut u32) {
        let steps = self.steps::<L>();
        let begin = |first: usize| first / L::PANEL * L::PANEL;
        let width = |first: usize| (self.count - begin(first)).min(L::PANEL).next_multiple_of(LANES);
        let place = |first: usize, step: usize| begin(first) * steps + step * width(first) + first % L::PANEL;
        // SAFETY: all of it lies inside both sides.
        unsafe {
            if self.stride == 1 {
                for step in 0..steps {
                    for first in (0..self.count).step_by(LANES) {
                        L::across(self, first, step).store(out.add(place(first, step)));
                    }
                }
                return;
            }
            for first in (0..self.count).step_by(LANES) {
                for step in (0..steps).step_by(LANES) {
                    let mut block = [L::Registers::splat(0); LANES];
                    for (i, lanes) in block.iter_mut().enumerate().take(self.count - first) {
                        // Sixteen short streams at once are more than the hardware prefetcher follows.
                        let next = (first + i + LANES) * self.stride + step * L::DEPTH * self.depth_stride;
                        _mm_prefetch::<_MM_HINT_T1>(self.data.wrapping_add(next).cast());
                        _mm_prefetch::<_MM_HINT_T1>(self.data.wrapping_add(next + LANES).cast());
                        *lanes = L::along(self, first + i, step);
                    }
                    let block = L::Registers::transposed(&block);
                    for (i, lanes) in block.iter().enumerate().take(steps - step) {
                        lanes.store(out.add(place(first, step + i)));
                    }
                }
            }
        }
    }
}
