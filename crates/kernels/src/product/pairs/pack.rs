//! Rows of numbers as lanes of pairs, and transposed lanes.
//!
//! # Safety
//! of all functions: the CPU has AVX512-BF16.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::super::registers::{LANES, Sixteen, Zmm};
use super::super::vector_lanes::{interleaved, round};

/// Rows in memory, `stride` elements apart, of which the first `width` count.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, E> {
    data: &'a [E],
    stride: usize,
    count: usize,
    width: usize,
}

impl<'a, E> Rows<'a, E> {
    /// # Panics
    /// If the last row lies beyond the data.
    pub fn new(data: &'a [E], stride: usize, [count, width]: [usize; 2]) -> Self {
        assert!(count == 0 || (count - 1) * stride + width <= data.len(), "rows lie inside their data");
        Self { data, stride, count, width }
    }

    fn row(&self, index: usize) -> *const E {
        self.data.as_ptr().wrapping_add(index * self.stride)
    }
}

/// Rounds each number times `scale` to bf16: a row of `lanes` lanes for each row, zeros after the row's end.
/// `[count, width]` → `[count, lanes]`
///
/// # Safety
/// As the module says.
///
/// # Panics
/// If the lanes are no whole vectors, do not hold a row, or `out` has another size.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) unsafe fn round_rows(rows: Rows<f32>, scale: f32, lanes: usize, out: &mut [MaybeUninit<u32>]) {
    assert!(lanes.is_multiple_of(LANES) && rows.width <= 2 * lanes, "a row of lanes holds a row of numbers");
    assert_eq!(out.len(), rows.count * lanes, "a row of lanes for each row");
    // SAFETY: masked loads read no number beyond a row's end; the lanes lie inside `out`.
    unsafe {
        let scale = _mm512_set1_ps(scale);
        for row in 0..rows.count {
            let (from, to) = (rows.row(row), out.as_mut_ptr().add(row * lanes).cast::<i32>());
            for lane in (0..lanes).step_by(LANES) {
                let left = rows.width.saturating_sub(2 * lane);
                let low = _mm512_maskz_loadu_ps(first(left), from.wrapping_add(2 * lane));
                let high =
                    _mm512_maskz_loadu_ps(first(left.saturating_sub(LANES)), from.wrapping_add(2 * lane + LANES));
                let [low, high] = [low, high].map(|x| Zmm(_mm512_castps_si512(_mm512_mul_ps(x, scale))));
                _mm512_storeu_epi32(to.add(lane), round(low, high).0);
            }
        }
    }
}

/// Pairs of two rows: lane j of row i is number j of row 2i and of row 2i + 1, rounded to bf16. `[count, width]`
/// → `[count / 2, width]`
///
/// # Safety
/// As the module says.
///
/// # Panics
/// If rows are no whole vectors, their number is odd, or `out` has another size.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) unsafe fn pair_rows(rows: Rows<f32>, out: &mut [u32]) {
    assert!(rows.width.is_multiple_of(LANES) && rows.count.is_multiple_of(2), "rows are whole vectors, two a pair");
    assert_eq!(out.len(), rows.count / 2 * rows.width, "half as many rows");
    // SAFETY: rows and lanes exist.
    unsafe {
        for (pair, out) in out.chunks_exact_mut(rows.width).enumerate() {
            let (even, odd) = (rows.row(2 * pair).cast::<u32>(), rows.row(2 * pair + 1).cast::<u32>());
            for lane in (0..rows.width).step_by(LANES) {
                let pairs = interleaved(Zmm::load(even.add(lane)), Zmm::load(odd.add(lane)));
                _mm512_storeu_epi32(out.as_mut_ptr().add(lane).cast(), pairs.0);
            }
        }
    }
}

/// Pairs of two rows that are pairs along the row: lane j of row i is number j of row 2i and of row 2i + 1, and 0 where
/// there is no such row. `[count, width lanes]` → `[pairs, 2·width]`
///
/// # Safety
/// As the module says.
///
/// # Panics
/// If rows are no whole vectors, or `out` holds no row for each two.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) unsafe fn pair_lanes(rows: Rows<u32>, out: &mut [u32]) {
    assert!(rows.width.is_multiple_of(LANES), "rows are whole vectors");
    assert!(out.len() >= rows.count.div_ceil(2) * 2 * rows.width, "a row of pairs for each two rows");
    // SAFETY: rows and lanes exist.
    unsafe {
        let [low, high] = [word_pairs(0, 1), word_pairs(16, 1)];
        for (pair, out) in out.chunks_exact_mut(2 * rows.width).enumerate() {
            for lane in (0..rows.width).step_by(LANES) {
                let [even, odd] = [2 * pair, 2 * pair + 1].map(|row| lanes_of(&rows, row, lane));
                let to = out.as_mut_ptr().add(2 * lane).cast::<i32>();
                _mm512_storeu_epi32(to, _mm512_permutex2var_epi16(even, low, odd));
                _mm512_storeu_epi32(to.add(LANES), _mm512_permutex2var_epi16(even, high, odd));
            }
        }
    }
}

