//! Products of 16-bit numbers with 8-bit weights by vector instructions.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
#![expect(unsafe_code, reason = "intrinsics, and the innermost loop goes by pointers that are checked before")]
use std::arch::x86_64::*;

use super::{INPUTS, PANEL, Pairs, Rounded};

/// Adds the products by the widest instructions of this CPU; false if it has none. The caller checks lengths.
pub fn add_products(rounded: &Rounded, weights: &[Pairs], sums: &mut [f32]) -> bool {
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
    {
        // SAFETY: the CPU has the instructions.
        unsafe { add_512(rounded, weights, sums) };
        return true;
    }
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: as above.
        unsafe { add_256(rounded, weights, sums) };
        return true;
    }
    false
}

/// # Safety
/// The CPU has the instructions; lengths have passed [`super::add_products`].
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub unsafe fn add_512(rounded: &Rounded, weights: &[Pairs], sums: &mut [f32]) {
    let mut rows = RemainingRows::new(rounded, weights, sums);
    // SAFETY: the caller's promise. 6 × 4 sums, 4 vectors of weights and one of inputs are 29 of 32 registers; eight
    // rows are computed as four and four, not six and two.
    unsafe {
        while rows.left >= 6 && rows.left != 8 {
            rows.add::<Avx512, 6, 4>();
        }
        while rows.left >= 4 {
            rows.add::<Avx512, 4, 4>();
        }
        match rows.left {
            3 => rows.add::<Avx512, 3, 4>(),
            2 => rows.add::<Avx512, 2, 4>(),
            1 => rows.add::<Avx512, 1, 4>(),
            _ => {}
        }
    }
}

/// # Safety
/// As for [`add_512`].
#[target_feature(enable = "avx2,fma")]
pub unsafe fn add_256(rounded: &Rounded, weights: &[Pairs], sums: &mut [f32]) {
    let mut rows = RemainingRows::new(rounded, weights, sums);
    // SAFETY: the caller's promise. 4 × 2 sums leave room for the products on their way among 16 registers.
    unsafe {
        while rows.left >= 4 {
            rows.add::<Avx2, 4, 2>();
        }
        match rows.left {
            3 => rows.add::<Avx2, 3, 2>(),
            2 => rows.add::<Avx2, 2, 4>(),
            1 => rows.add::<Avx2, 1, 8>(),
            _ => {}
        }
    }
}

/// Vectors of 32-bit sums, whose lanes hold two 16-bit numbers of a factor.
trait Vector {
    /// Number of sums in a vector.
    const LANES: usize;
    type Integers: Copy;

    unsafe fn zero() -> Self::Integers;
    /// Widens one pair for each lane.
    unsafe fn widen(pairs: *const [i8; 2]) -> Self::Integers;
    /// The same two inputs in every lane.
    unsafe fn splat(two: i32) -> Self::Integers;
    /// Adds the products of both numbers of a lane.
    unsafe fn add_products(sum: Self::Integers, a: Self::Integers, b: Self::Integers) -> Self::Integers;
    /// `sums + step · exact`
    unsafe fn add_scaled(sums: *mut f32, exact: Self::Integers, step: f32);
}

struct Avx512;

impl Vector for Avx512 {
    const LANES: usize = 16;
    type Integers = __m512i;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn zero() -> __m512i {
        _mm512_setzero_si512()
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn widen(pairs: *const [i8; 2]) -> __m512i {
        // SAFETY: the caller has 16 pairs.
        _mm512_cvtepi8_epi16(unsafe { _mm256_loadu_si256(pairs.cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn splat(two: i32) -> __m512i {
        _mm512_set1_epi32(two)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn add_products(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        _mm512_dpwssd_epi32(sum, a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn add_scaled(sums: *mut f32, exact: __m512i, step: f32) {
        // SAFETY: the caller has 16 sums.
        unsafe {
            let scaled = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact), _mm512_set1_ps(step), _mm512_loadu_ps(sums));
            _mm512_storeu_ps(sums, scaled);
        }
    }
}

struct Avx2;

impl Vector for Avx2 {
    const LANES: usize = 8;
    type Integers = __m256i;

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn zero() -> __m256i {
        _mm256_setzero_si256()
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn widen(pairs: *const [i8; 2]) -> __m256i {
        // SAFETY: the caller has 8 pairs.
        _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(pairs.cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn splat(two: i32) -> __m256i {
        _mm256_set1_epi32(two)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add_products(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add_scaled(sums: *mut f32, exact: __m256i, step: f32) {
        // SAFETY: the caller has 8 sums.
        unsafe {
            let scaled = _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact), _mm256_set1_ps(step), _mm256_loadu_ps(sums));
            _mm256_storeu_ps(sums, scaled);
        }
    }
}

/// Rows that are still to be multiplied.
struct RemainingRows<'a> {
    values: *const i16,
    steps: *const f32,
    sums: *mut f32,
    left: usize,
    weights: &'a [Pairs],
}

impl<'a> RemainingRows<'a> {
    fn new(rounded: &'a Rounded, weights: &'a [Pairs], sums: &'a mut [f32]) -> Self {
        let Rounded { values, steps } = rounded;
        Self { values: values.as_ptr(), steps: steps.as_ptr(), sums: sums.as_mut_ptr(), left: steps.len(), weights }
    }

    /// Multiplies M rows, N vectors of outputs at a time.
    ///
    /// # Safety
    /// M rows are left, `N · LANES` divides [`PANEL`], and the CPU has the instructions.
    #[inline(always)]
    unsafe fn add<V: Vector, const M: usize, const N: usize>(&mut self) {
        for first in (0..PANEL).step_by(N * V::LANES) {
            // SAFETY: lengths are checked by the caller's caller; every vector lies inside a panel's 64 outputs.
            unsafe {
                let mut exact = [[V::zero(); N]; M];
                for (two, pairs) in self.weights.iter().enumerate() {
                    let mut columns = [V::zero(); N];
                    for (v, column) in columns.iter_mut().enumerate() {
                        *column = V::widen(pairs.as_ptr().add(first + v * V::LANES));
                    }
                    for (row, exact) in exact.iter_mut().enumerate() {
                        let inputs = V::splat(self.values.add(row * INPUTS + 2 * two).cast::<i32>().read_unaligned());
                        for (sum, column) in exact.iter_mut().zip(columns) {
                            *sum = V::add_products(*sum, inputs, column);
                        }
                    }
                }
                for (row, exact) in exact.iter().enumerate() {
                    for (v, exact) in exact.iter().enumerate() {
                        let sums = self.sums.add(row * PANEL + first + v * V::LANES);
                        V::add_scaled(sums, *exact, *self.steps.add(row));
                    }
                }
            }
        }
        // SAFETY: so many rows are left.
        unsafe {
            self.values = self.values.add(M * INPUTS);
            self.steps = self.steps.add(M);
            self.sums = self.sums.add(M * PANEL);
        }
        self.left -= M;
    }
}
