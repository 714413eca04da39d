//! 16 lanes of 32 bits in the registers of an instruction set.
//!
//! The functions are compiled for the instructions by inlining into [`Sixteen::run`], so they have no
//! `target_feature` of their own.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;

/// Lanes of 32 bits that are processed together.
pub(super) const LANES: usize = 16;

/// 16 lanes of 32 bits. Lanes with f32 numbers hold their bits.
///
/// # Safety
/// of its functions: the CPU has the instructions, and what is pointed at is readable or writable.
pub trait Sixteen: Copy {
    /// Number of these in a row of the largest tile of C, of 6 rows.
    const TILE_VECTORS: usize;

    /// Compiles a closure for the instructions, and runs it. The closure, and what it calls, has to be
    /// `#[inline(always)]`.
    unsafe fn run<T>(work: impl FnMut() -> T) -> T;

    unsafe fn splat(lane: u32) -> Self;
    unsafe fn load(from: *const u32) -> Self;
    /// The first `count` (at most 16) lanes, then zeros. No others are read.
    unsafe fn load_first(from: *const u32, count: usize) -> Self;
    /// 16 bf16 numbers in f32.
    unsafe fn widened(from: *const u16) -> Self;
    /// Stores to the beginning of a cache line.
    unsafe fn store(self, to: *mut u32);
    /// Stores the first `count` (at most 16) lanes. No others are written.
    unsafe fn store_first(self, to: *mut u32, count: usize);
    /// Sums of f32 numbers.
    unsafe fn add(self, other: Self) -> Self;
    /// `self + a·b` of f32 numbers, rounded once.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// f32 numbers rounded to the nearest bf16, ties to even.
    unsafe fn rounded(self) -> Self;
    /// Lane j of register i becomes lane i of register j.
    unsafe fn transposed(block: &[Self; LANES]) -> [Self; LANES];
}

/// One register of AVX-512, of which F and BW are needed. 6 × 4 sums, 4 vectors of B and one of A use 29 of 32
/// registers, and a step needs 10 loads for 24 multiplications, so that loads limit no CPU. A tile of 12 × 2 would need
/// 14 loads, which limits a CPU that does two multiplications per load.
#[derive(Clone, Copy)]
pub(super) struct Zmm(pub __m512i);

impl Sixteen for Zmm {
    const TILE_VECTORS: usize = 4;

    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn run<T>(mut work: impl FnMut() -> T) -> T {
        work()
    }

