//! Memory for packed operands, kept by each thread from call to call: fresh pages would cost more than the packing.

use std::cell::Cell;

/// A cache line of lanes, so that a vector never straddles two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

thread_local! {
    static SHARED: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
    static LOCAL: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
    static PARTS: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// A thread's buffers. The thread that owns the shared buffer also processes pieces, so it needs both.
#[derive(Clone, Copy)]
pub(super) enum Scratch {
    /// The operand that is packed once for all threads of a product.
    Shared,
    /// The current piece of work.
    Local,
    /// Sums over parts of k.
    Parts,
}

impl Scratch {
    /// Runs `work` with at least `lanes` lanes of unspecified values.
    ///
    /// The buffer is taken out of its slot meanwhile: a thread that waits for others may be given another product to
    /// compute, which then finds the slot empty and allocates its own buffer.
    pub fn with<R>(self, lanes: usize, work: impl FnOnce(*mut u32) -> R) -> R {
        let place = match self {
            Self::Shared => &SHARED,
            Self::Local => &LOCAL,
            Self::Parts => &PARTS,
        };
        let mut buffer = place.take();
        let lines = lanes.div_ceil(16);
        if buffer.len() < lines {
            // Not grown in place, because the old contents need not be copied.
            buffer = vec![Line([0; 16]); lines];
        }
        let result = work(buffer.as_mut_ptr().cast());
        place.set(buffer);
        result
    }
}