/// Transposes lanes. Rows from `count` on are 0. `[count, width]` → `[width, rows]`, rows `out_stride` apart
///
/// # Safety
/// As the module says.
///
/// # Panics
/// If a size is no whole number of vectors, or `out` is too short.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) unsafe fn transpose(from: Rows<u32>, rows: usize, out: &mut [u32], out_stride: usize) {
    assert!(from.width.is_multiple_of(LANES) && rows.is_multiple_of(LANES), "rows and columns are whole vectors");
    assert!(from.width == 0 || (from.width - 1) * out_stride + rows <= out.len(), "the result is too short");
    // SAFETY: rows, columns and the result's lanes exist.
    unsafe {
        for row in (0..rows).step_by(LANES) {
            for lane in (0..from.width).step_by(LANES) {
                let mut block = [Zmm::splat(0); LANES];
                for (i, lanes) in block.iter_mut().enumerate() {
                    *lanes = Zmm(lanes_of(&from, row + i, lane));
                }
                for (i, column) in Zmm::transposed(&block).iter().enumerate() {
                    _mm512_storeu_epi32(out.as_mut_ptr().add((lane + i) * out_stride + row).cast(), column.0);
                }
            }
        }
    }
}

/// The transpose of rows of bf16 numbers, in pairs again: lane i of row j is number j of row 2i and of row 2i + 1. What
/// no row has is 0. `[count, width lanes]` → `[2·width, out_stride lanes]`
///
/// # Safety
/// As the module says.
///
/// # Panics
/// If a size is no whole number of vectors, or `out` does not hold the result.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) unsafe fn transpose_pairs(from: Rows<u32>, out: &mut [MaybeUninit<u32>], out_stride: usize) {
    assert!(from.width.is_multiple_of(LANES) && out_stride.is_multiple_of(LANES), "rows and columns are whole vectors");
    assert!(out.len() == 2 * from.width * out_stride && from.count <= 2 * out_stride, "the result has another size");
    // SAFETY: rows, columns and the result's lanes exist.
    unsafe {
        let words = [word_pairs(0, 2), word_pairs(1, 2)];
        for pair in (0..out_stride).step_by(LANES) {
            for lane in (0..from.width).step_by(LANES) {
                for (half, words) in words.into_iter().enumerate() {
                    let mut block = [Zmm::splat(0); LANES];
                    for (i, lanes) in block.iter_mut().enumerate() {
                        let [even, odd] = [0, 1].map(|next| lanes_of(&from, 2 * (pair + i) + next, lane));
                        *lanes = Zmm(_mm512_permutex2var_epi16(even, words, odd));
                    }
                    for (i, column) in Zmm::transposed(&block).iter().enumerate() {
                        let row = 2 * (lane + i) + half;
                        _mm512_storeu_epi32(out.as_mut_ptr().add(row * out_stride + pair).cast(), column.0);
                    }
                }
            }
        }
    }
}

/// 16 lanes of a row; zeros if there is no such row.
///
/// # Safety
/// As the module says; the lanes exist in every row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn lanes_of(rows: &Rows<u32>, row: usize, lane: usize) -> __m512i {
    if row < rows.count {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_si512(rows.row(row).add(lane).cast()) }
    } else {
        _mm512_setzero_si512()
    }
}

/// Indices of words: pair i is word `from + step·i` of the first register and of the second.
#[inline]
#[target_feature(enable = "avx512f")]
fn word_pairs(from: i16, step: i16) -> __m512i {
    let mut words = [0i16; 2 * LANES];
    for (i, pair) in words.chunks_exact_mut(2).enumerate() {
        let word = from + step * i as i16;
        pair.copy_from_slice(&[word, word + 2 * LANES as i16]);
    }
    // SAFETY: 64 bytes of any bits.
    unsafe { std::mem::transmute(words) }
}

/// A mask of the first `count` lanes, or of all.
#[inline]
fn first(count: usize) -> __mmask16 {
    if count >= LANES { !0 } else { (1 << count) - 1 }
}
