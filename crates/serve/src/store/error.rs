//! Errors of the store.

use thiserror::Error;

/// Error of the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The account has nothing with this id. Other accounts' ids give the same error.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// "conversation", "message" or "response".
        what: &'static str,
        /// The id as it was asked for.
        id: String,
    },
    /// The request contradicts what is stored, or is malformed.
    #[error("{0}")]
    Invalid(String),
    /// A reply of the conversation is in progress.
    #[error("{0}")]
    Busy(String),
    /// The database cannot be opened.
    #[error("cannot open the database {place}: {reason}")]
    Open {
        /// The path, or the URL without its password.
        place: String,
        /// The problem, and its remedy if it is known.
        reason: String,
    },
    /// A file of the export cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(sqlx::Error),
    /// A row holds a value that this version never writes.
    #[error("the database holds an unreadable {0}")]
    Corrupt(String),
}

/// `PostgreSQL`'s code for a character that its text cannot hold: NUL.
const NO_SUCH_CHARACTER: &str = "22021";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
            Some(code) if code == NO_SUCH_CHARACTER => {
                Self::invalid("the text has the character NUL, which the database cannot hold; leave it out")
            }
            _ => Self::Database(error),
        }
    }
}

impl StoreError {
    pub(super) fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound { what, id: id.to_owned() }
    }

    pub(super) fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid(why.into())
    }

    /// Whether the caller can fix it: an unknown id, a contradiction, a path that cannot be opened.
    pub fn is_user_error(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Invalid(_) | Self::Busy(_) | Self::Open { .. })
    }
}
