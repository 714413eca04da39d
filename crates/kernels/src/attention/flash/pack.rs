//! Packing and transposition of the queries of a tile.

use pulp::{Arch, cast};

use super::tile::{TILE, Tile};
use super::{Heads, padded};
use crate::simd::{LANES, arch, vectorize};

impl Tile {
    /// Copies the tile's rows of one head, times `scale` and padded with zeros. → `[width, padded K]`
    pub(crate) fn pack(&self, heads: &Heads, [batch, head, width]: [usize; 3], scale: f32, rows: &mut [f32]) {
        let source = heads.from(batch, head, self.start);
        vectorize(
            #[inline(always)]
            || {
                for (row, packed) in rows.chunks_exact_mut(padded(width)).take(self.width).enumerate() {
                    let source = if row < self.rows { &source[row * heads.time_stride..][..width] } else { &[] };
                    let (copied, rest) = packed.split_at_mut(source.len());
                    for (packed, x) in copied.iter_mut().zip(source) {
                        *packed = x * scale;
                    }
                    rest.fill(0.0);
                }
            },
        );
    }

    /// Transposes `[width, padded K]` to `[padded K, TILE]`.
    pub(crate) fn transpose(&self, rows: &[f32], columns: &mut [f32]) {
        let width = columns.len() / TILE;
        let arch = arch();
        for lane in (0..self.width).step_by(LANES) {
            for i in (0..width).step_by(LANES) {
                transpose_square(arch, &rows[lane * width + i..], width, &mut columns[i * TILE + lane..], TILE);
            }
        }
    }
}

/// Transposes 16 rows of 16 numbers.
#[inline]
fn transpose_square(arch: Arch, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Arch::V4(simd) = arch {
        return simd.vectorize(Interleave { simd, from, from_stride, to, to_stride });
    }
    for i in 0..LANES {
        for j in 0..LANES {
            to[j * to_stride + i] = from[i * from_stride + j];
        }
    }
}

/// The perfect shuffle: interleaving row i with row i + 8 four times transposes the square.
#[cfg(target_arch = "x86_64")]
struct Interleave<'a> {
    simd: pulp::x86::V4,
    from: &'a [f32],
    from_stride: usize,
    to: &'a mut [f32],
    to_stride: usize,
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Interleave<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let low: [i32; LANES] = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];
        let high: [i32; LANES] = [8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31];
        let (low, high) = (cast(low), cast(high));
        let mut rows = [cast([0.0f32; LANES]); LANES];
        for i in 0..LANES {
            let row: &[f32; LANES] = self.from[i * self.from_stride..].first_chunk().expect("rows of 16");
            rows[i] = cast(*row);
        }
        for _ in 0..4 {
            let before = rows;
            for i in 0..LANES / 2 {
                let (a, b) = (before[i], before[i + LANES / 2]);
                rows[2 * i] = self.simd.avx512f._mm512_permutex2var_ps(a, low, b);
                rows[2 * i + 1] = self.simd.avx512f._mm512_permutex2var_ps(a, high, b);
            }
        }
        for i in 0..LANES {
            let row: &mut [f32; LANES] = self.to[i * self.to_stride..].first_chunk_mut().expect("rows of 16");
            *row = cast(rows[i]);
        }
    }
}
