//! Time since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// In seconds, as in `OpenAI`'s API.
pub fn seconds() -> u64 {
    since_1970().as_secs()
}

/// In milliseconds, as in stored conversations.
pub fn milliseconds() -> i64 {
    since_1970().as_millis() as i64
}
