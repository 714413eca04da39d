//! Packing into tiles: rounds an operand from any memory layout to bf16, in the order in which tiles are read.
//!
//! Vectors are packed in blocks of 32. A block is one step of 32 elements along k after the other, and a step is two
//! tiles of 16 vectors. In a tile of A each vector's 32 elements are a row; in a tile of B each pair of elements along
//! k is a row, of 16 vectors.

use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};

use super::super::lane::Lane;
use super::super::number::Number;
use super::super::registers::{LANES, Sixteen, Zmm};
use super::super::vector_lanes::{Pair, interleaved, round};
use super::super::vectors::Vectors;
use super::kernel::{BLOCK, STEP, STEP_LANES, TILE, TILE_LANES};

/// Which operand the vectors are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::product) enum Side {
    /// The rows of A.
    Left,
    /// The columns of B.
    Right,
}

/// Vectors further on that are prefetched while one is packed.
const VECTORS_AHEAD: usize = 4;

impl<E: Number> Vectors<E> {
    /// Steps of 32 elements along k. What lies beyond the vectors' end is 0.
    pub fn tile_steps(&self) -> usize {
        self.depth.div_ceil(STEP)
    }

    /// Whether memory is read in order if each step is packed for all vectors before the next step.
    pub fn steps_first(&self, side: Side) -> bool {
        self.stride == 1 && (side == Side::Right || self.depth_stride != 1)
    }

    /// Packs the vectors; block b begins at `b · block_lanes`, a multiple of 16. Lanes of vectors that do not exist
    /// have unspecified values.
    ///
    /// # Safety
    /// The elements are readable, `out` holds the blocks and begins at a cache line, and the CPU has AVX-512 F, BW and
    /// BF16.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub unsafe fn pack_tiles(&self, side: Side, out: *mut u32, block_lanes: usize) {
        let place = |first: usize, step: usize| {
            out.wrapping_add(first / BLOCK * block_lanes + step * STEP_LANES + first % BLOCK / TILE * TILE_LANES)
        };
        // SAFETY: every tile lies inside both sides.
        unsafe {
            if self.steps_first(side) {
                for step in 0..self.tile_steps() {
                    for first in (0..self.count).step_by(TILE) {
                        let pairs = self.pairs(first, step);
                        store(place(first, step), &if side == Side::Left { Zmm::transposed(&pairs) } else { pairs });
                    }
                }
                return;
            }
            for first in (0..self.count).step_by(TILE) {
                match side {
                    Side::Left => {
                        for vector in first..self.count.min(first + TILE) {
                            for step in 0..self.tile_steps() {
                                let lanes = self.elements(vector, step, VECTORS_AHEAD);
                                lanes.store(place(first, step).add((vector - first) * LANES));
                            }
                        }
                    }
                    Side::Right => {
                        for step in 0..self.tile_steps() {
                            let mut tile = [Zmm::splat(0); TILE];
                            for (i, lanes) in tile.iter_mut().enumerate().take(self.count - first) {
                                *lanes = self.elements(first + i, step, TILE);
                            }
                            store(place(first, step), &Zmm::transposed(&tile));
                        }
                    }
                }
            }
        }
    }

    /// The elements of one vector in a step. Those of the vector that is `ahead` further on are prefetched.
    ///
    /// # Safety
    /// The vector and the step exist.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn elements(&self, vector: usize, step: usize, ahead: usize) -> Zmm {
        let data = self.data.wrapping_add(vector * self.stride + step * STEP * self.depth_stride);
        let next = data.wrapping_add(ahead * self.stride);
        _mm_prefetch::<_MM_HINT_T0>(next.cast());
        _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(LANES).cast());
        // SAFETY: the caller's promise; the whole step is there where all of it is read.
        unsafe {
            if self.depth_stride == 1 && (step + 1) * STEP <= self.depth {
                round(E::load(data), E::load(data.add(LANES)))
            } else {
                Pair::along(self, vector, step * STEP / Pair::DEPTH)
            }
        }
    }

    /// The 16 pairs of a step, each of up to 16 vectors from `first` on, whose elements are contiguous across vectors.
    /// What the next step reads is prefetched.
    ///
    /// # Safety
    /// The first vector and the step exist.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn pairs(&self, first: usize, step: usize) -> [Zmm; TILE] {
        // SAFETY: the CPU has the instructions.
        let mut tile = [unsafe { Zmm::splat(0) }; TILE];
        let whole = first + TILE <= self.count && (step + 1) * STEP <= self.depth;
        for (pair, lanes) in tile.iter_mut().enumerate() {
            let even = self.data.wrapping_add(first + (step * STEP + 2 * pair) * self.depth_stride);
            let odd = even.wrapping_add(self.depth_stride);
            _mm_prefetch::<_MM_HINT_T1>(even.wrapping_add(STEP * self.depth_stride).cast());
            _mm_prefetch::<_MM_HINT_T1>(odd.wrapping_add(STEP * self.depth_stride).cast());
            // SAFETY: the caller's promise; all elements are there where all are read.
            *lanes = unsafe {
                if whole {
                    interleaved(E::load(even), E::load(odd))
                } else {
                    Pair::across(self, first, step * STEP / Pair::DEPTH + pair)
                }
            };
        }
        tile
    }
}

