//! Conversations: their titles, lists and changes.

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::any::{Any, AnyRow};

use super::written::{json, map_without_nul, without_nul};
use super::{Store, StoreError, new_id};
use crate::clock::milliseconds;

/// A conversation without its messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredConversation {
    /// `conv_…`
    pub id: String,
    /// Title in lists: given, or the beginning of the first user message; empty before there is one.
    pub title: String,
    /// The system prompt.
    pub persona: Option<String>,
    /// The caller's own data.
    pub metadata: Map<String, Value>,
    /// Whether lists show it. A chain of responses that named no conversation is not listed.
    pub listed: bool,
    /// The message from which the conversation goes on; `None` when it has no message.
    pub leaf: Option<String>,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Milliseconds since 1970 of the last change.
    pub updated: i64,
}

/// Content of a new conversation.
#[derive(Clone, Debug, Default)]
pub struct NewConversation {
    /// Empty: taken from the first user message.
    pub title: String,
    /// The system prompt.
    pub persona: Option<String>,
    /// The caller's own data.
    pub metadata: Map<String, Value>,
    /// Left out of lists.
    pub unlisted: bool,
}

/// Changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ConversationChange {
    /// The new title, if any.
    pub title: Option<String>,
    /// The new system prompt, or none.
    pub persona: Option<Option<String>>,
    /// In place of all metadata.
    pub metadata: Option<Map<String, Value>>,
    /// Whether lists show it.
    pub listed: Option<bool>,
}

/// Query of a list of conversations.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Only those with this text in their title or a message, ignoring case (of ASCII letters on `SQLite`).
    pub search: String,
    /// Largest number of conversations.
    pub limit: u32,
    /// Only those after this conversation, which need not match the search.
    pub after: Option<String>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { search: String::new(), limit: 100, after: None }
    }
}

/// A part of an account's conversations, the last changed first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConversationList {
    /// At most the limit.
    pub conversations: Vec<StoredConversation>,
    /// Whether more follow.
    pub has_more: bool,
}

/// Characters of a title that is taken from a message.
const TITLE_CHARS: usize = 60;

impl StoredConversation {
    /// The conversation as its columns hold it.
    pub(super) fn without_nul(self) -> Self {
        Self {
            title: without_nul(&self.title),
            persona: self.persona.as_deref().map(without_nul),
            metadata: map_without_nul(self.metadata),
            ..self
        }
    }
}

