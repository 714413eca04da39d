//! The threads that compute.

/// Makes this thread one of rayon's, as it otherwise only waits while others compute: handing over and waiting cost it
/// more than a small product. `RAYON_NUM_THREADS` says how many there are; else as many as the machine has cores.
///
/// Call it once, first of all.
pub fn compute_on_this_one_too() {
    // It fails only where there is a pool already, which is as good but for speed.
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
}
