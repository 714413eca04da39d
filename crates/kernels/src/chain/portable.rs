//! Vectors in plain Rust.

use super::{Bf16Pair, ChainVector, LANES};

/// Arrays that the compiler turns into what the CPU has.
pub(super) struct Portable;

/// What both kinds of element have in common.
macro_rules! arrays {
    () => {
        const LANES: usize = LANES / 4;
        const MANY: bool = true;
        type Sums = [f32; LANES / 4];

        #[inline(always)]
        unsafe fn zero() -> Self::Sums {
            [0.0; LANES / 4]
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::Sums {
            // SAFETY: the caller's promise.
            unsafe { from.cast::<Self::Sums>().read_unaligned() }
        }

        #[inline(always)]
        unsafe fn store(sums: Self::Sums, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { to.cast::<Self::Sums>().write_unaligned(sums) }
        }
    };
}

impl ChainVector<f32> for Portable {
    arrays!();
    type Left = f32;
    type Right = Self::Sums;

    #[inline(always)]
    unsafe fn left(from: *const f32) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { from.read() }
    }

    #[inline(always)]
    unsafe fn right(from: *const f32) -> Self::Right {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self::Right>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn multiply_add(sums: Self::Sums, left: f32, right: Self::Right) -> Self::Sums {
        std::array::from_fn(|lane| left.mul_add(right[lane], sums[lane]))
    }
}

impl ChainVector<Bf16Pair> for Portable {
    arrays!();
    /// The second, then the first.
    type Left = [f32; 2];
    type Right = [Bf16Pair; LANES / 4];

    #[inline(always)]
    unsafe fn left(from: *const Bf16Pair) -> [f32; 2] {
        // SAFETY: the caller's promise.
        widened(unsafe { from.read() })
    }

    #[inline(always)]
    unsafe fn right(from: *const Bf16Pair) -> Self::Right {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self::Right>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn multiply_add(sums: Self::Sums, left: [f32; 2], right: Self::Right) -> Self::Sums {
        std::array::from_fn(|lane| {
            let right = widened(right[lane]);
            left[1].mul_add(right[1], left[0].mul_add(right[0], sums[lane]))
        })
    }
}

/// The second number of a pair, then the first.
#[inline(always)]
fn widened(pair: Bf16Pair) -> [f32; 2] {
    [f32::from_bits(pair & 0xffff_0000), f32::from_bits(pair << 16)]
}
