//! Matrix product on a CPU: f32 or bf16 in memory, multiplied as f32 or rounded to bf16 first.
//!
//! On x86-64 with AVX2 or AVX-512 it is our own, after Goto and van de Geijn, "Anatomy of High-Performance Matrix
//! Multiplication" (2008): `blocks` is the blocking, `pack` packs operands into the order of the micro-kernel, `tile`
//! is that kernel, `registers` has the differences between the instruction sets, `vector_lanes` those between f32 and
//! bf16, and `amx` multiplies bf16 in the tile registers of CPUs that have them, with packing and blocking of its own
//! (sizes in `tile_blocks`). f32 gives the same bits with all registers. Without AVX512-BF16, bf16 is emulated:
//! operands are rounded when they are packed. On other CPUs the `gemm` crate computes it.

#![expect(unsafe_code, reason = "intrinsics and pointers, whose ranges are checked before the innermost loops")]

use std::mem::MaybeUninit;

use crate::Precision;
use crate::isa::Isa;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod blocks;
#[cfg(target_arch = "x86_64")]
mod lane;
mod number;
#[cfg(target_arch = "x86_64")]
mod pack;
#[cfg(target_arch = "x86_64")]
pub(crate) mod pairs;
#[cfg(target_arch = "x86_64")]
mod registers;
#[cfg(target_arch = "x86_64")]
mod scratch;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(target_arch = "x86_64")]
mod tile;
mod tile_blocks;
mod transpose;
#[cfg(target_arch = "x86_64")]
mod vector_lanes;
#[cfg(target_arch = "x86_64")]
mod vectors;

pub use number::Number;
pub use tile_blocks::{TileBlocks, TileWork};
pub(crate) use transpose::RightSide;

/// A matrix in memory, which may be a transposed or otherwise strided view of it.
#[derive(Clone, Copy, Debug)]
pub struct MatRef<'a, E = f32> {
    /// The elements; the matrix begins at the first.
    pub data: &'a [E],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Distance from one row to the next, in elements.
    pub row_stride: usize,
    /// Distance from one column to the next, in elements.
    pub col_stride: usize,
}

impl<'a, E> MatRef<'a, E> {
    /// A row-major matrix without gaps.
    pub fn row_major(data: &'a [E], rows: usize, cols: usize) -> Self {
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, of the same elements.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    fn is_empty(&self) -> bool {
        self.rows == 0 || self.cols == 0
    }

    /// Whether every element is in `data`.
    fn fits(&self) -> bool {
        self.is_empty() || {
            let last_row = (self.rows - 1).checked_mul(self.row_stride);
            let last_col = (self.cols - 1).checked_mul(self.col_stride);
            last_row
                .zip(last_col)
                .and_then(|(row, col)| row.checked_add(col))
                .is_some_and(|last| last < self.data.len())
        }
    }
}

/// C ← A·B, or C ← C + A·B, on the threads of rayon's current pool; C is `[a.rows, b.cols]`, row after row. The result
/// does not depend on the number of threads.
///
/// # Panics
/// If shapes disagree or a matrix is larger than its data.
pub fn product<A: Number, B: Number>(
    a: MatRef<A>,
    b: MatRef<B>,
    c: &mut [f32],
    accumulate: bool,
    precision: Precision,
) {
    check(&a, &b, c.len());
    let start = if accumulate { Start::Held } else { Start::Zero };
    // SAFETY: shapes are checked, and C is initialised.
    unsafe { dispatch(a, b, c.as_mut_ptr(), start, precision) }
}

/// C ← A·B, or `row` + A·B for each row, like [`product`], into memory that need not be initialised before.
///
/// # Panics
/// If shapes disagree or a matrix is larger than its data.
pub fn product_into<'c, A: Number, B: Number>(
    a: MatRef<A>,
    b: MatRef<B>,
    row: Option<&[f32]>,
    c: &'c mut [MaybeUninit<f32>],
    precision: Precision,
) -> &'c mut [f32] {
    check(&a, &b, c.len());
    assert!(row.is_none_or(|row| row.len() == b.cols), "the row that is added has a number for each column of B");
    // SAFETY: shapes are checked; every number of C is written, and none is read that was not.
    unsafe {
        dispatch(a, b, c.as_mut_ptr().cast(), row.map_or(Start::Zero, |row| Start::Row(row.as_ptr())), precision);
        c.assume_init_mut()
    }
}

