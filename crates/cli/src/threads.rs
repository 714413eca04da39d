//! The threads that compute.

use anyhow::Result;

use crate::error::user;

/// The variable that says how many they are.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Checks the number that the environment asks for, which rayon ignores if it is none.
///
/// # Errors
/// When it is no number.
pub fn check() -> Result<()> {
    match std::env::var_os(VARIABLE) {
        Some(text) if text.to_str().is_none_or(|text| text.parse::<usize>().is_err()) => {
            Err(user(format!("{VARIABLE}={}: give a number of threads, 0 for one a core", text.to_string_lossy())))
        }
        _ => Ok(()),
    }
}

/// Makes this thread one of rayon's, because it otherwise only waits while others compute: handing over and waiting
/// cost more than a small product. `RAYON_NUM_THREADS` sets the number of threads; the default is the number of cores.
///
/// Call it once, before anything else.
pub fn compute_on_this_one_too() {
    // It fails only if there is already a pool, which is slower but otherwise the same.
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
}
