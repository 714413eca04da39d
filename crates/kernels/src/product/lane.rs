//! Lanes of 32 bits of an operand and their products: one f32, or a pair of consecutive bf16 numbers along k.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;
use std::mem::transmute;

use super::number::Number;
use super::vectors::{LANES, Vectors, load};

/// Software prefetch distance, in elements along k.
const AHEAD: usize = 32;

/// A kind of lane. Its functions need a CPU with AVX-512 F, BW and BF16.
pub(super) trait Lane: Copy {
    /// Number of elements along k in a lane.
    const DEPTH: usize;

    /// The rows of an operand in place as rows of lanes, and the number of lanes from one row to the next; `None` if
    /// they must be packed.
    fn in_place(rows: &Vectors) -> Option<(*const u32, usize)>;

    /// `acc + a·b` in every lane.
    unsafe fn multiply_add(acc: __m512, a: __m512i, b: __m512i) -> __m512;

    /// 16 lanes of one vector, from `step` on; this is fast if the vector's elements are contiguous. Lanes after the
    /// vector's end are 0.
    ///
    /// # Safety
    /// The vector and the step exist.
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> __m512i;

    /// The lanes of one step of 16 vectors from `first` on, which are contiguous across vectors (`stride` is 1). Lanes
    /// after the last vector are 0.
    ///
    /// # Safety
    /// The first vector and the step exist.
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> __m512i;
}

/// One f32 number.
#[derive(Clone, Copy)]
pub(super) struct Single;

impl Lane for Single {
    const DEPTH: usize = 1;

    fn in_place(rows: &Vectors) -> Option<(*const u32, usize)> {
        (rows.depth_stride == 1).then(|| (rows.data.cast(), rows.stride))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn multiply_add(acc: __m512, a: __m512i, b: __m512i) -> __m512 {
        _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), acc)
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
}

/// Two bf16 numbers. If k is odd, the last pair is padded with 0.
#[derive(Clone, Copy)]
pub(super) struct Pair;

impl Lane for Pair {
    const DEPTH: usize = 2;

    fn in_place(_rows: &Vectors) -> Option<(*const u32, usize)> {
        None
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn multiply_add(acc: __m512, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: both types are 64 bytes of any bits.
        let (a, b) = unsafe { (transmute::<__m512i, __m512bh>(a), transmute::<__m512i, __m512bh>(b)) };
        _mm512_dpbf16_ps(acc, a, b)
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
        // Interleaves element e of the low half with element e of the high half.
        let pairs = _mm512_set_epi32(
            0x1f_000f, 0x1e_000e, 0x1d_000d, 0x1c_000c, 0x1b_000b, 0x1a_000a, 0x19_0009, 0x18_0008, 0x17_0007,
            0x16_0006, 0x15_0005, 0x14_0004, 0x13_0003, 0x12_0002, 0x11_0001, 0x10_0000,
        );
        let from = step * Self::DEPTH;
        let count = vectors.count - first;
        // SAFETY: element `from` exists in each vector, and the masks leave out vectors that do not.
        unsafe {
            let data = vectors.data.add(first + from * vectors.depth_stride);
            for i in AHEAD..AHEAD + Self::DEPTH {
                _mm_prefetch::<_MM_HINT_T0>(data.wrapping_add(i * vectors.depth_stride).cast());
            }
            let even = load(data, 1, count);
            let odd =
                load(data.wrapping_add(vectors.depth_stride), 1, if from + 1 < vectors.depth { count } else { 0 });
            _mm512_permutexvar_epi16(pairs, round(even, odd))
        }
    }
}

/// Both vectors rounded to the nearest bf16, ties to even, `low` in the lower half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round(low: __m512, high: __m512) -> __m512i {
    let rounded = _mm512_cvtne2ps_pbh(high, low);
    // SAFETY: both types are 64 bytes of any bits.
    unsafe { transmute::<__m512bh, __m512i>(rounded) }
}
