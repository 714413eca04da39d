//! Responses of `OpenAI`'s API and the messages that they belong to.

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{AnyConnection, Row};

use super::written::{json, map_without_nul};
use super::{Store, StoreError, StoredMessage, messages, new_id};
use crate::clock::milliseconds;

/// A response of the Responses API: its reply, and further fields.
///
/// `previous_response_id` continues from the reply's message: `Parent::Message(response.message)`. Where that has
/// followers already, the continuation is a branch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Response {
    /// `resp_…`
    pub id: String,
    /// The conversation's id.
    pub conversation: String,
    /// The reply's id.
    pub message: String,
    /// The caller's own: settings that a later read of the response shows.
    pub body: Map<String, Value>,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl Store {
    /// A new response for a reply, which may still be in progress.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such message.
    pub async fn create_response(
        &self,
        account: &str,
        message: &str,
        body: Map<String, Value>,
    ) -> Result<Response, StoreError> {
        let mut transaction = self.begin().await?;
        let stored = messages::read(&mut transaction, account, message).await?;
        let response = insert(&mut transaction, &stored, body).await?;
        transaction.commit().await?;
        Ok(response)
    }

    /// Replaces the stored fields of a response.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such response.
    pub async fn set_response_body(
        &self,
        account: &str,
        id: &str,
        body: &Map<String, Value>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE responses SET body = $3 WHERE id = $1 AND message IN (SELECT m.id FROM messages m \
                   JOIN conversations c ON c.id = m.conversation WHERE c.account = $2)";
        match sqlx::query(sql).bind(id).bind(account).bind(json(body)).execute(&self.pool).await?.rows_affected() {
            0 => Err(StoreError::not_found("response", id)),
            _ => Ok(()),
        }
    }

    /// The response of this id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has none.
    pub async fn response(&self, account: &str, id: &str) -> Result<Response, StoreError> {
        let sql = "SELECT r.id, r.message, r.body, r.created, m.conversation FROM responses r \
                   JOIN messages m ON m.id = r.message JOIN conversations c ON c.id = m.conversation \
                   WHERE r.id = $1 AND c.account = $2";
        let row = sqlx::query(sql).bind(id).bind(account).fetch_optional(&self.pool).await?;
        let row = row.ok_or_else(|| StoreError::not_found("response", id))?;
        let body: String = row.try_get("body")?;
        Ok(Response {
            id: row.try_get("id")?,
            conversation: row.try_get("conversation")?,
            message: row.try_get("message")?,
            body: serde_json::from_str(&body).map_err(|_| StoreError::Corrupt("body of a response".into()))?,
            created: row.try_get("created")?,
        })
    }

    /// Deletes a response. A listed conversation keeps the reply; one that is not listed is deleted with its last
    /// response. Returns the id of a conversation that was deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such response.
    pub async fn delete_response(&self, account: &str, id: &str) -> Result<Option<String>, StoreError> {
        let conversation = self.response(account, id).await?.conversation;
        let mut transaction = self.begin().await?;
        // Locks the conversation, so that of two deletions at once the second finds no response.
        let lock = sqlx::query("UPDATE conversations SET listed = listed WHERE id = $1").bind(&conversation);
        lock.execute(&mut *transaction).await?;
        let delete = sqlx::query("DELETE FROM responses WHERE id = $1").bind(id);
        if delete.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(StoreError::not_found("response", id));
        }
        let sql = "DELETE FROM conversations WHERE id = $1 AND listed = 0 AND NOT EXISTS (SELECT 1 FROM responses r \
                   JOIN messages m ON m.id = r.message WHERE m.conversation = $1)";
        let deleted = sqlx::query(sql).bind(&conversation).execute(&mut *transaction).await?.rows_affected() > 0;
        transaction.commit().await?;
        Ok(deleted.then_some(conversation))
    }
}

/// A response of this reply.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    reply: &StoredMessage,
    body: Map<String, Value>,
) -> Result<Response, StoreError> {
    let response = Response {
        id: new_id("resp"),
        conversation: reply.conversation.clone(),
        message: reply.id.clone(),
        body: map_without_nul(body),
        created: milliseconds(),
    };
    sqlx::query("INSERT INTO responses (id, message, body, created) VALUES ($1, $2, $3, $4)")
        .bind(&response.id)
        .bind(&response.message)
        .bind(json(&response.body))
        .bind(response.created)
        .execute(connection)
        .await?;
    Ok(response)
}
