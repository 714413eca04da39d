//! Products of 8-bit numbers by vector instructions.

#![allow(clippy::wildcard_imports, reason = "intrinsics, whose names say where they come from")]
#![expect(unsafe_code, reason = "intrinsics, and the innermost loop goes by pointers that are checked before")]
use std::arch::x86_64::*;
use std::ops::Range;

use super::{IntegerBlock, PANEL, QUAD, RoundedInputs, tiles};
use crate::isa::Isa;

/// Adds the products by the widest instructions that kernels use; false if there are none. The caller checks lengths.
pub fn add_products(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[IntegerBlock], sums: &mut [f32]) -> bool {
    let isa = Isa::current();
    // SAFETY: the CPU has the instructions.
    unsafe {
        match isa {
            Isa::Portable => return false,
            Isa::Amx if rows.len() >= tiles::ROWS => add_amx(inputs, rows, panel, sums),
            // VNNI is no level of its own: a CPU has it beside AVX-512, beside AVX2, or not at all.
            _ if isa >= Isa::Avx512 && is_x86_feature_detected!("avx512vnni") => add_512(inputs, rows, panel, sums),
            _ if is_x86_feature_detected!("avxvnni") => add_256_vnni(inputs, rows, panel, sums),
            _ => add_256(inputs, rows, panel, sums),
        }
    }
    true
}

/// Whole tiles of rows in tile registers, and the rows that are left in vectors.
///
/// # Safety
/// The CPU has AMX with 8-bit integers and AVX512-VNNI; lengths have passed [`super::add_products`].
#[target_feature(enable = "avx512f,avx512vl,avx512vnni,avx2,fma")]
pub unsafe fn add_amx(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[IntegerBlock], sums: &mut [f32]) {
    let whole = rows.len() / tiles::ROWS * tiles::ROWS;
    let (in_tiles, rest) = sums.split_at_mut(whole * PANEL);
    // SAFETY: the caller's promise.
    unsafe {
        tiles::add(inputs, &(rows.start..rows.start + whole), panel, in_tiles);
        add_512(inputs, &(rows.start + whole..rows.end), panel, rest);
    }
}

/// # Safety
/// The CPU has the instructions; lengths have passed [`super::add_products`].
#[target_feature(enable = "avx512f,avx512vl,avx512vnni,avx2,fma")]
pub unsafe fn add_512(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[IntegerBlock], sums: &mut [f32]) {
    for (index, block) in panel.iter().enumerate() {
        let mut rest = RemainingRows { inputs, index, block, row: rows.start, sums: sums.as_mut_ptr() };
        // SAFETY: the caller's promise. 4 × 4 sums leave registers free, and 6 × 4 are slower. One or two rows wait for
        // memory, and read 32 bytes at a time a third faster than 64.
        unsafe {
            while rows.end - rest.row >= 4 {
                rest.add::<Avx512, 4, 4>();
            }
            match rows.end - rest.row {
                3 => rest.add::<Avx512, 3, 4>(),
                2 => rest.add::<Vnni, 2, 8>(),
                1 => rest.add::<Vnni, 1, 8>(),
                _ => {}
            }
        }
    }
}

/// # Safety
/// As for [`add_512`].
#[target_feature(enable = "avx2,fma,avxvnni")]
pub unsafe fn add_256_vnni(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[IntegerBlock], sums: &mut [f32]) {
    for (index, block) in panel.iter().enumerate() {
        let mut rest = RemainingRows { inputs, index, block, row: rows.start, sums: sums.as_mut_ptr() };
        // SAFETY: the caller's promise. 4 × 2 sums, 4 vectors of inputs and one of weights are in 16 registers.
        unsafe {
            while rows.end - rest.row >= 4 {
                rest.add::<AvxVnni, 4, 2>();
            }
            match rows.end - rest.row {
                3 => rest.add::<AvxVnni, 3, 4>(),
                2 => rest.add::<AvxVnni, 2, 4>(),
                1 => rest.add::<AvxVnni, 1, 8>(),
                _ => {}
            }
        }
    }
}

