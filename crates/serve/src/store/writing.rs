//! Writing messages and replies in progress.

use std::time::Duration;

use serde_json::Value;
use sqlx::{AnyConnection, Row};

use super::conversations::{self, title_of, touch};
use super::messages::{blank, columns, insert, of_conversation, read, set_leaf};
use super::variants::name;
use super::written::json;
use super::{Content, MessagePart, NewMessage, Parent, ReplyOutcome, Role, Status, Store, StoreError, StoredMessage};

/// Time after which the end of a reply that could not be stored is tried again.
const AGAIN: Duration = Duration::from_secs(1);

impl Store {
    /// Appends messages one after the other and makes the last one the leaf: all of them or, on an error, none. A
    /// conversation without a title takes it from the first user message.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown conversation or parent, [`StoreError::Busy`] after a reply in
    /// progress.
    pub async fn append(
        &self,
        account: &str,
        conversation: &str,
        parent: Parent,
        messages: Vec<NewMessage>,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let mut transaction = self.begin().await?;
        let added = self.add(&mut transaction, account, conversation, parent, messages).await?;
        transaction.commit().await?;
        Ok(added)
    }

    /// Adds messages within a transaction.
    pub(super) async fn add(
        &self,
        transaction: &mut AnyConnection,
        account: &str,
        conversation: &str,
        parent: Parent,
        messages: Vec<NewMessage>,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let mut place = self.place(&mut *transaction, account, conversation, parent).await?;
        let mut added = Vec::with_capacity(messages.len());
        for new in messages {
            let message = StoredMessage {
                content: new.content,
                tool_calls: new.tool_calls,
                tool_call_id: new.tool_call_id,
                ..blank(conversation, place.parent.take(), new.role, Status::Completed)
            };
            let message = message.without_nul();
            insert(&mut *transaction, &message, place.position, None).await?;
            place.position += 1;
            place.parent = Some(message.id.clone());
            added.push(message);
        }
        let asked = added.iter().find(|message| message.role == Role::User);
        let title = asked.map(|message| title_of(&message.content.text())).unwrap_or_default();
        set_leaf(transaction, conversation, place.parent.as_deref(), &title).await?;
        Ok(added)
    }

