//! Small products of bf16 numbers that already are pairs in memory: what attention multiplies.
//!
//! A lane of 32 bits holds two numbers that follow one another along the inner axis, the first in the lower half. Rows
//! of bf16 numbers are such lanes as they are; a column of pairs is made of two rows, as [`pack`] does.

use super::amx::TileUnit;
#[cfg(test)]
use super::amx::software::Software;
use super::amx::{AmxBlock, Hardware};
use super::registers::LANES;

pub(crate) mod pack;
#[cfg(test)]
mod tests;
mod vectors;

/// Rows and columns of C, and the length of the inner axis, are multiples of this: a block of the tile registers.
pub(crate) const BLOCK: usize = 2 * LANES;

/// `C ← A·B`, or `C ← C + A·B`.
pub(crate) struct PairProduct<'a> {
    /// `[m, pairs]`, rows `a_stride` lanes apart.
    pub a: &'a [u32],
    pub a_stride: usize,
    /// `[pairs, n]`, rows `b_stride` lanes apart.
    pub b: &'a [u32],
    pub b_stride: usize,
    /// `[m, n]`, rows `c_stride` apart.
    pub c: &'a mut [f32],
    pub c_stride: usize,
    /// A multiple of [`BLOCK`].
    pub m: usize,
    /// A multiple of [`BLOCK`].
    pub n: usize,
    /// Half the length of the inner axis; a multiple of half a [`BLOCK`].
    pub pairs: usize,
    /// Whether the product is added to C instead of replacing it.
    pub add: bool,
}

/// What multiplies pairs.
pub(crate) trait PairUnit: Copy + Send + Sync {
    /// Runs `work` on a thread that is prepared for [`multiply`](Self::multiply).
    ///
    /// # Safety
    /// The CPU has the unit, and AVX512-BF16.
    unsafe fn prepared<R>(work: impl FnOnce() -> R) -> R;

    /// Computes a product.
    ///
    /// # Safety
    /// The thread is prepared; the product has passed [`PairProduct::check`].
    unsafe fn multiply(product: &mut PairProduct);
}

impl PairProduct<'_> {
    /// Computes it.
    ///
    /// # Safety
    /// The thread is [prepared](PairUnit::prepared).
    ///
    /// # Panics
    /// If a size is no multiple of a block, or an operand is too short.
    pub unsafe fn run<U: PairUnit>(mut self) {
        self.check();
        // SAFETY: the caller's promise.
        unsafe { U::multiply(&mut self) }
    }

    fn check(&self) {
        let Self { m, n, pairs, .. } = *self;
        assert!(m > 0 && n > 0 && pairs > 0, "no axis is empty");
        assert!(m.is_multiple_of(BLOCK) && n.is_multiple_of(BLOCK), "C consists of whole blocks");
        assert!((2 * pairs).is_multiple_of(BLOCK), "the inner axis consists of whole blocks");
        assert!((m - 1) * self.a_stride + pairs <= self.a.len(), "A is too short");
        assert!((pairs - 1) * self.b_stride + n <= self.b.len(), "B is too short");
        assert!((m - 1) * self.c_stride + n <= self.c.len(), "C is too short");
    }
}

/// The vector registers of AVX512-BF16.
#[derive(Clone, Copy)]
pub(crate) struct VectorUnit;

impl PairUnit for VectorUnit {
    unsafe fn prepared<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    unsafe fn multiply(product: &mut PairProduct) {
        // SAFETY: the caller's promise.
        unsafe { vectors::multiply(product) }
    }
}

/// The tile registers of AMX.
#[derive(Clone, Copy)]
pub(crate) struct AmxUnit;

impl PairUnit for AmxUnit {
    unsafe fn prepared<R>(work: impl FnOnce() -> R) -> R {
        // SAFETY: the caller's promise.
        unsafe { in_tiles::<Hardware, R>(work) }
    }

    unsafe fn multiply(product: &mut PairProduct) {
        // SAFETY: the caller's promise.
        unsafe { multiply_tiles::<Hardware>(product) }
    }
}

/// Whether [`AmxUnit`] works: from now on it does on a CPU without AMX too, as long as that has AVX512-BF16 and Linux.
#[cfg(test)]
pub(crate) fn emulate_tiles() -> bool {
    crate::isa::Isa::best() == crate::isa::Isa::Amx || crate::isa::emulate_amx()
}

/// Tiles computed without AMX.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(crate) struct SoftwareUnit;

#[cfg(test)]
impl PairUnit for SoftwareUnit {
    unsafe fn prepared<R>(work: impl FnOnce() -> R) -> R {
        // SAFETY: the caller's promise.
        unsafe { in_tiles::<Software, R>(work) }
    }

    unsafe fn multiply(product: &mut PairProduct) {
        // SAFETY: the caller's promise.
        unsafe { multiply_tiles::<Software>(product) }
    }
}

/// # Safety
/// The CPU has the unit.
unsafe fn in_tiles<U: TileUnit, R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: the caller's promise.
    unsafe { U::begin() };
    let result = work();
    // SAFETY: the thread was prepared above.
    unsafe { U::end() };
    result
}

/// # Safety
/// As for [`PairUnit::multiply`].
unsafe fn multiply_tiles<U: TileUnit>(product: &mut PairProduct) {
    let PairProduct { a_stride, b_stride, c_stride, m, n, pairs, add, .. } = *product;
    let (a, b, c) = (product.a.as_ptr(), product.b.as_ptr(), product.c.as_mut_ptr());
    for (row, column) in (0..m).step_by(BLOCK).flat_map(|row| (0..n).step_by(BLOCK).map(move |column| (row, column))) {
        let a = a.wrapping_add(row * a_stride);
        let b = b.wrapping_add(column);
        let c = c.wrapping_add(row * c_stride + column);
        let c = [c, c.wrapping_add(LANES * c_stride)];
        let (start, start_stride) = match add {
            true => (c.map(<*mut f32>::cast_const), 4 * c_stride),
            false => ([ZEROS.as_ptr(); 2], 0),
        };
        let block = AmxBlock {
            a: [a, a.wrapping_add(LANES * a_stride)],
            a_stride: 4 * a_stride,
            b: [b, b.wrapping_add(LANES)],
            b_stride: 4 * b_stride,
            b_advance: 4 * LANES * b_stride,
            count: pairs / LANES,
            start,
            start_stride,
            c,
            c_stride: 4 * c_stride,
        };
        // SAFETY: the caller's promise; the block lies inside C, and its operands in A and B.
        unsafe { U::multiply(&block) };
    }
}

/// Initial values of sums.
static ZEROS: [f32; BLOCK] = [0.0; BLOCK];