/// # Safety
/// As for [`add_512`].
#[target_feature(enable = "avx2,fma")]
pub unsafe fn add_256(inputs: &RoundedInputs, rows: &Range<usize>, panel: &[IntegerBlock], sums: &mut [f32]) {
    for (index, block) in panel.iter().enumerate() {
        let mut rest = RemainingRows { inputs, index, block, row: rows.start, sums: sums.as_mut_ptr() };
        // SAFETY: the caller's promise. 2 × 4 sums and 2 × 2 vectors of inputs leave room for weights and products
        // among 16 registers.
        unsafe {
            while rows.end - rest.row >= 2 {
                rest.add::<Avx2, 2, 4>();
            }
            if rest.row < rows.end {
                rest.add::<Avx2, 1, 8>();
            }
        }
    }
}

/// Vectors of 32-bit sums, each of a different output; four bytes of a factor are in each lane.
trait Vector {
    /// Number of sums in a vector.
    const LANES: usize;
    type Integers: Copy;
    type Floats: Copy;
    /// Weights, and inputs, as `add_products` takes them.
    type Weights: Copy;
    type Inputs: Copy;

    unsafe fn splat(sum: i32) -> Self::Integers;
    /// Four numbers without a sign for each lane.
    unsafe fn weights(from: *const [u8; QUAD]) -> Self::Weights;
    /// The same four numbers with a sign in every lane.
    unsafe fn inputs(from: *const i8) -> Self::Inputs;
    /// Adds the four products of each lane.
    unsafe fn add_products(sum: Self::Integers, weights: Self::Weights, inputs: Self::Inputs) -> Self::Integers;
    unsafe fn floats(from: *const f32) -> Self::Floats;
    /// `sums + exact · (scales · step)`
    unsafe fn add_scaled(sums: *mut f32, exact: Self::Integers, scales: Self::Floats, step: f32);
}

struct Avx512;

impl Vector for Avx512 {
    const LANES: usize = 16;
    type Integers = __m512i;
    type Floats = __m512;
    type Weights = __m512i;
    type Inputs = __m512i;

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn splat(sum: i32) -> __m512i {
        _mm512_set1_epi32(sum)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn weights(from: *const [u8; QUAD]) -> __m512i {
        // SAFETY: the caller has 16 of them.
        unsafe { _mm512_loadu_si512(from.cast()) }
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
    unsafe fn floats(from: *const f32) -> __m512 {
        // SAFETY: the caller has 16 numbers.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn add_scaled(sums: *mut f32, exact: __m512i, scales: __m512, step: f32) {
        let scales = _mm512_mul_ps(scales, _mm512_set1_ps(step));
        // SAFETY: the caller has 16 sums.
        unsafe {
            _mm512_storeu_ps(sums, _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact), scales, _mm512_loadu_ps(sums)));
        }
    }
}

/// What vectors of 8 lanes have in common.
macro_rules! eight_lanes {
    () => {
        const LANES: usize = 8;
        type Integers = __m256i;
        type Floats = __m256;

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn splat(sum: i32) -> __m256i {
            _mm256_set1_epi32(sum)
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn floats(from: *const f32) -> __m256 {
            // SAFETY: the caller has 8 numbers.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn add_scaled(sums: *mut f32, exact: __m256i, scales: __m256, step: f32) {
            let scales = _mm256_mul_ps(scales, _mm256_set1_ps(step));
            // SAFETY: the caller has 8 sums.
            unsafe {
                _mm256_storeu_ps(sums, _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact), scales, _mm256_loadu_ps(sums)));
            }
        }
    };
}

/// Vectors of 8 lanes with an instruction for four products: it has two encodings.
macro_rules! with_vnni {
    ($name:ident, $features:literal, $instruction:ident) => {
        struct $name;

        impl Vector for $name {
            eight_lanes!();
            type Weights = __m256i;
            type Inputs = __m256i;

            #[inline]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn weights(from: *const [u8; QUAD]) -> __m256i {
                // SAFETY: the caller has 8 of them.
                unsafe { _mm256_loadu_si256(from.cast()) }
            }

            #[inline]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn inputs(from: *const i8) -> __m256i {
                // SAFETY: the caller has four numbers.
                _mm256_set1_epi32(unsafe { from.cast::<i32>().read_unaligned() })
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn add_products(sum: __m256i, weights: __m256i, inputs: __m256i) -> __m256i {
                $instruction(sum, weights, inputs)
            }
        }
    };
}