/// # Safety
/// `out` holds a tile and begins at a cache line.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn store(out: *mut u32, tile: &[Zmm; TILE]) {
    for (row, &lanes) in tile.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { lanes.store(out.add(row * LANES)) };
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;
    use crate::isa::Isa;
    use crate::product::round_to_bf16;

    /// The place of an element among the bf16 numbers of packed blocks, by the layout of tiles.
    fn place(side: Side, vector: usize, k: usize, steps: usize) -> usize {
        let tile = (vector / 32 * steps + k / 32) * 2 + vector % 32 / 16;
        let [row, col] = match side {
            Side::Left => [vector % 16, k % 32],
            Side::Right => [k % 32 / 2, 2 * (vector % 16) + k % 2],
        };
        tile * 512 + row * 32 + col
    }

    fn check<E: Number>(data: &[E], count: usize, depth: usize, [stride, depth_stride]: [usize; 2]) {
        let vectors = Vectors { data: data.as_ptr(), count, depth, stride, depth_stride };
        let steps = vectors.tile_steps();
        for side in [Side::Left, Side::Right] {
            let mut packed = vec![[0u32; STEP_LANES]; count.div_ceil(BLOCK) * steps + 1];
            let bytes = packed.as_ptr() as usize;
            let skip = (bytes.next_multiple_of(64) - bytes) / size_of::<u32>();
            let lanes = packed.as_flattened_mut().as_mut_ptr().wrapping_add(skip);
            // SAFETY: the elements and the blocks are there, and the caller has asked for the CPU's instructions.
            unsafe { vectors.pack_tiles(side, lanes, steps * STEP_LANES) };
            for vector in 0..count {
                for k in 0..steps * STEP {
                    let place = skip * 2 + place(side, vector, k, steps);
                    let bits = packed.as_flattened()[place / 2].to_le_bytes();
                    let got = u16::from_le_bytes([bits[place % 2 * 2], bits[place % 2 * 2 + 1]]);
                    let value = if k < depth { data[vector * stride + k * depth_stride].widen() } else { 0.0 };
                    let want = round_to_bf16(value).to_bits() >> 16;
                    assert_eq!(u32::from(got), want, "vector {vector} of {count}, element {k} of {depth}");
                }
            }
        }
    }

    #[test]
    fn every_element_finds_its_place_in_a_tile() {
        if !Isa::best().has_bf16() {
            return eprintln!("not checked: packing into tiles, which this CPU cannot do");
        }
        for (count, depth) in [(1, 1), (16, 32), (17, 33), (32, 64), (70, 100), (33, 31)] {
            for strides in [[depth, 1], [1, count], [depth + 3, 1], [1, count + 5], [3 * depth, 3]] {
                let len = (count - 1) * strides[0] + (depth - 1) * strides[1] + 1;
                let numbers: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
                check(&numbers, count, depth, strides);
                let halves: Vec<bf16> = numbers.iter().map(|&number| bf16::from_f32(number)).collect();
                check(&halves, count, depth, strides);
            }
        }
    }
}