impl Store {
    /// A new conversation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_conversation(
        &self,
        account: &str,
        new: NewConversation,
    ) -> Result<StoredConversation, StoreError> {
        let conversation = fresh(new);
        insert(&self.pool, account, &conversation).await?;
        Ok(conversation)
    }

    /// The conversation of this id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has none.
    pub async fn conversation(&self, account: &str, id: &str) -> Result<StoredConversation, StoreError> {
        read(&self.pool, account, id).await
    }

    /// The account's listed conversations, the last changed first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `query.after` is no conversation of the account.
    pub async fn conversations(&self, account: &str, query: &ListQuery) -> Result<ConversationList, StoreError> {
        if let Some(after) = &query.after {
            self.conversation(account, after).await?;
        }
        let sql = r"SELECT * FROM conversations WHERE account = $1 AND listed = 1
            AND ($2 = '' OR lower(title) LIKE lower($2) ESCAPE '\' OR EXISTS (SELECT 1 FROM messages
                WHERE messages.conversation = conversations.id AND lower(content) LIKE lower($2) ESCAPE '\'))
            AND ($3 = '' OR (updated, id) < (SELECT updated, id FROM conversations WHERE id = $3))
            ORDER BY updated DESC, id DESC LIMIT $4";
        let rows = sqlx::query(sql)
            .bind(account)
            .bind(like(&without_nul(&query.search)))
            .bind(query.after.clone().unwrap_or_default())
            .bind(i64::from(query.limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        let mut conversations = rows.iter().map(of_row).collect::<Result<Vec<_>, _>>()?;
        let has_more = conversations.len() > query.limit as usize;
        conversations.truncate(query.limit as usize);
        Ok(ConversationList { conversations, has_more })
    }

    /// Changes title, persona or metadata.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such conversation.
    pub async fn change_conversation(
        &self,
        account: &str,
        id: &str,
        change: ConversationChange,
    ) -> Result<StoredConversation, StoreError> {
        let mut transaction = self.begin().await?;
        touch(&mut transaction, account, id).await?;
        let mut conversation = read(&mut *transaction, account, id).await?;
        conversation.title = change.title.unwrap_or(conversation.title);
        conversation.persona = change.persona.unwrap_or(conversation.persona);
        conversation.metadata = change.metadata.unwrap_or(conversation.metadata);
        conversation.listed = change.listed.unwrap_or(conversation.listed);
        let conversation = conversation.without_nul();
        sqlx::query("UPDATE conversations SET title = $2, persona = $3, metadata = $4, listed = $5 WHERE id = $1")
            .bind(id)
            .bind(&conversation.title)
            .bind(&conversation.persona)
            .bind(json(&conversation.metadata))
            .bind(i64::from(conversation.listed))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(conversation)
    }

    /// Deletes a conversation with its messages, responses and ratings.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such conversation.
    pub async fn delete_conversation(&self, account: &str, id: &str) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM conversations WHERE id = $1 AND account = $2").bind(id).bind(account);
        match delete.execute(&self.pool).await?.rows_affected() {
            0 => Err(StoreError::not_found("conversation", id)),
            _ => Ok(()),
        }
    }
}

/// A conversation that is not stored yet.
pub(super) fn fresh(new: NewConversation) -> StoredConversation {
    let now = milliseconds();
    let conversation = StoredConversation {
        id: new_id("conv"),
        title: new.title,
        persona: new.persona,
        metadata: new.metadata,
        listed: !new.unlisted,
        leaf: None,
        created: now,
        updated: now,
    };
    conversation.without_nul()
}

/// Locks the conversation's row for this transaction, and records the time of the change.
pub(super) async fn touch(transaction: &mut sqlx::AnyConnection, account: &str, id: &str) -> Result<(), StoreError> {
    // If the clock was set back, a conversation does not move down in the list.
    let sql = "UPDATE conversations SET updated = CASE WHEN updated < $3 THEN $3 ELSE updated + 1 END WHERE id = $1 \
               AND account = $2";
    let update = sqlx::query(sql).bind(id).bind(account).bind(milliseconds());
    match update.execute(transaction).await?.rows_affected() {
        0 => Err(StoreError::not_found("conversation", id)),
        _ => Ok(()),
    }
}

pub(super) async fn read<'c>(
    executor: impl sqlx::Executor<'c, Database = Any>,
    account: &str,
    id: &str,
) -> Result<StoredConversation, StoreError> {
    let query = sqlx::query("SELECT * FROM conversations WHERE id = $1 AND account = $2").bind(id).bind(account);
    let row = query.fetch_optional(executor).await?;
    of_row(&row.ok_or_else(|| StoreError::not_found("conversation", id))?)
}

pub(super) async fn insert<'c>(
    executor: impl sqlx::Executor<'c, Database = Any>,
    account: &str,
    conversation: &StoredConversation,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO conversations (id, account, title, persona, metadata, listed, leaf, created, updated) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    sqlx::query(sql)
        .bind(&conversation.id)
        .bind(account)
        .bind(&conversation.title)
        .bind(&conversation.persona)
        .bind(json(&conversation.metadata))
        .bind(i64::from(conversation.listed))
        .bind(&conversation.leaf)
        .bind(conversation.created)
        .bind(conversation.updated)
        .execute(executor)
        .await?;
    Ok(())
}

pub(super) fn of_row(row: &AnyRow) -> Result<StoredConversation, StoreError> {
    let metadata: String = row.try_get("metadata")?;
    Ok(StoredConversation {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        persona: row.try_get("persona")?,
        metadata: serde_json::from_str(&metadata).map_err(|_| StoreError::Corrupt("metadata".into()))?,
        listed: row.try_get::<i64, _>("listed")? != 0,
        leaf: row.try_get("leaf")?,
        created: row.try_get("created")?,
        updated: row.try_get("updated")?,
    })
}

/// A conversation's title from its first user message: the beginning of its first line.
pub(super) fn title_of(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}

/// The pattern of LIKE that finds `text` anywhere; empty for no text.
fn like(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "%"
}
