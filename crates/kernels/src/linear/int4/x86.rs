//! Products of 4-bit and 8-bit numbers by vector instructions.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
#![expect(unsafe_code, reason = "intrinsics, and the innermost loop goes by pointers that are checked before")]
use std::arch::x86_64::*;
use std::ops::Range;

use half::f16;

use super::{GROUP, NibbleGroup, PANEL, QUAD, RoundedInputs};
use crate::isa::Isa;

/// Vectors of four inputs in a half of a group.
const QUADS: usize = GROUP / QUAD / 2;

/// Adds the products by the widest instructions that kernels use; false if there are none. The caller checks lengths.
pub fn add_products(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[NibbleGroup], sums: &mut [f32]) -> bool {
    // SAFETY: the CPU has the instructions.
    unsafe {
        match Isa::current() {
            Isa::Portable => return false,
            isa if isa >= Isa::Avx512 && is_x86_feature_detected!("avx512vnni") => {
                add_512(inputs, rows, panel, sums);
            }
            _ if is_x86_feature_detected!("avxvnni") => add_256_vnni(inputs, rows, panel, sums),
            _ => add_256(inputs, rows, panel, sums),
        }
    }
    true
}

/// # Safety
/// The CPU has the instructions; lengths have passed [`super::add_products`].
#[target_feature(enable = "avx512f,avx512vnni,avx2,fma")]
unsafe fn add_512(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[NibbleGroup], sums: &mut [f32]) {
    let mut rest = UnmultipliedRows { inputs, panel, row: rows.start, sums: sums.as_mut_ptr() };
    // SAFETY: the caller's promise.
    unsafe {
        while rows.end - rest.row >= 4 {
            rest.add::<SixteenSums, 4, 2>();
        }
        match rows.end - rest.row {
            3 => rest.add::<SixteenSums, 3, 2>(),
            2 => rest.add::<SixteenSums, 2, 4>(),
            1 => rest.add::<SixteenSums, 1, 4>(),
            _ => {}
        }
    }
}

/// # Safety
/// As for [`add_512`].
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub unsafe fn add_256_vnni(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[NibbleGroup], sums: &mut [f32]) {
    let mut rest = UnmultipliedRows { inputs, panel, row: rows.start, sums: sums.as_mut_ptr() };
    // SAFETY: the caller's promise.
    unsafe {
        while rows.end - rest.row >= 2 {
            rest.add::<EightVnniSums, 2, 2>();
        }
        if rest.row < rows.end {
            rest.add::<EightVnniSums, 1, 4>();
        }
    }
}

/// # Safety
/// As for [`add_512`].
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn add_256(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[NibbleGroup], sums: &mut [f32]) {
    let mut rest = UnmultipliedRows { inputs, panel, row: rows.start, sums: sums.as_mut_ptr() };
    // SAFETY: the caller's promise.
    unsafe {
        while rows.end - rest.row >= 2 {
            rest.add::<EightSums, 2, 2>();
        }
        if rest.row < rows.end {
            rest.add::<EightSums, 1, 4>();
        }
    }
}

/// Vectors of 32-bit sums, each of a different output; four bytes of a factor are in each lane.
trait NibbleVector {
    /// Number of sums in a vector.
    const LANES: usize;
    type Integers: Copy;
    type Floats: Copy;

    unsafe fn zero() -> Self::Integers;
    /// The weights in the low bits of each byte, and those in the high bits.
    unsafe fn weights(from: *const [u8; QUAD]) -> [Self::Integers; 2];
    /// The same four numbers with a sign in every lane.
    unsafe fn inputs(from: *const i8) -> Self::Integers;
    /// Adds the four products of each lane.
    unsafe fn add_products(sum: Self::Integers, weights: Self::Integers, inputs: Self::Integers) -> Self::Integers;
    unsafe fn load(from: *const f32) -> Self::Floats;
    unsafe fn store(sums: Self::Floats, to: *mut f32);
    unsafe fn widen(from: *const f16) -> Self::Floats;
    /// `least · total + (exact · (scales · step) + sums)`
    unsafe fn scaled(
        sums: Self::Floats,
        exact: Self::Integers,
        scales_least: [Self::Floats; 2],
        step: f32,
        total: f32,
    ) -> Self::Floats;
}

struct SixteenSums;

