//! Lanes that are multiplied in vector registers.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;
use std::mem::transmute;

use super::lane::{Lane, Target, VectorLane};
use super::number::Number;
use super::tile::{TILE_ROWS, multiply};
use super::vectors::{LANES, Vectors, load};

/// Software prefetch distance, in elements along k.
const AHEAD: usize = 32;

/// One f32 number.
#[derive(Clone, Copy)]
pub(super) struct Single;

impl Lane for Single {
    const DEPTH: usize = 1;
    const TILE_ROWS: usize = TILE_ROWS;

    fn in_place(rows: &Vectors) -> Option<(*const u32, usize)> {
        (rows.depth_stride == 1).then(|| (rows.data.cast(), rows.stride))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> __m512i {
        // SAFETY: the vector exists, and the mask leaves out what lies beyond its end.
        unsafe {
            let data = vectors.data.add(vector * vectors.stride + step * vectors.depth_stride);
            _mm512_castps_si512(load(data, vectors.depth_stride, vectors.depth - step))
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> __m512i {
        // SAFETY: the step exists in each vector, and the mask leaves out vectors that do not.
        unsafe {
            let data = vectors.data.add(first + step * vectors.depth_stride);
            _mm_prefetch::<_MM_HINT_T0>(data.wrapping_add(AHEAD * vectors.depth_stride).cast());
            _mm512_castps_si512(load(data, 1, vectors.count - first))
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { multiply::<Self>(steps, a, a_stride, b, target) }
    }
}

impl VectorLane for Single {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn multiply_add(acc: __m512, a: __m512i, b: __m512i) -> __m512 {
        _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), acc)
    }
}

/// Two bf16 numbers. If k is odd, the last pair is padded with 0.
#[derive(Clone, Copy)]
pub(super) struct Pair;

impl Lane for Pair {
    const DEPTH: usize = 2;
    const TILE_ROWS: usize = TILE_ROWS;

    fn in_place(_rows: &Vectors) -> Option<(*const u32, usize)> {
        None
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> __m512i {
        let from = step * Self::DEPTH;
        let depth = vectors.depth - from;
        // SAFETY: the vector exists, and the masks leave out what lies beyond its end.
        unsafe {
            let data = vectors.data.add(vector * vectors.stride + from * vectors.depth_stride);
            let low = load(data, vectors.depth_stride, depth);
            let next = data.wrapping_add(LANES * vectors.depth_stride);
            round(low, load(next, vectors.depth_stride, depth.saturating_sub(LANES)))
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> __m512i {
        let from = step * Self::DEPTH;
        let count = vectors.count - first;
        // SAFETY: the masks leave out elements that do not exist.
        unsafe {
            let data = vectors.data.wrapping_add(first + from * vectors.depth_stride);
            for i in AHEAD..AHEAD + Self::DEPTH {
                _mm_prefetch::<_MM_HINT_T0>(data.wrapping_add(i * vectors.depth_stride).cast());
            }
            let count_at = |k: usize| if k < vectors.depth { count } else { 0 };
            let even = load(data, 1, count_at(from));
            let odd = load(data.wrapping_add(vectors.depth_stride), 1, count_at(from + 1));
            interleaved(even, odd)
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { multiply::<Self>(steps, a, a_stride, b, target) }
    }
}

impl VectorLane for Pair {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn multiply_add(acc: __m512, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: both types are 64 bytes of any bits.
        let (a, b) = unsafe { (transmute::<__m512i, __m512bh>(a), transmute::<__m512i, __m512bh>(b)) };
        _mm512_dpbf16_ps(acc, a, b)
    }
}

/// Both vectors rounded to the nearest bf16, ties to even, `low` in the lower half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn round(low: __m512, high: __m512) -> __m512i {
    let rounded = _mm512_cvtne2ps_pbh(high, low);
    // SAFETY: both types are 64 bytes of any bits.
    unsafe { transmute::<__m512bh, __m512i>(rounded) }
}

/// Both vectors rounded to bf16, as pairs of an element of each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn interleaved(even: __m512, odd: __m512) -> __m512i {
    // Element e of the low half beside element e of the high half.
    let pairs = _mm512_set_epi32(
        0x1f_000f, 0x1e_000e, 0x1d_000d, 0x1c_000c, 0x1b_000b, 0x1a_000a, 0x19_0009, 0x18_0008, 0x17_0007, 0x16_0006,
        0x15_0005, 0x14_0004, 0x13_0003, 0x12_0002, 0x11_0001, 0x10_0000,
    );
    _mm512_permutexvar_epi16(pairs, round(even, odd))
}
