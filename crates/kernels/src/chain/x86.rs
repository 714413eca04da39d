//! Vectors of AVX2 and AVX-512.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;
use std::mem::transmute;

use super::{Bf16Pair, ChainVector, ChainWork};

/// # Safety
/// The CPU has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn with_avx2<E, W: ChainWork<E>>(work: W)
where
    EightLanes: ChainVector<E>,
{
    // SAFETY: the caller's promise.
    unsafe { work.run::<EightLanes>() }
}

/// # Safety
/// The CPU has AVX-512 F.
#[target_feature(enable = "avx512f,avx2,fma")]
pub unsafe fn with_avx512<E, W: ChainWork<E>>(work: W)
where
    SixteenLanes: ChainVector<E>,
{
    // SAFETY: the caller's promise.
    unsafe { work.run::<SixteenLanes>() }
}

/// # Safety
/// The CPU has AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bf16,avx2,fma")]
pub unsafe fn with_avx512_bf16<W: ChainWork<Bf16Pair>>(work: W) {
    // SAFETY: the caller's promise.
    unsafe { work.run::<SixteenPairs>() }
}

pub struct EightLanes;
pub struct SixteenLanes;
/// [`SixteenLanes`], with products of pairs by one instruction, which flushes subnormal numbers to zero.
pub struct SixteenPairs;

/// Vectors of 8 lanes.
macro_rules! eight_lanes {
    () => {
        const LANES: usize = 8;
        const MANY: bool = false;
        type Sums = __m256;

        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn zero() -> __m256 {
            _mm256_setzero_ps()
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn load(from: *const f32) -> __m256 {
            // SAFETY: the caller's promise.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn store(sums: __m256, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_ps(to, sums) }
        }
    };
}

/// Vectors of 16 lanes.
macro_rules! sixteen_lanes {
    () => {
        const LANES: usize = 16;
        const MANY: bool = true;
        type Sums = __m512;

        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn zero() -> __m512 {
            _mm512_setzero_ps()
        }

        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn load(from: *const f32) -> __m512 {
            // SAFETY: the caller's promise.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn store(sums: __m512, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_ps(to, sums) }
        }
    };
}

impl ChainVector<f32> for EightLanes {
    eight_lanes!();
    type Left = __m256;
    type Right = __m256;

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn left(from: *const f32) -> __m256 {
        // SAFETY: the caller's promise.
        _mm256_set1_ps(unsafe { from.read() })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn right(from: *const f32) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn multiply_add(sums: __m256, left: __m256, right: __m256) -> __m256 {
        _mm256_fmadd_ps(left, right, sums)
    }
}

impl ChainVector<f32> for SixteenLanes {
    sixteen_lanes!();
    type Left = __m512;
    type Right = __m512;

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn left(from: *const f32) -> __m512 {
        // SAFETY: the caller's promise.
        _mm512_set1_ps(unsafe { from.read() })
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn right(from: *const f32) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn multiply_add(sums: __m512, left: __m512, right: __m512) -> __m512 {
        _mm512_fmadd_ps(left, right, sums)
    }
}

impl ChainVector<Bf16Pair> for EightLanes {
    eight_lanes!();
    /// The second numbers, then the first.
    type Left = [__m256; 2];
    type Right = [__m256; 2];

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn left(from: *const Bf16Pair) -> [__m256; 2] {
        // SAFETY: the caller's promise.
        let pair = unsafe { from.read() };
        [_mm256_set1_ps(f32::from_bits(pair & 0xffff_0000)), _mm256_set1_ps(f32::from_bits(pair << 16))]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn right(from: *const Bf16Pair) -> [__m256; 2] {
        // SAFETY: the caller's promise.
        let pairs = unsafe { _mm256_loadu_si256(from.cast()) };
        let second = _mm256_and_si256(pairs, _mm256_set1_epi32(!0xffff));
        [_mm256_castsi256_ps(second), _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs))]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn multiply_add(sums: __m256, left: [__m256; 2], right: [__m256; 2]) -> __m256 {
        _mm256_fmadd_ps(left[1], right[1], _mm256_fmadd_ps(left[0], right[0], sums))
    }
}

impl ChainVector<Bf16Pair> for SixteenLanes {
    sixteen_lanes!();
    /// The second numbers, then the first.
    type Left = [__m512; 2];
    type Right = [__m512; 2];

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn left(from: *const Bf16Pair) -> [__m512; 2] {
        // SAFETY: the caller's promise.
        let pair = unsafe { from.read() };
        [_mm512_set1_ps(f32::from_bits(pair & 0xffff_0000)), _mm512_set1_ps(f32::from_bits(pair << 16))]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn right(from: *const Bf16Pair) -> [__m512; 2] {
        // SAFETY: the caller's promise.
        let pairs = unsafe { _mm512_loadu_si512(from.cast()) };
        let second = _mm512_and_si512(pairs, _mm512_set1_epi32(!0xffff));
        [_mm512_castsi512_ps(second), _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs))]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn multiply_add(sums: __m512, left: [__m512; 2], right: [__m512; 2]) -> __m512 {
        _mm512_fmadd_ps(left[1], right[1], _mm512_fmadd_ps(left[0], right[0], sums))
    }
}

impl ChainVector<Bf16Pair> for SixteenPairs {
    sixteen_lanes!();
    type Left = __m512i;
    type Right = __m512i;

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn left(from: *const Bf16Pair) -> __m512i {
        // SAFETY: the caller's promise.
        _mm512_set1_epi32(unsafe { from.read() }.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn right(from: *const Bf16Pair) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn multiply_add(sums: __m512, left: __m512i, right: __m512i) -> __m512 {
        // SAFETY: the types are 64 bytes of any bits.
        let [left, right] = [left, right].map(|pairs| unsafe { transmute::<__m512i, __m512bh>(pairs) });
        _mm512_dpbf16_ps(sums, left, right)
    }
}
