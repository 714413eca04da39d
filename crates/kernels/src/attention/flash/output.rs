//! Results that several threads write to.

/// A vector under construction. Each element is written once, by any thread, and is not zeroed before.
pub(crate) struct SharedOutput {
    data: Vec<f32>,
    pointer: *mut f32,
    len: usize,
}

// SAFETY: the pointer is into `data`, which is not touched before `finish`; `write` asks its callers for disjoint
// ranges.
#[expect(unsafe_code, reason = "threads write disjoint parts of one vector")]
unsafe impl Sync for SharedOutput {}

impl SharedOutput {
    pub(crate) fn new(len: usize) -> Self {
        let mut data = Vec::with_capacity(len);
        Self { pointer: data.as_mut_ptr(), data, len }
    }

    /// Writes `values` times `scale` at `start`.
    ///
    /// # Safety
    /// No two threads write the same element.
    #[inline]
    #[expect(unsafe_code, reason = "threads write disjoint parts of one vector")]
    pub(crate) unsafe fn write(&self, start: usize, values: &[f32], scale: f32) {
        assert!(start + values.len() <= self.len, "a row lies outside of the result");
        for (i, value) in values.iter().enumerate() {
            // SAFETY: within the capacity, and nobody else writes here.
            unsafe { self.pointer.add(start + i).write(value * scale) };
        }
    }

    /// # Safety
    /// Every element has been written.
    #[expect(unsafe_code, reason = "threads write disjoint parts of one vector")]
    pub(crate) unsafe fn finish(mut self) -> Vec<f32> {
        // SAFETY: the caller's promise; the capacity is at least `len`.
        unsafe { self.data.set_len(self.len) };
        self.data
    }
}