    #[inline(always)]
    unsafe fn splat(lane: u32) -> Self {
        // SAFETY: the caller's promise, here and below.
        unsafe { Self(_mm512_set1_epi32(lane.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u32) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const u32, count: usize) -> Self {
        // SAFETY: as above; a masked load touches no other lanes.
        unsafe { Self(_mm512_maskz_loadu_epi32(first(count), from.cast())) }
    }

    #[inline(always)]
    unsafe fn widened(from: *const u16) -> Self {
        // SAFETY: as above. A bf16 number is the upper half of an f32 number.
        unsafe { Self(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast())))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u32) {
        // SAFETY: as above; a cache line is aligned.
        unsafe { _mm512_store_si512(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut u32, count: usize) {
        // SAFETY: as above; a masked store touches no other lanes.
        unsafe { _mm512_mask_storeu_epi32(to.cast(), first(count), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm512_castps_si512(_mm512_add_ps(self.numbers(), other.numbers()))) }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm512_castps_si512(_mm512_fmadd_ps(a.numbers(), b.numbers(), self.numbers()))) }
    }

    #[inline(always)]
    unsafe fn rounded(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(self.0), _mm512_set1_epi32(1));
            let raised = _mm512_add_epi32(_mm512_add_epi32(self.0, _mm512_set1_epi32(0x7fff)), odd);
            let rounded = _mm512_and_si512(raised, _mm512_set1_epi32(!0xffff));
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.numbers(), self.numbers());
            Self(_mm512_mask_mov_epi32(rounded, nan, self.0))
        }
    }

    #[inline(always)]
    unsafe fn transposed(block: &[Self; LANES]) -> [Self; LANES] {
        // Loops instead of `array::map`, which is not inlined for so many registers: they would go by way of memory.
        let mut pairs = [block[0].0; LANES];
        // For every group of four registers: each result has the four lanes of one column.
        let mut fours = pairs;
        let mut columns = *block;
        // SAFETY: as above.
        unsafe {
            for i in (0..LANES).step_by(2) {
                pairs[i] = _mm512_unpacklo_epi32(block[i].0, block[i + 1].0);
                pairs[i + 1] = _mm512_unpackhi_epi32(block[i].0, block[i + 1].0);
            }
            for i in (0..LANES).step_by(4) {
                fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
                fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
                fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
                fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
            }
            for j in 0..4 {
                let low_even = _mm512_shuffle_i32x4::<0x88>(fours[j], fours[4 + j]);
                let low_odd = _mm512_shuffle_i32x4::<0xdd>(fours[j], fours[4 + j]);
                let high_even = _mm512_shuffle_i32x4::<0x88>(fours[8 + j], fours[12 + j]);
                let high_odd = _mm512_shuffle_i32x4::<0xdd>(fours[8 + j], fours[12 + j]);
                columns[j].0 = _mm512_shuffle_i32x4::<0x88>(low_even, high_even);
                columns[4 + j].0 = _mm512_shuffle_i32x4::<0x88>(low_odd, high_odd);
                columns[8 + j].0 = _mm512_shuffle_i32x4::<0xdd>(low_even, high_even);
                columns[12 + j].0 = _mm512_shuffle_i32x4::<0xdd>(low_odd, high_odd);
            }
        }
        columns
    }
}

impl Zmm {
    /// Its lanes as f32 numbers.
    #[inline(always)]
    pub unsafe fn numbers(self) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_castsi512_ps(self.0) }
    }
}

/// A mask of the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as u16
}

/// Two registers of AVX2, with FMA. 6 × 1 pairs of sums, one pair of B and one vector of A use 15 of 16 registers, and
/// a step needs 8 loads for 12 multiplications.
#[derive(Clone, Copy)]
pub(super) struct TwoYmm([__m256i; 2]);

impl Sixteen for TwoYmm {
    const TILE_VECTORS: usize = 1;

    #[target_feature(enable = "avx2,fma")]
    unsafe fn run<T>(mut work: impl FnMut() -> T) -> T {
        work()
    }

