//! Small matrix products inside a tile.

use pulp::{Simd, WithSimd};

use crate::simd::{LANES, arch};

/// Memory layout of the left factor of a [`Product`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Element `[m, k]` at `m · stride + k`.
    Rows(usize),
    /// Element `[m, k]` at `k · stride + m`: the matrix is stored transposed.
    Columns(usize),
}

/// `C (+)= A·B`. Every element is one chain of fused multiply-adds in the order of the inner axis, for any width
/// of the registers.
///
/// A general matrix multiplication packs its operands first. These are too small for that to pay off, and the working
/// memory already has the layout in which it is read: one element of A is broadcast, and a row of B is loaded.
pub(crate) struct Product<'a> {
    /// `[m, inner]`
    pub(crate) a: &'a [f32],
    pub(crate) layout: Left,
    /// `[inner, n]`, rows `b_stride` apart.
    pub(crate) b: &'a [f32],
    pub(crate) b_stride: usize,
    /// `[m, n]`, rows `c_stride` apart.
    pub(crate) c: &'a mut [f32],
    pub(crate) c_stride: usize,
    pub(crate) m: usize,
    /// A multiple of [`LANES`].
    pub(crate) n: usize,
    pub(crate) inner: usize,
    /// Whether the product is added to C instead of replacing it.
    pub(crate) add: bool,
}

impl Product<'_> {
    pub(crate) fn run(self) {
        let Self { m, n, inner, .. } = self;
        if m == 0 || n == 0 {
            return;
        }
        assert_eq!(n % LANES, 0, "the row length of a product is a multiple of {LANES}");
        assert!((m - 1) * self.c_stride + n <= self.c.len(), "C is too short");
        if inner > 0 {
            assert!((inner - 1) * self.b_stride + n <= self.b.len(), "B is too short");
            let last = match self.layout {
                Left::Rows(stride) => (m - 1) * stride + inner,
                Left::Columns(stride) => (inner - 1) * stride + m,
            };
            assert!(last <= self.a.len(), "A is too short");
        }
        arch().dispatch(self);
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "the innermost loop goes by pointers that `run` has checked")]
    fn rows<S: Simd, const COLUMNS: bool, const M: usize>(&mut self, simd: S, row: usize) {
        let stride = match self.layout {
            Left::Rows(stride) | Left::Columns(stride) => stride,
        };
        let lanes = S::F32_LANES;
        let mut column = 0;
        while column < self.n {
            let a = if COLUMNS { row } else { row * stride };
            let c = row * self.c_stride + column;
            let strides = Strides { a: stride, b: self.b_stride, c: self.c_stride };
            // SAFETY: `run` checked that A, B and C hold `m`, `n` and `inner`; this block has rows row..row + M ≤ m and
            // columns column..column + width ≤ n, and every vector read or written is whole because n is a multiple of
            // the lanes.
            unsafe {
                let (a, b, c) =
                    (self.a.as_ptr().wrapping_add(a), self.b.as_ptr().wrapping_add(column), self.c.as_mut_ptr().add(c));
                let left = (self.n - column) / lanes;
                column += lanes
                    * match (M, left) {
                        // Few rows: enough independent chains of sums to hide the latency of a multiplication.
                        (1, 8..) => block::<S, COLUMNS, M, 8>(simd, a, b, c, strides, self.inner, self.add),
                        (1 | 2, 4..) => block::<S, COLUMNS, M, 4>(simd, a, b, c, strides, self.inner, self.add),
                        // Four vectors are computed as two and two: with three and one, the one would have too few
                        // independent sums. With three rows or more, three vectors need more than 16 registers.
                        (_, 3 | 5..) if M < 3 || S::REGISTER_COUNT >= 32 => {
                            block::<S, COLUMNS, M, 3>(simd, a, b, c, strides, self.inner, self.add)
                        }
                        (_, 2..) => block::<S, COLUMNS, M, 2>(simd, a, b, c, strides, self.inner, self.add),
                        _ => block::<S, COLUMNS, M, 1>(simd, a, b, c, strides, self.inner, self.add),
                    };
            }
        }
    }

    #[inline(always)]
    fn all<S: Simd, const COLUMNS: bool>(mut self, simd: S) {
        let mut row = 0;
        // 8 × 3 sums in 32 registers, 6 × 2 in 16; there, eight rows are computed as four and four, not six and two.
        if S::REGISTER_COUNT >= 32 {
            while self.m - row >= 8 {
                self.rows::<S, COLUMNS, 8>(simd, row);
                row += 8;
            }
        } else {
            while self.m - row >= 6 && self.m - row != 8 {
                self.rows::<S, COLUMNS, 6>(simd, row);
                row += 6;
            }
        }
        while self.m - row >= 4 {
            self.rows::<S, COLUMNS, 4>(simd, row);
            row += 4;
        }
        match self.m - row {
            1 => self.rows::<S, COLUMNS, 1>(simd, row),
            2 => self.rows::<S, COLUMNS, 2>(simd, row),
            3 => self.rows::<S, COLUMNS, 3>(simd, row),
            _ => {}
        }
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.layout {
            Left::Rows(_) => self.all::<S, false>(simd),
            Left::Columns(_) => self.all::<S, true>(simd),
        }
    }
}

#[derive(Clone, Copy)]
struct Strides {
    a: usize,
    b: usize,
    c: usize,
}

/// M rows and N vectors of C, in registers. Returns N.
///
/// # Safety
/// The pointers are valid for M rows of A with `inner` elements, `inner` rows of B with N vectors, M rows of C with N
/// vectors.
#[inline(always)]
#[expect(unsafe_code, reason = "the innermost loop goes by pointers that `run` has checked")]
unsafe fn block<S: Simd, const COLUMNS: bool, const M: usize, const N: usize>(
    simd: S,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    strides: Strides,
    inner: usize,
    add: bool,
) -> usize {
    let lanes = S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); N]; M];
    // SAFETY: the caller's promise, and unaligned reads and writes.
    unsafe {
        if add {
            for i in 0..M {
                for j in 0..N {
                    sums[i][j] = c.add(i * strides.c + j * lanes).cast::<S::f32s>().read_unaligned();
                }
            }
        }
        for k in 0..inner {
            let mut row = [simd.splat_f32s(0.0); N];
            for j in 0..N {
                row[j] = b.add(k * strides.b + j * lanes).cast::<S::f32s>().read_unaligned();
            }
            for i in 0..M {
                let index = if COLUMNS { k * strides.a + i } else { i * strides.a + k };
                let scalar = simd.splat_f32s(*a.add(index));
                for j in 0..N {
                    sums[i][j] = simd.mul_add_f32s(scalar, row[j], sums[i][j]);
                }
            }
        }
        for i in 0..M {
            for j in 0..N {
                c.add(i * strides.c + j * lanes).cast::<S::f32s>().write_unaligned(sums[i][j]);
            }
        }
    }
    N
}
