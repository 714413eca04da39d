//! Ratings of replies.

use super::rating::{MessageRating, RatingChange};
use super::variants::name;
use super::written::without_nul;
use super::{Role, Status, Store, StoreError, messages};
use crate::clock::milliseconds;

impl Store {
    /// Rates a reply in place of an earlier rating; one without verdict and better answer removes the rating.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such message, [`StoreError::Invalid`] when it is not a finished
    /// reply or the better answer is empty.
    pub async fn rate(&self, account: &str, message: &str, rating: &MessageRating) -> Result<(), StoreError> {
        let MessageRating { verdict, better } = rating.clone();
        let change = RatingChange { verdict: Some(verdict), better: Some(better) };
        self.change_rating(account, message, change).await.map(drop)
    }

    /// Changes parts of a reply's rating, and returns it.
    ///
    /// # Errors
    /// As [`rate`](Self::rate).
    pub async fn change_rating(
        &self,
        account: &str,
        message: &str,
        change: RatingChange,
    ) -> Result<MessageRating, StoreError> {
        let mut transaction = self.begin().await?;
        let stored = messages::read(&mut transaction, account, message).await?;
        // Locks the conversation, so that of two changes at once the second finds the first.
        let lock = sqlx::query("UPDATE conversations SET listed = listed WHERE id = $1").bind(&stored.conversation);
        lock.execute(&mut *transaction).await?;
        let stored = messages::read(&mut transaction, account, message).await?;
        let in_progress = stored.status == Status::InProgress && !self.end_abandoned(&mut transaction, message).await?;
        if stored.role != Role::Assistant || in_progress {
            return Err(StoreError::invalid(format!("`{message}` is not a finished reply; only those are rated")));
        }
        let earlier = stored.rating.unwrap_or_default();
        let rating = MessageRating {
            verdict: change.verdict.unwrap_or(earlier.verdict),
            better: change.better.unwrap_or(earlier.better).as_deref().map(without_nul),
        };
        rating.check()?;
        if rating.is_empty() {
            sqlx::query("DELETE FROM ratings WHERE message = $1").bind(message).execute(&mut *transaction).await?;
        } else {
            insert(&mut transaction, message, &rating).await?;
        }
        transaction.commit().await?;
        Ok(rating)
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
        .bind(rating.better.as_deref().map(without_nul))
        .bind(milliseconds())
        .execute(connection)
        .await?;
    Ok(())
}
