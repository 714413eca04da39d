//! The elements of factors.

use bytemuck::Pod;

use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Bf16Pair, ChainWork};
#[cfg(target_arch = "x86_64")]
use crate::isa::{self, Isa};
use crate::simd::vectorize;

/// One number along the inner axis, or several.
pub(crate) trait Element: Pod + Send + Sync {
    /// Numbers in an element.
    const DEPTH: usize;
    const ZERO: Self;

    /// The numbers as elements, rounded if an element has fewer bits; `scratch`, of as many numbers, may hold them.
    fn of<'a>(numbers: &'a [f32], scratch: &'a mut [f32]) -> &'a [Self];

    /// The element with its number at `index` replaced. The first leaves no other.
    fn with(self, index: usize, number: f32) -> Self;

    /// Computes something with the vectors of the instruction set that kernels use.
    fn run(work: impl ChainWork<Self>);
}

impl Element for f32 {
    const DEPTH: usize = 1;
    const ZERO: Self = 0.0;

    fn of<'a>(numbers: &'a [f32], _scratch: &'a mut [f32]) -> &'a [Self] {
        numbers
    }

    fn with(self, _index: usize, number: f32) -> Self {
        number
    }

    fn run(work: impl ChainWork<Self>) {
        // SAFETY: the CPU has the instructions.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            match Isa::current() {
                Isa::Portable => {}
                Isa::Avx2 => return x86::with_avx2(work),
                _ => return x86::with_avx512(work),
            }
            work.run::<Portable>();
        }
    }
}

impl Element for Bf16Pair {
    const DEPTH: usize = 2;
    const ZERO: Self = 0;

    fn of<'a>(numbers: &'a [f32], scratch: &'a mut [f32]) -> &'a [Self] {
        let count = numbers.len().div_ceil(2);
        assert!(count <= scratch.len(), "room for every pair");
        // SAFETY: both types have the same size and alignment, and every bit pattern is a value of either.
        let pairs = unsafe { std::slice::from_raw_parts_mut(scratch.as_mut_ptr().cast::<Self>(), count) };
        round_to_pairs(numbers, pairs);
        pairs
    }

    fn with(self, index: usize, number: f32) -> Self {
        match index {
            0 => bf16_bits(number),
            _ => self & 0xffff | bf16_bits(number) << 16,
        }
    }

    fn run(work: impl ChainWork<Self>) {
        // SAFETY: the CPU has the instructions.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            match Isa::current() {
                Isa::Portable => {}
                Isa::Avx2 => return x86::with_avx2(work),
                // Both give the same bits.
                _ if isa::has_fast_bf16_vectors() => return x86::with_avx512_bf16(work),
                _ => return x86::with_avx512(work),
            }
            work.run::<Portable>();
        }
    }
}

/// Rounds numbers to pairs; a last one without a second is paired with 0.
pub(crate) fn round_to_pairs(numbers: &[f32], pairs: &mut [Bf16Pair]) {
    assert_eq!(pairs.len(), numbers.len().div_ceil(2), "a pair for every two numbers");
    vectorize(
        #[inline(always)]
        || {
            let (whole, rest) = numbers.as_chunks::<2>();
            for (pair, [first, second]) in pairs.iter_mut().zip(whole) {
                *pair = bf16_bits(*first) | bf16_bits(*second) << 16;
            }
            if let [last] = rest {
                pairs[whole.len()] = bf16_bits(*last);
            }
        },
    );
}

/// The nearest bf16 number, ties to even; NaN stays NaN.
#[inline(always)]
fn bf16_bits(number: f32) -> u32 {
    let bits = number.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    if number.is_nan() { bits >> 16 | 0x40 } else { rounded }
}
