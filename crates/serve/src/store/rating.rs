//! A person's rating of a reply.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::StoreError;
use super::variants::named;

/// Thumbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A good reply.
    Up,
    /// A bad one.
    Down,
}

/// A person's rating of a reply: a verdict, a better answer, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRating {
    /// Thumb up or down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The better reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<String>,
}

/// A change of a rating; `None` leaves a part as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RatingChange {
    /// Thumb up or down, or none.
    pub verdict: Option<Option<Verdict>>,
    /// The better reply, or none.
    pub better: Option<Option<String>>,
}

impl MessageRating {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.better.as_ref().is_some_and(|better| better.trim().is_empty()) {
            return Err(StoreError::invalid("the better answer is empty; leave it out instead"));
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.verdict.is_none() && self.better.is_none()
    }
}

/// The rating in a message's row, if there is one.
pub(super) fn of_row(row: &AnyRow) -> Result<Option<MessageRating>, StoreError> {
    let rated: Option<i64> = row.try_get("rated")?;
    if rated.is_none() {
        return Ok(None);
    }
    let verdict: Option<String> = row.try_get("verdict")?;
    Ok(Some(MessageRating { verdict: verdict.map(named).transpose()?, better: row.try_get("better")? }))
}