/// C ← A·B, or C ← C + A·B, in bf16 like [`product`], with these sizes; or, without any, by the blocking for vector
/// registers, in panels of 64 columns. It serves measurements.
///
/// # Panics
/// If the CPU has no AMX (for packing alone: no AVX512-BF16), shapes disagree, a matrix is empty or larger than its
/// data, or a size is 0.
#[cfg(target_arch = "x86_64")]
pub fn product_in_tiles<A: Number, B: Number>(
    a: MatRef<A>,
    b: MatRef<B>,
    c: &mut [f32],
    accumulate: bool,
    sizes: Option<TileBlocks>,
) {
    check(&a, &b, c.len());
    let packs = sizes.is_some_and(|sizes| sizes.work == TileWork::Packing) && Isa::current().has_bf16();
    assert!(packs || Isa::current() == Isa::Amx, "the CPU has tile registers");
    assert!(!a.is_empty() && !b.is_empty(), "no matrix is empty");
    assert!(
        sizes.is_none_or(|TileBlocks { depth, band, shared, .. }| ![depth, band, shared].contains(&0)),
        "no block is empty"
    );
    let start = if accumulate { Start::Held } else { Start::Zero };
    let (rows, columns) = (rows_of(a), columns_of(b));
    // SAFETY: shapes are checked, and so is the CPU; C is initialised.
    unsafe {
        match sizes {
            Some(sizes) => amx::blocking::product::<amx::Hardware, A, B>(rows, columns, c.as_mut_ptr(), start, sizes),
            None => blocks::product::<amx::Tiles<amx::Hardware>, A, B>(rows, columns, c.as_mut_ptr(), start),
        }
    }
}

fn check<A, B>(a: &MatRef<A>, b: &MatRef<B>, c_len: usize) {
    assert_eq!(a.cols, b.rows, "A has as many columns as B has rows");
    assert!(a.fits() && b.fits(), "a matrix lies inside its data");
    assert_eq!(Some(c_len), a.rows.checked_mul(b.cols), "C has a row for each of A and a column for each of B");
}

/// The initial value of a product's result.
#[derive(Clone, Copy)]
enum Start {
    /// Zero.
    Zero,
    /// The current contents of C.
    Held,
    /// The same row for every row of C. The pointer is at the first column of the part of C.
    Row(*const f32),
}

/// # Safety
/// Shapes have passed [`check`]; C is writable, and initialised if the product starts from what it holds; a row that it
/// starts from is as long as C's.
unsafe fn dispatch<A: Number, B: Number>(a: MatRef<A>, b: MatRef<B>, c: *mut f32, start: Start, precision: Precision) {
    if a.rows == 0 || b.cols == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if a.cols > 0 && Isa::current() > Isa::Portable {
        // SAFETY: shapes are checked, and the CPU has the instruction set.
        return unsafe { by_vectors(Isa::current(), a, b, c, start, precision) };
    }
    let [mut a_copy, mut b_copy] = [vec![], vec![]];
    // SAFETY: as above.
    unsafe { portable(A::matrix_in_f32(a, &mut a_copy), B::matrix_in_f32(b, &mut b_copy), c, start, precision) }
}

/// The product by our own kernels.
///
/// # Safety
/// As for [`dispatch`]; no matrix is empty, and the CPU has the instruction set, which is not the portable one.
#[cfg(target_arch = "x86_64")]
unsafe fn by_vectors<A: Number, B: Number>(
    isa: Isa,
    a: MatRef<A>,
    b: MatRef<B>,
    c: *mut f32,
    start: Start,
    precision: Precision,
) {
    use registers::{TwoYmm, Zmm};
    use vector_lanes::{Pair, Rounded, Single};
    let (rows, columns) = (rows_of(a), columns_of(b));
    // SAFETY: the caller's promise.
    unsafe {
        match (precision, isa) {
            (_, Isa::Portable) => unreachable!("the portable product is another"),
            (Precision::F32, Isa::Avx2) => blocks::product::<Single<TwoYmm>, A, B>(rows, columns, c, start),
            (Precision::F32, _) => blocks::product::<Single<Zmm>, A, B>(rows, columns, c, start),
            (Precision::Bf16, Isa::Avx2) => blocks::product::<Rounded<TwoYmm>, A, B>(rows, columns, c, start),
            (Precision::Bf16, Isa::Avx512) => blocks::product::<Rounded<Zmm>, A, B>(rows, columns, c, start),
            (Precision::Bf16, Isa::Avx512Bf16) => blocks::product::<Pair, A, B>(rows, columns, c, start),
            (Precision::Bf16, Isa::Amx) => {
                amx::blocking::product::<amx::Hardware, A, B>(rows, columns, c, start, TileBlocks::default());
            }
        }
    }
}

