//! Time since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// In seconds, as `OpenAI`'s API tells it.
pub fn seconds() -> u64 {
    since_1970().as_secs()
}

/// In milliseconds, as conversations keep it.
pub fn milliseconds() -> i64 {
    since_1970().as_millis() as i64
}
