//! A copy that makes columns contiguous rows, for products by the `gemm` crate. If the columns of B are a multiple of 2
//! KiB apart, they compete for few cache sets, and packing them takes longer than this copy followed by packing rows.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::MatRef;
use crate::Precision;
use crate::host::written;
use crate::isa::Isa;

/// Number of rows and columns that are transposed together: a cache line of each.
const BLOCK: usize = 16;
/// Number of rows of the result for which using another thread pays off.
const BAND: usize = 4 * BLOCK;
/// Column strides that are multiples of this number of elements use only a few cache sets.
const CROWDED: usize = 512;

impl<'a> MatRef<'a> {
    /// The matrix as the right side of products in `precision`: transposed in a copy if that is read faster.
    pub(crate) fn as_right_side(&self, precision: Precision) -> RightSide<'a> {
        let crowded = self.row_stride == 1 && self.col_stride.is_multiple_of(CROWDED) && self.cols > 1;
        match precision == Precision::F32 && crowded && Isa::current() == Isa::Portable {
            true => RightSide { matrix: *self, copy: Some(row_major_copy(*self)) },
            false => RightSide { matrix: *self, copy: None },
        }
    }
}

/// A matrix, and optionally a transposed copy of it.
pub(crate) struct RightSide<'a> {
    matrix: MatRef<'a>,
    copy: Option<Vec<f32>>,
}

impl RightSide<'_> {
    pub fn matrix(&self) -> MatRef<'_> {
        match &self.copy {
            Some(copy) => MatRef::row_major(copy, self.matrix.rows, self.matrix.cols),
            None => self.matrix,
        }
    }
}

/// A row-major copy of a matrix whose columns are contiguous.
///
/// # Panics
/// When the matrix's columns have gaps.
fn row_major_copy(matrix: MatRef) -> Vec<f32> {
    let MatRef { data, rows, cols, row_stride, col_stride } = matrix;
    assert_eq!(row_stride, 1, "columns have no gaps");
    let band = |first: usize, out: &mut [MaybeUninit<f32>]| {
        let count = out.len() / cols;
        for from in (0..cols).step_by(BLOCK) {
            let width = BLOCK.min(cols - from);
            for start in (0..count).step_by(BLOCK) {
                let height = BLOCK.min(count - start);
                let mut block = [[0.0f32; BLOCK]; BLOCK];
                for (i, column) in block.iter_mut().enumerate().take(width) {
                    let place = (from + i) * col_stride + first + start;
                    column[..height].copy_from_slice(&data[place..place + height]);
                }
                for row in 0..height {
                    let line: [f32; BLOCK] = std::array::from_fn(|i| block[i][row]);
                    out[(start + row) * cols + from..][..width].write_copy_of_slice(&line[..width]);
                }
            }
        }
    };
    // SAFETY: bands cover all rows, and each writes every column of its rows.
    #[expect(unsafe_code, reason = "memory is written once")]
    unsafe {
        written(rows * cols, |out| {
            out.par_chunks_mut(BAND * cols.max(1)).enumerate().for_each(|(index, out)| band(index * BAND, out));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_finds_its_place() {
        for (rows, cols) in [(1, 1), (16, 16), (17, 15), (130, 70), (3, 200), (0, 4), (4, 0)] {
            let data: Vec<f32> = (0..rows * cols).map(|i| i as f32).collect();
            let matrix = MatRef::row_major(&data, cols, rows).transposed();
            let copy = row_major_copy(matrix);
            let expected: Vec<f32> = (0..rows).flat_map(|r| (0..cols).map(move |c| (c * rows + r) as f32)).collect();
            assert_eq!(copy, expected, "{rows} × {cols}");
        }
    }
}
