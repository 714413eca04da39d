//! The boundary to the tokenizers library, which panics on some damaged or hostile files: here its panics become
//! errors. A regular expression that takes too long is one of them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::TokenizerError;
use crate::error::one_line;

thread_local! {
    /// Number of guarded calls on this thread: their panics are returned as errors, not printed by the hook.
    static GUARDED: Cell<usize> = const { Cell::new(0) };
}

/// Number of times that one search of a regular expression may go back and try again, over all places of the text where
/// a match could begin: some seconds. Without it a pattern whose attempts each read to the end of a long text takes
/// hours. What a look-ahead reads is not counted.
const MOST_RETRIES: u32 = 200_000_000;

#[expect(unsafe_code, reason = "a foreign function that sets a number")]
fn bound_regular_expressions() {
    // SAFETY: it stores a number, which searches read when they begin; any number is valid, and the library is linked
    // once, with the tokenizers library's own copy.
    unsafe { onig_sys::onig_set_retry_limit_in_search(MOST_RETRIES.into()) };
}

/// The result of `work`, or the reason of its panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, TokenizerError> {
    static BEFORE: Once = Once::new();
    BEFORE.call_once(|| {
        bound_regular_expressions();
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if GUARDED.get() == 0 {
                before(panic);
            }
        }));
    });
    GUARDED.set(GUARDED.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(GUARDED.get() - 1);
    result.map_err(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        let short: String = one_line(words).chars().take(200).collect();
        TokenizerError::Encoding(format!("the tokenizer gave up on it ({short})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_one_line() {
        let error = guarded(|| -> u32 { panic!("retry-limit\nover") }).unwrap_err().to_string();
        assert_eq!(error, "cannot encode the text: the tokenizer gave up on it (retry-limit over)");
        assert_eq!(guarded(|| 1).unwrap(), 1);
    }
}
