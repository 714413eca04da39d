//! Whose fault an error is.

use std::fmt;

/// An error of the user: one line with the problem, its place, and the remedy.
#[derive(Debug)]
pub struct UserError(String);

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UserError {}

/// A [`UserError`] to return with `?` or `Err`.
pub fn user(message: impl Into<String>) -> anyhow::Error {
    UserError(message.into()).into()
}

/// The exit code of an error: 2 where the user can mend it, as with fireclay itself; else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<UserError>() { 2 } else { 1 }
}
