//! The threads that compute.

/// Makes this thread one of rayon's, because it otherwise only waits while others compute: handing over and waiting
/// cost more than a small product. `RAYON_NUM_THREADS` sets the number of threads; the default is the number of cores.
///
/// Call it once, before anything else.
pub fn compute_on_this_one_too() {
    // It fails only if there is already a pool, which is slower but otherwise the same.
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
}
