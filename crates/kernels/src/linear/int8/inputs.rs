//! The inputs of products of integers.

use rayon::prelude::*;

use super::{BLOCK, ZERO};
use crate::host::CHUNK;
use crate::linear::INT4_GROUP as HALF;
use crate::simd::vectorize;

/// Largest magnitude of a rounded number.
const LARGEST: f32 = 127.0;

/// Rows of numbers rounded to 8 bits.
pub struct RoundedInputs {
    pub rows: usize,
    /// Blocks of a row.
    pub blocks: usize,
    /// `[rows, blocks]`; the last of a row is padded with zeros.
    all: Vec<RoundedBlock>,
}

/// [`BLOCK`] numbers of a row, rounded with a step size of their own.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct RoundedBlock {
    pub values: [i8; BLOCK],
    /// What 1 stands for; NaN if a number is not finite.
    pub step: f32,
    /// What a sum of products begins with, so that weights that are stored [`ZERO`] too large give the right one.
    pub start: i32,
    /// The sums of the rounded numbers of each half.
    sums: [i32; 2],
}

/// Half a block: as many numbers as 4-bit weights share a scale.
#[derive(Clone, Copy, Debug)]
pub struct HalfBlock<'a> {
    pub values: &'a [i8; HALF],
    /// What 1 stands for.
    pub step: f32,
    /// The sum of the values.
    pub sum: i32,
}

impl RoundedInputs {
    /// Rounds rows of `row_length` numbers.
    pub fn of(x: &[f32], row_length: usize) -> Self {
        let (rows, blocks) = (x.len() / row_length, row_length.div_ceil(BLOCK));
        let mut all = vec![RoundedBlock { values: [0; BLOCK], step: 0.0, start: 0, sums: [0; 2] }; rows * blocks];
        let round = |(out, x): (&mut [RoundedBlock], &[f32])| {
            vectorize(
                #[inline(always)]
                || {
                    for (out, x) in out.iter_mut().zip(x.chunks(BLOCK)) {
                        out.set(x);
                    }
                },
            );
        };
        if x.len() <= CHUNK {
            all.chunks_mut(blocks).zip(x.chunks(row_length)).for_each(round);
        } else {
            all.par_chunks_mut(blocks).zip(x.par_chunks(row_length)).for_each(round);
        }
        Self { rows, blocks, all }
    }

    /// A block of a row.
    #[inline(always)]
    pub fn block(&self, row: usize, block: usize) -> &RoundedBlock {
        &self.all[row * self.blocks + block]
    }

    /// A half of a block of a row, counted by halves.
    #[inline(always)]
    pub fn half(&self, row: usize, half: usize) -> HalfBlock<'_> {
        let block = self.block(row, half / 2);
        let values = &block.values.as_chunks().0[half % 2];
        HalfBlock { values, step: block.step, sum: block.sums[half % 2] }
    }
}

impl RoundedBlock {
    /// Rounds at most [`BLOCK`] numbers; those after them stay 0.
    #[inline(always)]
    fn set(&mut self, x: &[f32]) {
        /// Adding it leaves the nearest integer in the low bits.
        const ROUND: f32 = 12_582_912.0;
        // Magnitudes compare as integers in the order of the numbers, with NaN above all.
        let largest = f32::from_bits(x.iter().map(|x| x.to_bits() & 0x7fff_ffff).fold(0, u32::max));
        let steps = LARGEST / largest;
        if !steps.is_normal() {
            self.step = if largest.is_finite() { 0.0 } else { f32::NAN };
            return;
        }
        self.step = largest / LARGEST;
        for (value, x) in self.values.iter_mut().zip(x) {
            *value = x.mul_add(steps, ROUND).to_bits() as i8;
        }
        for (sum, half) in self.sums.iter_mut().zip(self.values.chunks(HALF)) {
            *sum = half.iter().map(|&value| i32::from(value)).sum();
        }
        self.start = -i32::from(ZERO) * self.sums.iter().sum::<i32>();
    }
}
