//! The product in the registers of AVX512-BF16.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
use std::arch::x86_64::*;
use std::mem::transmute;

use super::super::registers::LANES;
use super::{BLOCK, PairProduct};

/// Rows of C whose sums are in registers at once, in two vectors each: 16 sums, two vectors of B and one of A.
const ROWS: usize = 8;

/// # Safety
/// The CPU has AVX512-BF16; the product has passed its check.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn multiply(product: &mut PairProduct) {
    let PairProduct { a_stride, b_stride, c_stride, m, n, pairs, add, .. } = *product;
    for row in (0..m).step_by(ROWS) {
        for column in (0..n).step_by(BLOCK) {
            // SAFETY: the rows and columns exist in A, B and C, which has been checked.
            unsafe {
                let a = product.a.as_ptr().add(row * a_stride);
                let b = product.b.as_ptr().add(column);
                let c = product.c.as_mut_ptr().add(row * c_stride + column);
                let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
                if add {
                    for (i, sums) in sums.iter_mut().enumerate() {
                        *sums = [_mm512_loadu_ps(c.add(i * c_stride)), _mm512_loadu_ps(c.add(i * c_stride + LANES))];
                    }
                }
                for pair in 0..pairs {
                    let b = b.add(pair * b_stride);
                    let b = [_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(LANES).cast())];
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let a = _mm512_set1_epi32(a.add(i * a_stride + pair).read().cast_signed());
                        for (sum, b) in sums.iter_mut().zip(b) {
                            *sum = _mm512_dpbf16_ps(
                                *sum,
                                transmute::<__m512i, __m512bh>(a),
                                transmute::<__m512i, __m512bh>(b),
                            );
                        }
                    }
                }
                for (i, [left, right]) in sums.iter().enumerate() {
                    _mm512_storeu_ps(c.add(i * c_stride), *left);
                    _mm512_storeu_ps(c.add(i * c_stride + LANES), *right);
                }
            }
        }
    }
}
