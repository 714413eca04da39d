//! Number formats of the right side of a product.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, __m512, _mm256_loadu_si256, _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_loadu_ps,
    _mm512_maskz_loadu_ps, _mm512_slli_epi32,
};

use half::bf16;
use rayon::prelude::*;

use super::MatRef;

/// f32 or bf16. Every bf16 number is also an f32 number.
pub trait Number: Copy + Send + Sync {
    /// The number in f32.
    fn widen(self) -> f32;

    /// The matrix in f32; `copy` holds it if it had to be converted.
    fn matrix_in_f32<'a>(matrix: MatRef<'a, Self>, copy: &'a mut Vec<f32>) -> MatRef<'a>;

    /// 16 numbers in f32.
    ///
    /// # Safety
    /// They are readable, and the CPU has AVX-512 F, BW and BF16.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load(data: *const Self) -> __m512;

    /// The first `count`, fewer than 16, then zeros.
    ///
    /// # Safety
    /// As for [`load`](Self::load).
    #[cfg(target_arch = "x86_64")]
    unsafe fn load_first(data: *const Self, count: usize) -> __m512;
}

impl Number for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }

    fn matrix_in_f32<'a>(matrix: MatRef<'a>, _copy: &'a mut Vec<f32>) -> MatRef<'a> {
        matrix
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn load(data: *const Self) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(data) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn load_first(data: *const Self, count: usize) -> __m512 {
        // SAFETY: the caller's promise; a masked load touches no others.
        unsafe { _mm512_maskz_loadu_ps((1 << count) - 1, data) }
    }
}

impl Number for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        // The bits are the upper half of those of the same number in f32.
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    fn matrix_in_f32<'a>(matrix: MatRef<'a, Self>, copy: &'a mut Vec<f32>) -> MatRef<'a> {
        let MatRef { data, rows, cols, row_stride, col_stride } = matrix;
        *copy = data.par_iter().map(|number| number.to_f32()).collect();
        MatRef { data: copy, rows, cols, row_stride, col_stride }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn load(data: *const Self) -> __m512 {
        // SAFETY: the caller's promise.
        widened(unsafe { _mm256_loadu_si256(data.cast()) })
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn load_first(data: *const Self, count: usize) -> __m512 {
        let mut numbers = [Self::ZERO; 16];
        // SAFETY: the caller's promise.
        unsafe {
            data.copy_to_nonoverlapping(numbers.as_mut_ptr(), count);
            widened(_mm256_loadu_si256(numbers.as_ptr().cast()))
        }
    }
}

/// A bf16 number is the upper half of an f32 number.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn widened(halves: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
}
