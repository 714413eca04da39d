//! Lanes that are multiplied in vector registers.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;
use std::marker::PhantomData;
use std::mem::transmute;

use super::lane::{Lane, Target, VectorLane};
use super::number::Number;
use super::registers::{LANES, Sixteen, Zmm};
use super::tile::{TILE_ROWS, multiply};
use super::vectors::{Vectors, load};

/// Software prefetch distance, in elements along k.
const AHEAD: usize = 32;

/// One f32 number.
#[derive(Clone, Copy)]
pub(super) struct Single<R>(PhantomData<R>);

impl<R: Sixteen> Lane for Single<R> {
    type Registers = R;
    const DEPTH: usize = 1;
    const TILE_ROWS: usize = TILE_ROWS;

    fn in_place<E: Number>(rows: &Vectors<E>) -> Option<(*const u32, usize)> {
        (!E::IS_BF16 && rows.depth_stride == 1).then(|| (rows.data.cast(), rows.stride))
    }

    #[inline(always)]
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> R {
        // SAFETY: the vector exists, and nothing is read beyond its end.
        unsafe {
            let data = vectors.data.add(vector * vectors.stride + step * vectors.depth_stride);
            load(data, vectors.depth_stride, vectors.depth - step)
        }
    }

    #[inline(always)]
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> R {
        // SAFETY: the step exists in each vector, and nothing is read of vectors that do not exist.
        unsafe {
            let data = vectors.data.add(first + step * vectors.depth_stride);
            _mm_prefetch::<_MM_HINT_T0>(data.wrapping_add(AHEAD * vectors.depth_stride).cast());
            load(data, 1, vectors.count - first)
        }
    }

    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: &Target) {
        // SAFETY: the caller's promise.
        unsafe { multiply::<Self>(steps, a, a_stride, b, target) }
    }
}

impl<R: Sixteen> VectorLane for Single<R> {
    #[inline(always)]
    unsafe fn add_product(sum: R, a: R, b: R) -> R {
        // SAFETY: the caller's promise.
        unsafe { sum.add_product(a, b) }
    }
}

/// One f32 number that is rounded to bf16, where the CPU has no products of bf16.
#[derive(Clone, Copy)]
pub(super) struct Rounded<R>(PhantomData<R>);

impl<R: Sixteen> Lane for Rounded<R> {
    type Registers = R;
    const DEPTH: usize = 1;
    const TILE_ROWS: usize = TILE_ROWS;

    fn in_place<E: Number>(_rows: &Vectors<E>) -> Option<(*const u32, usize)> {
        None
    }

    #[inline(always)]
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> R {
        // SAFETY: the caller's promise.
        unsafe { Single::<R>::along(vectors, vector, step).rounded() }
    }

    #[inline(always)]
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> R {
        // SAFETY: the caller's promise.
        unsafe { Single::<R>::across(vectors, first, step).rounded() }
    }

    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: &Target) {
        // SAFETY: the caller's promise. Packed lanes have the same meaning.
        unsafe { Single::<R>::multiply(steps, a, a_stride, b, target) }
    }
}

/// Two bf16 numbers. If k is odd, the last pair is padded with 0.
#[derive(Clone, Copy)]
pub(super) struct Pair;

impl Lane for Pair {
    type Registers = Zmm;
    const DEPTH: usize = 2;
    const TILE_ROWS: usize = TILE_ROWS;

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn run<T>(mut work: impl FnMut() -> T) -> T {
        work()
    }

    fn in_place<E: Number>(rows: &Vectors<E>) -> Option<(*const u32, usize)> {
        let pairs = rows.depth_stride == 1 && rows.stride.is_multiple_of(2) && rows.depth.is_multiple_of(2);
        (E::IS_BF16 && pairs && rows.data.cast::<u32>().is_aligned()).then(|| (rows.data.cast(), rows.stride / 2))
    }

    #[inline(always)]
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> Zmm {
        let from = step * Self::DEPTH;
        let depth = vectors.depth - from;
        // SAFETY: the vector exists, and nothing is read beyond its end.
        unsafe {
            let data = vectors.data.add(vector * vectors.stride + from * vectors.depth_stride);
            let low = load(data, vectors.depth_stride, depth);
            let next = data.wrapping_add(LANES * vectors.depth_stride);
            round(low, load(next, vectors.depth_stride, depth.saturating_sub(LANES)))
        }
    }

    #[inline(always)]
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> Zmm {
        let from = step * Self::DEPTH;
        let count = vectors.count - first;
        // SAFETY: elements that do not exist are not read.
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

    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: &Target) {
        // SAFETY: the caller's promise.
        unsafe { multiply::<Self>(steps, a, a_stride, b, target) }
    }
}

impl VectorLane for Pair {
    #[inline(always)]
    unsafe fn add_product(sum: Zmm, a: Zmm, b: Zmm) -> Zmm {
        // SAFETY: the caller's promise on the CPU; both types are 64 bytes of any bits.
        unsafe {
            let [a, b] = [a, b].map(|pairs| transmute::<__m512i, __m512bh>(pairs.0));
            Zmm(_mm512_castps_si512(_mm512_dpbf16_ps(sum.numbers(), a, b)))
        }
    }
}

/// Both vectors of f32 rounded to the nearest bf16, ties to even, `low` in the lower half.
///
/// # Safety
/// The CPU has AVX-512 F, BW and BF16, for which the caller is compiled.
#[inline(always)]
pub(super) unsafe fn round(low: Zmm, high: Zmm) -> Zmm {
    // SAFETY: the caller's promise; both types are 64 bytes of any bits.
    unsafe { Zmm(transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high.numbers(), low.numbers()))) }
}

/// Both vectors of f32 rounded to bf16, as pairs of an element of each.
///
/// # Safety
/// As for [`round`].
#[inline(always)]
pub(super) unsafe fn interleaved(even: Zmm, odd: Zmm) -> Zmm {
    // SAFETY: the caller's promise.
    unsafe {
        // Element e of the low half beside element e of the high half.
        let pairs = _mm512_set_epi32(
            0x1f_000f, 0x1e_000e, 0x1d_000d, 0x1c_000c, 0x1b_000b, 0x1a_000a, 0x19_0009, 0x18_0008, 0x17_0007,
            0x16_0006, 0x15_0005, 0x14_0004, 0x13_0003, 0x12_0002, 0x11_0001, 0x10_0000,
        );
        Zmm(_mm512_permutexvar_epi16(pairs, round(even, odd).0))
    }
}