/// The rows of A as vectors along k.
#[cfg(target_arch = "x86_64")]
fn rows_of<E: Copy>(a: MatRef<E>) -> vectors::Vectors<E> {
    let MatRef { data, rows, cols, row_stride, col_stride } = a;
    vectors::Vectors { data: data.as_ptr(), count: rows, depth: cols, stride: row_stride, depth_stride: col_stride }
}

/// The columns of B as vectors along k.
#[cfg(target_arch = "x86_64")]
fn columns_of<E: Copy>(b: MatRef<E>) -> vectors::Vectors<E> {
    let MatRef { data, rows, cols, row_stride, col_stride } = b;
    vectors::Vectors { data: data.as_ptr(), count: cols, depth: rows, stride: col_stride, depth_stride: row_stride }
}

/// The product by the `gemm` crate, for CPUs that our kernels do not support.
///
/// # Safety
/// As for [`dispatch`], and C is not empty.
unsafe fn portable(a: MatRef, b: MatRef, c: *mut f32, start: Start, precision: Precision) {
    // SAFETY: the caller's promise.
    let accumulate = unsafe { written_start(c, [a.rows, b.cols], start, a.cols == 0) };
    match precision {
        _ if a.cols == 0 => {}
        // SAFETY: the caller's promise.
        Precision::F32 => unsafe { gemm_f32(a, b, c, accumulate) },
        Precision::Bf16 => {
            let (a_rounded, b_rounded) = (rounded(a), rounded(b));
            let a = MatRef::row_major(&a_rounded, a.rows, a.cols);
            let b = MatRef::row_major(&b_rounded, b.rows, b.cols);
            // SAFETY: the caller's promise; the copies have the same shapes.
            unsafe { gemm_f32(a, b, c, accumulate) }
        }
    }
}

/// Initialises C with the start of the product, and returns whether the product is to be added to it. Zeros are written
/// only if `wanted`.
///
/// # Safety
/// As for [`dispatch`].
unsafe fn written_start(c: *mut f32, [rows, cols]: [usize; 2], start: Start, wanted: bool) -> bool {
    match start {
        Start::Held => true,
        Start::Row(row) => {
            for r in 0..rows {
                // SAFETY: C has that many rows, as long as this one.
                unsafe { c.add(r * cols).copy_from_nonoverlapping(row, cols) };
            }
            true
        }
        Start::Zero => {
            if wanted {
                // SAFETY: C has that many numbers; f32's zero is all bits 0.
                unsafe { c.write_bytes(0, rows * cols) };
            }
            false
        }
    }
}

/// # Safety
/// As for [`portable`], and no matrix is empty.
unsafe fn gemm_f32(a: MatRef, b: MatRef, c: *mut f32, accumulate: bool) {
    /// Number of rows of A from which a copy of B pays off in a single product.
    const MANY: usize = 1024;
    let right = (a.rows >= MANY).then(|| b.as_right_side(Precision::F32));
    let b = right.as_ref().map_or(b, RightSide::matrix);
    // SAFETY: the caller's promise; strides that lie inside a slice fit an isize.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            c,
            1,
            b.cols as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}

/// A row-major copy, rounded to bf16.
fn rounded(matrix: MatRef) -> Vec<f32> {
    let MatRef { data, rows, cols, row_stride, col_stride } = matrix;
    let row = |r: usize| (0..cols).map(move |c| round_to_bf16(data[r * row_stride + c * col_stride]));
    (0..rows).flat_map(row).collect()
}

/// The nearest bf16, ties to even, as an f32.
pub(crate) fn round_to_bf16(value: f32) -> f32 {
    if value.is_nan() {
        return value;
    }
    let bits = value.to_bits();
    f32::from_bits((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff_0000)
}