    #[inline(always)]
    unsafe fn splat(lane: u32) -> Self {
        // SAFETY: the caller's promise, here and below.
        unsafe { Self([_mm256_set1_epi32(lane.cast_signed()); 2]) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u32) -> Self {
        // SAFETY: as above.
        unsafe { Self([_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())]) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const u32, count: usize) -> Self {
        // SAFETY: as above; a masked load touches no other lanes.
        unsafe {
            let [low, high] = firsts(count);
            let from = from.cast::<i32>();
            Self([_mm256_maskload_epi32(from, low), _mm256_maskload_epi32(from.wrapping_add(8), high)])
        }
    }

    #[inline(always)]
    unsafe fn widened(from: *const u16) -> Self {
        // SAFETY: as above.
        unsafe { Self([widened_eight(from), widened_eight(from.add(8))]) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u32) {
        let [low, high] = self.0;
        // SAFETY: as above; a cache line is aligned.
        unsafe {
            _mm256_store_si256(to.cast(), low);
            _mm256_store_si256(to.add(8).cast(), high);
        }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut u32, count: usize) {
        let [low, high] = self.0;
        // SAFETY: as above; a masked store touches no other lanes. It is slow on some CPUs.
        unsafe {
            if count == LANES {
                _mm256_storeu_si256(to.cast(), low);
                _mm256_storeu_si256(to.add(8).cast(), high);
            } else {
                let [first, second] = firsts(count);
                _mm256_maskstore_epi32(to.cast(), first, low);
                _mm256_maskstore_epi32(to.cast::<i32>().wrapping_add(8), second, high);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        // SAFETY: as above.
        unsafe { Self([sum_of_eight(a, c), sum_of_eight(b, d)]) }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self([multiplied_eight(self.0[0], a.0[0], b.0[0]), multiplied_eight(self.0[1], a.0[1], b.0[1])]) }
    }

    #[inline(always)]
    unsafe fn rounded(self) -> Self {
        let [low, high] = self.0;
        // SAFETY: as above.
        unsafe { Self([rounded_eight(low), rounded_eight(high)]) }
    }

    #[inline(always)]
    unsafe fn transposed(block: &[Self; LANES]) -> [Self; LANES] {
        let mut columns = *block;
        for half in 0..2 {
            for rows in 0..2 {
                let mut eight = [block[0].0[0]; 8];
                for i in 0..8 {
                    eight[i] = block[8 * rows + i].0[half];
                }
                // SAFETY: as above.
                let eight = unsafe { transposed_eight(&eight) };
                for i in 0..8 {
                    columns[8 * half + i].0[rows] = eight[i];
                }
            }
        }
        columns
    }
}

// What follows are functions and not closures, which would not be compiled for the instructions.

/// 8 bf16 numbers in f32. A bf16 number is the upper half of an f32 number.
#[inline(always)]
unsafe fn widened_eight(from: *const u16) -> __m256i {
    // SAFETY: the caller's promise, here and below.
    unsafe { _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()))) }
}

#[inline(always)]
unsafe fn sum_of_eight(a: __m256i, b: __m256i) -> __m256i {
    // SAFETY: as above.
    unsafe { _mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b))) }
}

#[inline(always)]
unsafe fn multiplied_eight(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
    // SAFETY: as above.
    unsafe {
        let sum = _mm256_fmadd_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), _mm256_castsi256_ps(sum));
        _mm256_castps_si256(sum)
    }
}

#[inline(always)]
unsafe fn rounded_eight(lanes: __m256i) -> __m256i {
    // SAFETY: as above.
    unsafe {
        let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(lanes), _mm256_set1_epi32(1));
        let raised = _mm256_add_epi32(_mm256_add_epi32(lanes, _mm256_set1_epi32(0x7fff)), odd);
        let rounded = _mm256_and_si256(raised, _mm256_set1_epi32(!0xffff));
        let numbers = _mm256_castsi256_ps(lanes);
        let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(numbers, numbers);
        _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(rounded), numbers, nan))
    }
}

/// Masks of the first `count` of 16 lanes.
#[inline(always)]
unsafe fn firsts(count: usize) -> [__m256i; 2] {
    // SAFETY: the caller's promise on the CPU.
    unsafe {
        let index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        let count = _mm256_set1_epi32(count as i32);
        [_mm256_cmpgt_epi32(count, index), _mm256_cmpgt_epi32(count, _mm256_add_epi32(index, _mm256_set1_epi32(8)))]
    }
}

#[inline(always)]
unsafe fn transposed_eight(block: &[__m256i; 8]) -> [__m256i; 8] {
    let (mut pairs, mut fours, mut columns) = (*block, *block, *block);
    // SAFETY: the caller's promise on the CPU.
    unsafe {
        for i in (0..8).step_by(2) {
            pairs[i] = _mm256_unpacklo_epi32(block[i], block[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_epi32(block[i], block[i + 1]);
        }
        for i in (0..8).step_by(4) {
            fours[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
            fours[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
            fours[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
            fours[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
        }
        for j in 0..4 {
            columns[j] = _mm256_permute2x128_si256::<0x20>(fours[j], fours[4 + j]);
            columns[4 + j] = _mm256_permute2x128_si256::<0x31>(fours[j], fours[4 + j]);
        }
    }
    columns
}