    /// Stores that a reply is being generated, and makes it the leaf.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn begin_reply(
        &self,
        account: &str,
        conversation: &str,
        parent: Parent,
        model: &str,
        instructions: Option<&str>,
    ) -> Result<StoredMessage, StoreError> {
        let mut transaction = self.begin().await?;
        let reply = NewReply { model, instructions };
        let message = self.add_reply(&mut transaction, account, conversation, parent, reply).await?;
        transaction.commit().await?;
        Ok(message)
    }

    /// Adds a reply in progress within a transaction.
    pub(super) async fn add_reply(
        &self,
        transaction: &mut AnyConnection,
        account: &str,
        conversation: &str,
        parent: Parent,
        reply: NewReply<'_>,
    ) -> Result<StoredMessage, StoreError> {
        let place = self.place(&mut *transaction, account, conversation, parent).await?;
        let message = StoredMessage {
            model: Some(reply.model.to_owned()),
            instructions: reply.instructions.map(str::to_owned),
            ..blank(conversation, place.parent, Role::Assistant, Status::InProgress)
        };
        let message = message.without_nul();
        insert(&mut *transaction, &message, place.position, Some(self.writer.number)).await?;
        set_leaf(transaction, conversation, Some(&message.id), "").await?;
        Ok(message)
    }

    /// Notes how many exchanges at the conversation's beginning the model does not read before a reply.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such message.
    pub async fn set_left_out(&self, account: &str, message: &str, exchanges: u64) -> Result<(), StoreError> {
        let sql = "UPDATE messages SET left_out = $3 WHERE id = $1 \
                   AND conversation IN (SELECT id FROM conversations WHERE account = $2)";
        let exchanges = i64::try_from(exchanges).unwrap_or(i64::MAX);
        let update = sqlx::query(sql).bind(message).bind(account).bind(exchanges);
        match update.execute(&self.pool).await?.rows_affected() {
            0 => Err(StoreError::not_found("message", message)),
            _ => Ok(()),
        }
    }

    /// Saves the content and the calls so far of a reply in progress, in case the process dies.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such message, or it is no longer in progress.
    pub async fn save_progress(
        &self,
        account: &str,
        message: &str,
        content: impl Into<Content>,
        tool_calls: Option<&Value>,
    ) -> Result<(), StoreError> {
        let (text, parts) = columns(&content.into());
        let sql = "UPDATE messages SET content = $3, parts = $4, tool_calls = $5 WHERE id = $1 \
                   AND status = 'in_progress' \
                   AND conversation IN (SELECT id FROM conversations WHERE account = $2)";
        let update = sqlx::query(sql).bind(message).bind(account).bind(text).bind(parts).bind(tool_calls.map(json));
        match update.execute(&self.pool).await?.rows_affected() {
            0 => Err(StoreError::not_found("message in progress", message)),
            _ => Ok(()),
        }
    }

    /// Stores a reply's end. When this has returned, the reply is safe: tell the client then. Where the database fails,
    /// as on a full disk, it is tried again until it is stored, so that the conversation can go on later.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such message, or its conversation was deleted meanwhile,
    /// [`StoreError::Invalid`] when it was finished before.
    pub async fn finish_reply(
        &self,
        account: &str,
        message: &str,
        outcome: ReplyOutcome,
    ) -> Result<StoredMessage, StoreError> {
        let finished = self.finish(account, message, outcome.clone()).await;
        if matches!(finished, Err(StoreError::Database(_))) {
            let (store, account, message) = (self.clone(), account.to_owned(), message.to_owned());
            tokio::spawn(async move {
                let mut failed = true;
                while failed && !store.pool.is_closed() {
                    tokio::time::sleep(AGAIN).await;
                    let again = store.finish(&account, &message, outcome.clone()).await;
                    failed = matches!(again, Err(StoreError::Database(_)));
                }
            });
        }
        finished
    }

    async fn finish(&self, account: &str, message: &str, outcome: ReplyOutcome) -> Result<StoredMessage, StoreError> {
        if outcome.status == Status::InProgress {
            return Err(StoreError::invalid("a finished reply is completed or incomplete"));
        }
        let mut transaction = self.begin().await?;
        let mut stored = read(&mut transaction, account, message).await?;
        touch(&mut transaction, account, &stored.conversation).await?;
        stored.content = outcome.content;
        stored.tool_calls = outcome.tool_calls;
        stored.status = outcome.status;
        stored.finish_reason = outcome.finish_reason;
        stored.usage = outcome.usage;
        let (text, parts) = columns(&stored.content);
        let sql = "UPDATE messages SET content = $2, parts = $3, tool_calls = $4, status = $5, finish_reason = $6, \
                   usage = $7, writer = NULL WHERE id = $1 AND status = 'in_progress'";
        let update = sqlx::query(sql)
            .bind(message)
            .bind(text)
            .bind(parts)
            .bind(stored.tool_calls.as_ref().map(json))
            .bind(name(stored.status))
            .bind(&stored.finish_reason)
            .bind(stored.usage.as_ref().map(json));
        if update.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(StoreError::invalid(format!("the reply `{message}` is already finished")));
        }
        transaction.commit().await?;
        Ok(stored)
    }

    /// The message of this id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has none.
    pub async fn message(&self, account: &str, id: &str) -> Result<StoredMessage, StoreError> {
        read(&mut *self.pool.acquire().await?, account, id).await
    }

    /// Deletes one message; its children become children of its parent.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the conversation has no such message, [`StoreError::Busy`] while it is in
    /// progress.
    pub async fn delete_message(&self, account: &str, conversation: &str, id: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let message = self.finished(&mut transaction, account, conversation, id).await?;
        remove(&mut transaction, &message).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deletes a part of a message, and the message when nothing is left of it.
    ///
    /// # Errors
    /// As [`delete_message`](Self::delete_message), and [`StoreError::NotFound`] when the message has no such part.
    pub async fn delete_part(
        &self,
        account: &str,
        conversation: &str,
        id: &str,
        part: MessagePart,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let mut message = self.finished(&mut transaction, account, conversation, id).await?;
        message.without(part)?;
        if message.content.text().is_empty() && message.tool_calls.is_none() {
            remove(&mut transaction, &message).await?;
        } else {
            let (text, parts) = columns(&message.content);
            sqlx::query("UPDATE messages SET content = $2, parts = $3, tool_calls = $4 WHERE id = $1")
                .bind(id)
                .bind(text)
                .bind(parts)
                .bind(message.tool_calls.as_ref().map(json))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Locks the conversation, and finds the place of a new message.
    async fn place(
        &self,
        transaction: &mut AnyConnection,
        account: &str,
        conversation: &str,
        parent: Parent,
    ) -> Result<NewPlace, StoreError> {
        touch(&mut *transaction, account, conversation).await?;
        let parent = match parent {
            Parent::Leaf => conversations::read(&mut *transaction, account, conversation).await?.leaf,
            Parent::Root => None,
            Parent::Message(id) => Some(id),
        };
        if let Some(id) = &parent {
            let message = of_conversation(&mut *transaction, account, conversation, id).await?;
            if message.status == Status::InProgress && !self.end_abandoned(&mut *transaction, id).await? {
                let why = format!("the reply `{id}` is in progress; wait for its end or stop it first");
                return Err(StoreError::Busy(why));
            }
        }
        let sql = "SELECT COALESCE(MAX(position), 0) AS last FROM messages WHERE conversation = $1";
        let last: i64 = sqlx::query(sql).bind(conversation).fetch_one(transaction).await?.try_get("last")?;
        Ok(NewPlace { parent, position: last + 1 })
    }

    /// The conversation's message, locked for a change; it is not in progress.
    async fn finished(
        &self,
        transaction: &mut AnyConnection,
        account: &str,
        conversation: &str,
        id: &str,
    ) -> Result<StoredMessage, StoreError> {
        touch(&mut *transaction, account, conversation).await?;
        let message = of_conversation(&mut *transaction, account, conversation, id).await?;
        if message.status == Status::InProgress && !self.end_abandoned(transaction, id).await? {
            return Err(StoreError::Busy(format!("the reply `{id}` is in progress; stop it first")));
        }
        Ok(message)
    }
}

/// A reply that begins.
#[derive(Clone, Copy)]
pub(super) struct NewReply<'a> {
    pub model: &'a str,
    pub instructions: Option<&'a str>,
}

async fn remove(transaction: &mut AnyConnection, message: &StoredMessage) -> Result<(), StoreError> {
    for sql in
        ["UPDATE messages SET parent = $2 WHERE parent = $1", "UPDATE conversations SET leaf = $2 WHERE leaf = $1"]
    {
        sqlx::query(sql).bind(&message.id).bind(&message.parent).execute(&mut *transaction).await?;
    }
    sqlx::query("DELETE FROM messages WHERE id = $1").bind(&message.id).execute(transaction).await?;
    Ok(())
}

struct NewPlace {
    parent: Option<String>,
    position: i64,
}
