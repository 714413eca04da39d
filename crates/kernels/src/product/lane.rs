//! Lanes of 32 bits of an operand and their products: one f32, or a pair of consecutive bf16 numbers along k.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;
use std::mem::transmute;

use super::number::Number;
use super::tile::{self, Target};
use super::vectors::{LANES, Vectors, load};

/// Software prefetch distance, in elements along k.
const AHEAD: usize = 32;

/// A vector register of lanes.
pub(super) type Register = __m512i;

/// A kind of lane, and how blocks of C are computed from packed ones. Its functions need a CPU with AVX-512 F, BW and
/// BF16.
pub(super) trait Lane: Copy {
    /// Number of elements along k in a lane.
    const DEPTH: usize;
    /// Packed operands have a multiple of this number of lanes along k.
    const STEP_UNIT: usize = 1;
    /// Largest number of rows of C that are computed at once.
    const TILE_ROWS: usize = tile::TILE_ROWS;
    /// Number of lanes along k over which sums stay in registers. By default, a panel of B of this length takes 96 KiB
    /// and stays in L2 while all rows of A are multiplied with it; parts that fit L1 would read and write C more often,
    /// and were a tenth slower.
    const PART: usize = 384;

    /// Number of lanes from one packed row to the next: at least `steps`, and whole vectors.
    fn row_stride(steps: usize) -> usize {
        steps.next_multiple_of(LANES)
    }

    /// The rows of an operand in place as rows of lanes, and the number of lanes from one row to the next; `None` if
    /// they must be packed.
    fn in_place(rows: &Vectors) -> Option<(*const u32, usize)>;

    /// 16 lanes of one vector, from `step` on; this is fast if the vector's elements are contiguous. Lanes after the
    /// vector's end are 0.
    ///
    /// # Safety
    /// The vector and the step exist.
    unsafe fn along<E: Number>(vectors: &Vectors<E>, vector: usize, step: usize) -> __m512i;

    /// The lanes of one step of 16 vectors from `first` on, which are contiguous across vectors (`stride` is 1). Lanes
    /// after the last vector, and of steps after the vectors' end, are 0.
    ///
    /// # Safety
    /// The first vector exists.
    unsafe fn across<E: Number>(vectors: &Vectors<E>, first: usize, step: usize) -> __m512i;

    /// Prepares the thread for [`multiply`](Self::multiply).
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn begin() {}

    /// Computes the target's rows (at most [`TILE_ROWS`](Self::TILE_ROWS)) and columns (at most 64) of C.
    ///
    /// # Safety
    /// The thread is prepared. `a` has [`TILE_ROWS`](Self::TILE_ROWS) rows of `steps` lanes, `a_stride` apart, of which
    /// the target's have values; `b` is a panel of `steps` steps and the target's columns, rounded up to whole vectors;
    /// C has the target's rows and columns, and so has what it starts from.
    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: Target);

    /// Undoes [`begin`](Self::begin).
    ///
    /// # Safety
    /// The thread is prepared.
    unsafe fn end() {}
}

/// A lane of vector registers.
pub(super) trait VectorLane: Lane {
    /// `acc + a·b` in every lane.
    unsafe fn multiply_add(acc: __m512, a: __m512i, b: __m512i) -> __m512;
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
        unsafe { tile::multiply::<Self>(steps, a, a_stride, b, target) }
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
        // Interleaves element e of the low half with element e of the high half.
        let pairs = _mm512_set_epi32(
            0x1f_000f, 0x1e_000e, 0x1d_000d, 0x1c_000c, 0x1b_000b, 0x1a_000a, 0x19_0009, 0x18_0008, 0x17_0007,
            0x16_0006, 0x15_0005, 0x14_0004, 0x13_0003, 0x12_0002, 0x11_0001, 0x10_0000,
        );
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
            _mm512_permutexvar_epi16(pairs, round(even, odd))
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn multiply(steps: usize, a: *const u32, a_stride: usize, b: *const u32, target: Target) {
        // SAFETY: the caller's promise.
        unsafe { tile::multiply::<Self>(steps, a, a_stride, b, target) }
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
fn round(low: __m512, high: __m512) -> __m512i {
    let rounded = _mm512_cvtne2ps_pbh(high, low);
    // SAFETY: both types are 64 bytes of any bits.
    unsafe { transmute::<__m512bh, __m512i>(rounded) }
}
