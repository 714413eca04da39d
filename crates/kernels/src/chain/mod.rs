//! Small products in which every result is one chain of fused multiply-adds along the inner axis, so that its bits
//! depend neither on the number of rows that are multiplied at once nor on the width of the registers.
//!
//! The right factor is read where it is stored, in one block or in many; nothing is packed. Its elements are f32
//! numbers, or [`Bf16Pair`]s of bf16 numbers, whose products are summed in f32: the second of a pair first, as the
//! instruction of AVX512-BF16 does it.

#![expect(unsafe_code, reason = "vectors are read and written by pointers that are checked before")]

mod element;
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use element::{Element, round_to_pairs};

/// Two bf16 numbers that follow one another along the inner axis, the first in the low half.
pub(crate) type Bf16Pair = u32;

/// Number of columns of a block of columns, and the unit of the width of a block of rows.
pub(crate) const LANES: usize = 16;

/// The left factor: rows of elements.
#[derive(Clone, Copy)]
pub(crate) struct LeftRows<'a, E> {
    pub elements: &'a [E],
    /// Distance from one row to the next.
    pub stride: usize,
    pub rows: usize,
}

/// C ← A·B, where B is stored in blocks of [`LANES`] columns: an element of each column, then the next of each.
pub(crate) struct BlocksOfColumns<'a, E, F> {
    pub left: LeftRows<'a, E>,
    /// What the blocks are parts of.
    pub memory: &'a [E],
    /// Where a block begins.
    pub block: F,
    pub blocks: usize,
    /// Elements of a column.
    pub inner: usize,
    /// `[rows, blocks · LANES]`
    pub out: &'a mut [f32],
    pub out_stride: usize,
}

/// C ← C + A·B, where B is stored in blocks of rows.
pub(crate) struct BlocksOfRows<'a, E, F> {
    pub left: LeftRows<'a, E>,
    /// What the blocks are parts of.
    pub memory: &'a [E],
    /// Where a block begins, and its number of rows.
    pub block: F,
    pub blocks: usize,
    /// Length of a row, a multiple of [`LANES`].
    pub width: usize,
    /// `[rows, width]`
    pub out: &'a mut [f32],
    pub out_stride: usize,
}

/// Something to compute with the vectors of an instruction set.
pub(crate) trait ChainWork<E> {
    /// # Safety
    /// The CPU has the instructions of V.
    unsafe fn run<V: ChainVector<E>>(self);
}

/// Vectors of f32 sums, each of another column.
pub(crate) trait ChainVector<E> {
    /// Number of sums in a vector; it divides [`LANES`].
    const LANES: usize;
    /// Whether 4 × 4 sums fit the registers beside the factors.
    const MANY: bool;
    type Sums: Copy;
    /// An element of A for every lane.
    type Left: Copy;
    /// An element of B for each lane.
    type Right: Copy;

    unsafe fn zero() -> Self::Sums;
    unsafe fn load(from: *const f32) -> Self::Sums;
    unsafe fn store(sums: Self::Sums, to: *mut f32);
    unsafe fn left(from: *const E) -> Self::Left;
    unsafe fn right(from: *const E) -> Self::Right;
    unsafe fn multiply_add(sums: Self::Sums, left: Self::Left, right: Self::Right) -> Self::Sums;
}

/// Adds to M × N vectors of sums the products of M rows with N vectors of columns: those at `right`, and after each of
/// `inner` elements `step` further on. Returns the rows after those elements.
///
/// # Safety
/// The pointers hold so many elements, and the CPU has the instructions.
#[inline(always)]
unsafe fn accumulate<E, V: ChainVector<E>, const M: usize, const N: usize>(
    sums: &mut [[V::Sums; N]; M],
    left: [*const E; M],
    right: [*const E; N],
    inner: usize,
    step: usize,
) -> [*const E; M] {
    // SAFETY: the caller's promise.
    unsafe {
        for k in 0..inner {
            // No closures: the compiler may leave them outside of the function that has the instructions.
            let mut factors = [V::left(left[0].add(k)); M];
            for i in 1..M {
                factors[i] = V::left(left[i].add(k));
            }
            for j in 0..N {
                let right = V::right(right[j].add(k * step));
                for i in 0..M {
                    sums[i][j] = V::multiply_add(sums[i][j], factors[i], right);
                }
            }
        }
        left.map(|row| row.add(inner))
    }
}

/// Calls `$tile::<V, M, N>(row, vector)` for tiles of at most 4 rows and 8 vectors that cover all.
macro_rules! tiles {
    ($self:ident, $V:ident, $rows:expr, $vectors:expr) => {{
        let (rows, vectors) = ($rows, $vectors);
        let mut row = 0;
        while row < rows {
            let count = (rows - row).min(4);
            let mut vector = 0;
            while vector < vectors {
                let left = vectors - vector;
                // Fewer rows need more vectors, for enough sums that do not wait for one another.
                vector += match count {
                    1 if left >= 8 => $self.tile::<$V, 1, 8>(row, vector),
                    1 if left >= 4 => $self.tile::<$V, 1, 4>(row, vector),
                    1 if left >= 2 => $self.tile::<$V, 1, 2>(row, vector),
                    1 => $self.tile::<$V, 1, 1>(row, vector),
                    2 if left >= 4 => $self.tile::<$V, 2, 4>(row, vector),
                    2 if left >= 2 => $self.tile::<$V, 2, 2>(row, vector),
                    2 => $self.tile::<$V, 2, 1>(row, vector),
                    3 if left >= 4 && $V::MANY => $self.tile::<$V, 3, 4>(row, vector),
                    3 if left >= 2 => $self.tile::<$V, 3, 2>(row, vector),
                    3 => $self.tile::<$V, 3, 1>(row, vector),
                    _ if left >= 4 && $V::MANY => $self.tile::<$V, 4, 4>(row, vector),
                    _ if left >= 2 => $self.tile::<$V, 4, 2>(row, vector),
                    _ => $self.tile::<$V, 4, 1>(row, vector),
                };
            }
            row += count;
        }
    }};
}