with_vnni!(Vnni, "avx512vl,avx512vnni", _mm256_dpbusd_epi32);
with_vnni!(AvxVnni, "avxvnni", _mm256_dpbusd_avx_epi32);

/// There is no instruction for four products here that never overflows: the first and third, and the second and fourth
/// of them, are multiplied as 16-bit numbers.
struct Avx2;

impl Vector for Avx2 {
    eight_lanes!();
    type Weights = [__m256i; 2];
    type Inputs = [__m256i; 2];

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn weights(from: *const [u8; QUAD]) -> [__m256i; 2] {
        // SAFETY: the caller has 8 of them.
        let all = unsafe { _mm256_loadu_si256(from.cast()) };
        [_mm256_and_si256(all, _mm256_set1_epi16(0xff)), _mm256_srli_epi16::<8>(all)]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn inputs(from: *const i8) -> [__m256i; 2] {
        // SAFETY: the caller has four numbers.
        let all = _mm256_set1_epi32(unsafe { from.cast::<i32>().read_unaligned() });
        [_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(all)), _mm256_srai_epi16::<8>(all)]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add_products(sum: __m256i, weights: [__m256i; 2], inputs: [__m256i; 2]) -> __m256i {
        let (first, second) = (_mm256_madd_epi16(weights[0], inputs[0]), _mm256_madd_epi16(weights[1], inputs[1]));
        _mm256_add_epi32(sum, _mm256_add_epi32(first, second))
    }
}

/// Rows that are still to be multiplied with a block.
struct RemainingRows<'a> {
    inputs: &'a RoundedInputs,
    index: usize,
    block: &'a IntegerBlock,
    row: usize,
    sums: *mut f32,
}

impl RemainingRows<'_> {
    /// Multiplies M rows, N vectors of outputs at a time.
    ///
    /// # Safety
    /// M rows are left, `N · LANES` divides [`PANEL`], and the CPU has the instructions.
    #[inline(always)]
    unsafe fn add<V: Vector, const M: usize, const N: usize>(&mut self) {
        let rows: [_; M] = std::array::from_fn(|row| self.inputs.block(self.row + row, self.index));
        for first in (0..PANEL).step_by(N * V::LANES) {
            // SAFETY: every vector lies inside a panel's 64 outputs; the sums are the caller's promise.
            unsafe {
                // No closures: the compiler may leave them outside of the function that has the instructions.
                let mut exact = [[V::splat(0); N]; M];
                for row in 0..M {
                    exact[row] = [V::splat(rows[row].start); N];
                }
                for (quad, weights) in self.block.weights.iter().enumerate() {
                    let mut inputs = [V::inputs(rows[0].values.as_ptr().add(quad * QUAD)); M];
                    for row in 1..M {
                        inputs[row] = V::inputs(rows[row].values.as_ptr().add(quad * QUAD));
                    }
                    for v in 0..N {
                        let weights = V::weights(weights.as_ptr().add(first + v * V::LANES));
                        for row in 0..M {
                            exact[row][v] = V::add_products(exact[row][v], weights, inputs[row]);
                        }
                    }
                }
                for v in 0..N {
                    let scales = V::floats(self.block.scales.as_ptr().add(first + v * V::LANES));
                    for (row, exact) in exact.iter().enumerate() {
                        let sums = self.sums.add(row * PANEL + first + v * V::LANES);
                        V::add_scaled(sums, exact[v], scales, rows[row].step);
                    }
                }
            }
        }
        // SAFETY: so many rows are left.
        self.sums = unsafe { self.sums.add(M * PANEL) };
        self.row += M;
    }
}
