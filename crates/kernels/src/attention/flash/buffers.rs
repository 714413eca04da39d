//! Thread-local working memory.

use std::cell::RefCell;

use crate::simd::LANES;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with pieces of this thread's working memory, each aligned to a cache line if its size is a whole number of
/// vectors. The pieces hold values left over from earlier work. `f` must not call this function again, nor hand work to
/// rayon, which might.
pub(crate) fn with<const N: usize, R>(sizes: [usize; N], f: impl FnOnce([&mut [f32]; N]) -> R) -> R {
    SCRATCH.with_borrow_mut(|memory| {
        let needed = sizes.iter().sum::<usize>() + LANES;
        if memory.len() < needed {
            memory.resize(needed, 0.0);
        }
        let start = memory.as_ptr().align_offset(64).min(LANES);
        let mut rest = &mut memory[start..];
        f(sizes.map(|size| rest.split_off_mut(..size).expect("the memory holds all pieces")))
    })
}
