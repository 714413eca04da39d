//! Numbers about an engine: [`Figures`].

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// Numbers about the engine that others may read at any time.
#[derive(Debug, Default)]
pub struct Figures {
    pub pages: AtomicUsize,
    pub used: AtomicUsize,
    pub cached: AtomicUsize,
    /// Requests in the engine.
    pub requests: AtomicUsize,
    pub preemptions: AtomicU64,
    pub steps: AtomicU64,
    /// Readers that were too slow.
    pub dropped: AtomicU64,
    /// Number of times that the engine was rebuilt after a defect.
    pub restarts: AtomicU64,
    /// Whether there is an engine; false if it could not be rebuilt.
    pub alive: AtomicBool,
}
