//! Ids that cannot be guessed: a prefix for the kind, and 160 random bits.

use std::fmt::Write;

/// Number of random bytes in an id.
const BYTES: usize = 20;

/// A new id such as `conv_` followed by 40 hexadecimal digits.
///
/// # Panics
/// When the operating system gives no random numbers.
pub fn new_id(prefix: &str) -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    let mut id = String::with_capacity(prefix.len() + 1 + 2 * BYTES);
    id.push_str(prefix);
    id.push('_');
    for byte in bytes {
        write!(id, "{byte:02x}").expect("writing to a string cannot fail");
    }
    id
}

/// A random positive number, different from that of any other store.
pub(super) fn new_writer() -> i64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    i64::from_le_bytes(bytes) & i64::MAX
}