impl<E: Element> LeftRows<'_, E> {
    /// Pointers to M rows from `row` on.
    ///
    /// # Safety
    /// They exist.
    #[inline(always)]
    unsafe fn pointers<const M: usize>(&self, row: usize) -> [*const E; M] {
        // SAFETY: the caller's promise.
        std::array::from_fn(|i| unsafe { self.elements.as_ptr().add((row + i) * self.stride) })
    }

    /// Asserts that there are rows of so many elements.
    fn check(&self, inner: usize) {
        let needed = self.rows.checked_sub(1).map_or(0, |last| last * self.stride + inner);
        assert!(needed <= self.elements.len(), "the left factor is too short");
    }
}

/// Asserts that a result has `rows` rows of `width` numbers.
fn check_out(out: &[f32], stride: usize, rows: usize, width: usize) {
    let needed = rows.checked_sub(1).map_or(0, |last| last * stride + width);
    assert!(needed <= out.len() && width <= stride, "the result is too short");
}

impl<E: Element, F: Fn(usize) -> usize> BlocksOfColumns<'_, E, F> {
    pub fn run(self) {
        self.left.check(self.inner);
        check_out(self.out, self.out_stride, self.left.rows, self.blocks * LANES);
        let fits = |block: usize| (self.block)(block) + self.inner * LANES <= self.memory.len();
        assert!((0..self.blocks).all(fits), "a block of columns lies outside of the memory");
        E::run(self);
    }

    /// # Safety
    /// The rows and vectors exist, and the CPU has the instructions.
    #[inline(always)]
    unsafe fn tile<V: ChainVector<E>, const M: usize, const N: usize>(&mut self, row: usize, vector: usize) -> usize {
        let in_block = LANES / V::LANES;
        // SAFETY: `run` has checked rows and blocks, and the caller promises the rest.
        unsafe {
            let right = std::array::from_fn(|j| {
                let (block, part) = ((vector + j) / in_block, (vector + j) % in_block);
                self.memory.as_ptr().add((self.block)(block) + part * V::LANES)
            });
            let mut sums = [[V::zero(); N]; M];
            accumulate::<E, V, M, N>(&mut sums, self.left.pointers(row), right, self.inner, LANES);
            for (i, sums) in sums.into_iter().enumerate() {
                for (j, sums) in sums.into_iter().enumerate() {
                    V::store(sums, self.out.as_mut_ptr().add((row + i) * self.out_stride + (vector + j) * V::LANES));
                }
            }
        }
        N
    }
}

impl<E, F> ChainWork<E> for BlocksOfColumns<'_, E, F>
where
    E: Element,
    F: Fn(usize) -> usize,
{
    #[inline(always)]
    unsafe fn run<V: ChainVector<E>>(mut self) {
        // SAFETY: the tiles cover what `run` has checked.
        unsafe { tiles!(self, V, self.left.rows, self.blocks * (LANES / V::LANES)) }
    }
}

impl<E: Element, F: Fn(usize) -> (usize, usize)> BlocksOfRows<'_, E, F> {
    pub fn run(self) {
        assert_eq!(self.width % LANES, 0, "rows are of whole vectors");
        let blocks = || (0..self.blocks).map(|block| (self.block)(block));
        self.left.check(blocks().map(|(_, rows)| rows).sum());
        check_out(self.out, self.out_stride, self.left.rows, self.width);
        let fits = |(start, rows): (usize, usize)| start + rows * self.width <= self.memory.len();
        assert!(blocks().all(fits), "a block of rows lies outside of the memory");
        E::run(self);
    }

    /// # Safety
    /// As for [`BlocksOfColumns::tile`].
    #[inline(always)]
    unsafe fn tile<V: ChainVector<E>, const M: usize, const N: usize>(&mut self, row: usize, vector: usize) -> usize {
        // SAFETY: `run` has checked rows and blocks, and the caller promises the rest.
        unsafe {
            let out = self.out.as_mut_ptr().add(row * self.out_stride + vector * V::LANES);
            let place = |i: usize, j: usize| out.add(i * self.out_stride + j * V::LANES);
            let mut sums = [[V::zero(); N]; M];
            for i in 0..M {
                for j in 0..N {
                    sums[i][j] = V::load(place(i, j));
                }
            }
            let mut left = self.left.pointers(row);
            for block in 0..self.blocks {
                let (start, rows) = (self.block)(block);
                let right = self.memory.as_ptr().add(start + vector * V::LANES);
                let right = std::array::from_fn(|j| right.add(j * V::LANES));
                left = accumulate::<E, V, M, N>(&mut sums, left, right, rows, self.width);
            }
            for (i, sums) in sums.into_iter().enumerate() {
                for (j, sums) in sums.into_iter().enumerate() {
                    V::store(sums, place(i, j));
                }
            }
        }
        N
    }
}

impl<E, F> ChainWork<E> for BlocksOfRows<'_, E, F>
where
    E: Element,
    F: Fn(usize) -> (usize, usize),
{
    #[inline(always)]
    unsafe fn run<V: ChainVector<E>>(mut self) {
        // SAFETY: the tiles cover what `run` has checked.
        unsafe { tiles!(self, V, self.left.rows, self.width / V::LANES) }
    }
}
