//! The allocator.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// Training frees and allocates tensors all the time; the system's allocator would return their pages and get them
/// again, zeroed, each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, for which `libmimalloc-sys` has no name: milliseconds until freed memory is returned to the
/// system.
const PURGE_DELAY: mi_option_t = 15;

/// Keeps freed memory for a minute. The default is a second, less than a training step of a large model, so that each
/// step would allocate its memory again, zeroed by the kernel: a quarter of the time for 135 million parameters.
/// `MIMALLOC_PURGE_DELAY` takes precedence.
pub fn keep_freed_memory() {
    const MINUTE: c_long = 60_000;
    #[expect(unsafe_code, reason = "a foreign function that takes two numbers")]
    // SAFETY: the option exists in mimalloc 3; setting it is not a data race.
    unsafe {
        mi_option_set_default(PURGE_DELAY, MINUTE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        #[expect(unsafe_code, reason = "a foreign function that takes a number")]
        // SAFETY: reads an option.
        let get = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            assert_eq!(get(), 1000, "mimalloc's default purge delay: is 15 still its number?");
            keep_freed_memory();
            assert_eq!(get(), 60_000);
        }
    }
}
