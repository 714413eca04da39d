//! Ratings of replies.

use super::rating::MessageRating;
use super::variants::name;
use super::{Role, Status, Store, StoreError, messages};
use crate::clock::milliseconds;

impl Store {
    /// Rates a reply in place of an earlier rating; one without verdict and better answer removes the rating.
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
        .bind(milliseconds())
        .execute(connection)
        .await?;
    Ok(())
}
