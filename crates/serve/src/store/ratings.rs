use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::messages::{self, name, named};
use super::{Role, Status, Store, StoreError, now};

/// Thumbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A good reply.
    Up,
    /// A bad one.
    Down,
}

/// What a person thinks of a reply: a verdict, a better answer, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRating {
    /// Thumb up or down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What the reply should have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<String>,
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

impl Store {
    /// Rates a reply in place of an earlier rating; one without verdict and better answer takes the rating away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such message, [`StoreError::Invalid`] when it is not a finished
    /// reply or the better answer is empty.
    pub async fn rate(&self, account: &str, message: &str, rating: &MessageRating) -> Result<(), StoreError> {
        rating.check()?;
        let mut transaction = self.begin().await?;
        let stored = messages::read(&mut transaction, account, message).await?;
        if stored.role != Role::Assistant || stored.status == Status::InProgress {
            return Err(StoreError::invalid(format!("`{message}` is not a finished reply; only those are rated")));
        }
        if rating.is_empty() {
            sqlx::query("DELETE FROM ratings WHERE message = $1").bind(message).execute(&mut *transaction).await?;
        } else {
            insert(&mut transaction, message, rating).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

pub(super) async fn insert(
    connection: &mut sqlx::AnyConnection,
    message: &str,
    rating: &MessageRating,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO ratings (message, verdict, better, created) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (message) DO UPDATE SET verdict = excluded.verdict, better = excluded.better, \
               created = excluded.created";
    sqlx::query(sql)
        .bind(message)
        .bind(rating.verdict.map(name))
        .bind(&rating.better)
        .bind(now())
        .execute(connection)
        .await?;
    Ok(())
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
