//! Number formats of the operands of a product.

use half::bf16;
use rayon::prelude::*;

use super::MatRef;
#[cfg(target_arch = "x86_64")]
use super::registers::Sixteen;

/// f32 or bf16. Every bf16 number is also an f32 number.
pub trait Number: Copy + Send + Sync {
    /// Whether it is bf16.
    const IS_BF16: bool;

    /// The number in f32.
    fn widen(self) -> f32;

    /// The matrix in f32; `copy` holds it if it had to be converted.
    fn matrix_in_f32<'a>(matrix: MatRef<'a, Self>, copy: &'a mut Vec<f32>) -> MatRef<'a>;

    /// 16 numbers in f32.
    ///
    /// # Safety
    /// They are readable, and the CPU has the instructions.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load<R: Sixteen>(data: *const Self) -> R;

    /// The first `count`, fewer than 16, then zeros.
    ///
    /// # Safety
    /// As for [`load`](Self::load).
    #[cfg(target_arch = "x86_64")]
    unsafe fn load_first<R: Sixteen>(data: *const Self, count: usize) -> R;
}

impl Number for f32 {
    const IS_BF16: bool = false;

    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }

    fn matrix_in_f32<'a>(matrix: MatRef<'a>, _copy: &'a mut Vec<f32>) -> MatRef<'a> {
        matrix
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load<R: Sixteen>(data: *const Self) -> R {
        // SAFETY: the caller's promise.
        unsafe { R::load(data.cast()) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_first<R: Sixteen>(data: *const Self, count: usize) -> R {
        // SAFETY: the caller's promise.
        unsafe { R::load_first(data.cast(), count) }
    }
}

impl Number for bf16 {
    const IS_BF16: bool = true;

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
    #[inline(always)]
    unsafe fn load<R: Sixteen>(data: *const Self) -> R {
        // SAFETY: the caller's promise.
        unsafe { R::widened(data.cast()) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_first<R: Sixteen>(data: *const Self, count: usize) -> R {
        let mut numbers = [Self::ZERO; 16];
        // SAFETY: the caller's promise.
        unsafe {
            data.copy_to_nonoverlapping(numbers.as_mut_ptr(), count);
            R::widened(numbers.as_ptr().cast())
        }
    }
}
