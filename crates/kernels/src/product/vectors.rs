//! An operand as vectors along k, and its elements in a register.

use super::number::Number;
use super::registers::{LANES, Sixteen};

/// One operand seen as vectors along k: the rows of A, or the columns of B.
#[derive(Clone, Copy)]
pub(super) struct Vectors<E = f32> {
    pub data: *const E,
    pub count: usize,
    pub depth: usize,
    /// Distance from one vector to the next, in elements.
    pub stride: usize,
    /// Distance from one element of a vector to the next.
    pub depth_stride: usize,
}

// SAFETY: it is only read through, and what it points at is borrowed for the whole product.
unsafe impl<E> Send for Vectors<E> {}
// SAFETY: as above.
unsafe impl<E> Sync for Vectors<E> {}

impl<E: Number> Vectors<E> {
    /// The same vectors from `start` on, `count` of them, cut to `depth` elements from `from` on.
    pub fn part(self, start: usize, count: usize, from: usize, depth: usize) -> Self {
        debug_assert!(start + count <= self.count && from + depth <= self.depth, "a part lies inside the whole");
        // Wrapping arithmetic, since an empty part may begin outside the allocation.
        let data = self.data.wrapping_add(start * self.stride + from * self.depth_stride);
        Self { data, count, depth, ..self }
    }
}

/// The first `count` (at most 16) of the elements at `data` in f32, then zeros.
///
/// # Safety
/// They are readable, and the CPU has the instructions.
#[inline(always)]
pub(super) unsafe fn load<R: Sixteen, E: Number>(data: *const E, stride: usize, count: usize) -> R {
    // SAFETY: the caller's promise.
    unsafe {
        if stride != 1 {
            let mut elements = [0f32; LANES];
            for (i, element) in elements.iter_mut().enumerate().take(count) {
                *element = data.add(i * stride).read().widen();
            }
            R::load(elements.as_ptr().cast())
        } else if count >= LANES {
            E::load(data)
        } else {
            E::load_first(data, count)
        }
    }
}
