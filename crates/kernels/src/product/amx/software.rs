//! Tiles computed without AMX, from the same memory: packing and blocking are tested on every CPU with AVX-512 BF16.

use super::kernel::{BLOCK, STEP_LANES, TILE, TILE_LANES, TileProduct};
use super::{AmxBlock, TileUnit};

/// Multiplies tiles number by number.
#[derive(Clone, Copy)]
pub struct Software;

impl TileUnit for Software {
    unsafe fn begin() {}

    unsafe fn multiply(block: &AmxBlock) {
        let AmxBlock { a, a_stride, b, b_stride, b_advance, count, start, start_stride, c, c_stride } = *block;
        let mut sums = [[0.0; BLOCK]; BLOCK];
        for (row, sums) in sums.iter_mut().enumerate() {
            for (col, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the caller's promise; strides are in bytes.
                unsafe {
                    *sum = start[row / TILE].byte_add(row % TILE * start_stride).add(col).read();
                    for step in 0..count * TILE {
                        let a = a[row / TILE].byte_add(row % TILE * a_stride).add(step).read();
                        let b = b[col / TILE].byte_add(step / TILE * b_advance + step % TILE * b_stride);
                        let b = b.add(col % TILE).read();
                        let number = |pair: u32, half: u32| f32::from_bits(pair << (16 * (1 - half)) & 0xffff_0000);
                        *sum += number(a, 0) * number(b, 0) + number(a, 1) * number(b, 1);
                    }
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let c = c[row / TILE].byte_add(row % TILE * c_stride);
                c.copy_from_nonoverlapping(sums.as_ptr(), BLOCK);
            }
        }
    }

    unsafe fn product(block: &TileProduct) {
        let TileProduct { a, b, count, start, start_stride, c, c_stride, .. } = *block;
        for row in 0..BLOCK {
            for col in 0..BLOCK {
                // SAFETY: the caller's promise; strides are in bytes.
                unsafe {
                    let from = start[row / TILE];
                    let mut sum =
                        if from.is_null() { 0.0 } else { from.byte_add(row % TILE * start_stride).add(col).read() };
                    for pair in 0..count * TILE {
                        let (step, pair) = (pair / TILE * STEP_LANES, pair % TILE);
                        let a = a.add(step + row / TILE * TILE_LANES + row % TILE * TILE + pair).read();
                        let b = b.add(step + col / TILE * TILE_LANES + pair * TILE + col % TILE).read();
                        let number = |pair: u32, half: u32| f32::from_bits(pair << (16 * (1 - half)) & 0xffff_0000);
                        sum += number(a, 0) * number(b, 0) + number(a, 1) * number(b, 1);
                    }
                    c[row / TILE].byte_add(row % TILE * c_stride).add(col).write(sum);
                }
            }
        }
    }

    unsafe fn end() {}
}