impl NibbleVector for SixteenSums {
    const LANES: usize = 16;
    type Integers = __m512i;
    type Floats = __m512;

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn zero() -> __m512i {
        _mm512_setzero_si512()
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn weights(from: *const [u8; QUAD]) -> [__m512i; 2] {
        let low = _mm512_set1_epi32(0x0f0f_0f0f);
        // SAFETY: the caller has 16 of them.
        let all = unsafe { _mm512_loadu_si512(from.cast()) };
        [_mm512_and_si512(all, low), _mm512_and_si512(_mm512_srli_epi32::<4>(all), low)]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn inputs(from: *const i8) -> __m512i {
        // SAFETY: the caller has four numbers.
        _mm512_set1_epi32(unsafe { from.cast::<i32>().read_unaligned() })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn add_products(sum: __m512i, weights: __m512i, inputs: __m512i) -> __m512i {
        _mm512_dpbusd_epi32(sum, weights, inputs)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: the caller has 16 numbers.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn store(sums: __m512, to: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(to, sums) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn widen(from: *const f16) -> __m512 {
        // SAFETY: as above.
        _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(from.cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn scaled(sums: __m512, exact: __m512i, [scales, least]: [__m512; 2], step: f32, total: f32) -> __m512 {
        let sums = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact), _mm512_mul_ps(scales, _mm512_set1_ps(step)), sums);
        _mm512_fmadd_ps(least, _mm512_set1_ps(total), sums)
    }
}

/// What vectors of 8 sums have in common.
macro_rules! eight_sums {
    () => {
        const LANES: usize = 8;
        type Integers = __m256i;
        type Floats = __m256;

        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn zero() -> __m256i {
            _mm256_setzero_si256()
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn weights(from: *const [u8; QUAD]) -> [__m256i; 2] {
            let low = _mm256_set1_epi32(0x0f0f_0f0f);
            // SAFETY: the caller has 8 of them.
            let all = unsafe { _mm256_loadu_si256(from.cast()) };
            [_mm256_and_si256(all, low), _mm256_and_si256(_mm256_srli_epi32::<4>(all), low)]
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn inputs(from: *const i8) -> __m256i {
            // SAFETY: the caller has four numbers.
            _mm256_set1_epi32(unsafe { from.cast::<i32>().read_unaligned() })
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn load(from: *const f32) -> __m256 {
            // SAFETY: the caller has 8 numbers.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn store(sums: __m256, to: *mut f32) {
            // SAFETY: as above.
            unsafe { _mm256_storeu_ps(to, sums) }
        }

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn widen(from: *const f16) -> __m256 {
            // SAFETY: as above.
            _mm256_cvtph_ps(unsafe { _mm_loadu_si128(from.cast()) })
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn scaled(sums: __m256, exact: __m256i, [scales, least]: [__m256; 2], step: f32, total: f32) -> __m256 {
            let sums = _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact), _mm256_mul_ps(scales, _mm256_set1_ps(step)), sums);
            _mm256_fmadd_ps(least, _mm256_set1_ps(total), sums)
        }
    };
}

struct EightSums;

impl NibbleVector for EightSums {
    eight_sums!();

    /// Two products of a number below 16 and one of 8 bits fit 16 bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn add_products(sum: __m256i, weights: __m256i, inputs: __m256i) -> __m256i {
        let pairs = _mm256_maddubs_epi16(weights, inputs);
        _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
}

/// With an instruction for four products.
struct EightVnniSums;

impl NibbleVector for EightVnniSums {
    eight_sums!();

    #[inline]
    #[target_feature(enable = "avxvnni")]
    unsafe fn add_products(sum: __m256i, weights: __m256i, inputs: __m256i) -> __m256i {
        _mm256_dpbusd_avx_epi32(sum, weights, inputs)
    }
}

/// Rows that are still to be multiplied with a panel.
struct UnmultipliedRows<'a> {
    inputs: &'a RoundedInputs,
    panel: &'a [NibbleGroup],
    row: usize,
    sums: *mut f32,
}

impl UnmultipliedRows<'_> {
    /// Multiplies M rows, N vectors of outputs at a time, whose sums stay in registers over all groups.
    ///
    /// # Safety
    /// M rows are left, `N · LANES` divides [`PANEL`], and the CPU has the instructions.
    #[inline(always)]
    unsafe fn add<V: NibbleVector, const M: usize, const N: usize>(&mut self) {
        for first in (0..PANEL).step_by(N * V::LANES) {
            // SAFETY: every vector lies inside a panel's 64 outputs; the sums are the caller's promise.
            unsafe {
                let place = |row: usize, v: usize| self.sums.add(row * PANEL + first + v * V::LANES);
                // No closures with vectors: the compiler may leave them outside of the function that has the
                // instructions.
                let mut sums = [[V::load(place(0, 0)); N]; M];
                for row in 0..M {
                    for v in 0..N {
                        sums[row][v] = V::load(place(row, v));
                    }
                }
                for (index, group) in self.panel.iter().enumerate() {
                    let rows: [_; M] = std::array::from_fn(|row| self.inputs.half(self.row + row, index));
                    let mut exact = [[V::zero(); N]; M];
                    for quad in 0..QUADS {
                        let mut low = [V::zero(); M];
                        let mut high = low;
                        for row in 0..M {
                            let values = rows[row].values.as_ptr();
                            low[row] = V::inputs(values.add(quad * QUAD));
                            high[row] = V::inputs(values.add((QUADS + quad) * QUAD));
                        }
                        for v in 0..N {
                            let weights = V::weights(group.weights[quad].as_ptr().add(first + v * V::LANES));
                            for row in 0..M {
                                exact[row][v] = V::add_products(exact[row][v], weights[0], low[row]);
                                exact[row][v] = V::add_products(exact[row][v], weights[1], high[row]);
                            }
                        }
                    }
                    for v in 0..N {
                        let at = first + v * V::LANES;
                        let factors = [V::widen(group.scales.as_ptr().add(at)), V::widen(group.least.as_ptr().add(at))];
                        for (row, half) in rows.iter().enumerate() {
                            let total = half.step * half.sum as f32;
                            sums[row][v] = V::scaled(sums[row][v], exact[row][v], factors, half.step, total);
                        }
                    }
                }
                for (row, sums) in sums.into_iter().enumerate() {
                    for (v, sums) in sums.into_iter().enumerate() {
                        V::store(sums, place(row, v));
                    }
                }
            }
        }
        // SAFETY: so many rows are left.
        self.sums = unsafe { self.sums.add(M * PANEL) };
        self.row += M;
    }
}
