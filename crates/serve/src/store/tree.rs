//! Reading a conversation's tree of messages.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::Row;

use super::conversations::{self, touch};
use super::messages::{self, StoredMessage, select_messages, set_leaf};
use super::{Store, StoreError, StoredConversation};

/// A conversation with all its branches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tree {
    /// The conversation.
    pub conversation: StoredConversation,
    /// Every message, parents before children, siblings in the order of their creation.
    pub messages: Vec<StoredMessage>,
}

/// A tree's messages by their ids.
pub(super) type MessagesById<'a> = HashMap<&'a str, &'a StoredMessage>;

/// The messages from a root to `message`.
pub(super) fn path_in<'a>(by_id: &MessagesById<'a>, message: Option<&str>) -> Vec<&'a StoredMessage> {
    let mut next = message.and_then(|id| by_id.get(id));
    let mut path = vec![];
    while let Some(message) = next {
        path.push(*message);
        next = message.parent.as_deref().and_then(|id| by_id.get(id));
    }
    path.reverse();
    path
}

impl Tree {
    /// The messages from a root to `message`; empty when there is no such message.
    pub fn path(&self, message: Option<&str>) -> Vec<&StoredMessage> {
        path_in(&self.by_id(), message)
    }

    /// The messages by their ids.
    pub(super) fn by_id(&self) -> MessagesById<'_> {
        self.messages.iter().map(|message| (message.id.as_str(), message)).collect()
    }

    /// Children of a message, or the roots.
    pub fn children<'a>(&'a self, parent: Option<&'a str>) -> impl Iterator<Item = &'a StoredMessage> {
        self.messages.iter().filter(move |message| message.parent.as_deref() == parent)
    }

    /// The leaf of the newest branch after `message`, which may be the message itself.
    pub fn newest_leaf<'a>(&'a self, message: &'a str) -> &'a str {
        let mut newest: HashMap<&str, &str> = HashMap::new();
        for message in &self.messages {
            if let Some(parent) = &message.parent {
                newest.insert(parent, &message.id);
            }
        }
        let mut leaf = message;
        while let Some(child) = newest.get(leaf) {
            leaf = child;
        }
        leaf
    }
}

impl Store {
    /// The conversation with all its branches.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such conversation.
    pub async fn tree(&self, account: &str, conversation: &str) -> Result<Tree, StoreError> {
        // One transaction, so that the leaf is among the messages.
        let mut transaction = self.pool.begin().await?;
        let conversation = conversations::read(&mut *transaction, account, conversation).await?;
        let sql = select_messages!("WHERE m.conversation = $1 ORDER BY m.position");
        let rows = sqlx::query(sql).bind(&conversation.id).fetch_all(&mut *transaction).await?;
        let messages = rows.iter().map(messages::of_row).collect::<Result<_, _>>()?;
        Ok(Tree { conversation, messages })
    }

    /// The messages from the root to the current leaf: the model's input.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such conversation.
    pub async fn path(&self, account: &str, conversation: &str) -> Result<Vec<StoredMessage>, StoreError> {
        let conversation = self.conversation(account, conversation).await?;
        match conversation.leaf {
            Some(leaf) => self.path_to(account, &leaf).await,
            None => Ok(vec![]),
        }
    }

    /// The messages from the root to `message`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such message.
    pub async fn path_to(&self, account: &str, message: &str) -> Result<Vec<StoredMessage>, StoreError> {
        let sql = concat!(
            "WITH RECURSIVE path (id, distance) AS (SELECT CAST($1 AS TEXT), CAST(0 AS BIGINT) UNION ALL ",
            "SELECT step.parent, path.distance + 1 FROM path JOIN messages step ON step.id = path.id ",
            "WHERE step.parent IS NOT NULL) ",
            select_messages!(
                "JOIN path ON path.id = m.id JOIN conversations c ON c.id = m.conversation
                 WHERE c.account = $2 ORDER BY path.distance DESC"
            )
        );
        let rows = sqlx::query(sql).bind(message).bind(account).fetch_all(&self.pool).await?;
        if rows.is_empty() {
            return Err(StoreError::not_found("message", message));
        }
        rows.iter().map(messages::of_row).collect()
    }

    /// Switches to the branch of `message`: its newest leaf becomes the conversation's leaf. Returns the leaf.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the conversation has no such message.
    pub async fn select_branch(&self, account: &str, conversation: &str, message: &str) -> Result<String, StoreError> {
        let mut transaction = self.begin().await?;
        touch(&mut transaction, account, conversation).await?;
        messages::of_conversation(&mut transaction, account, conversation, message).await?;
        let sql = select_messages!("WHERE m.conversation = $1 ORDER BY m.position");
        let rows = sqlx::query(sql).bind(conversation).fetch_all(&mut *transaction).await?;
        let messages = rows.iter().map(messages::of_row).collect::<Result<_, _>>()?;
        let conversation = conversations::read(&mut *transaction, account, conversation).await?;
        let tree = Tree { conversation, messages };
        let leaf = tree.newest_leaf(message);
        set_leaf(&mut transaction, &tree.conversation.id, Some(leaf), "").await?;
        let leaf = leaf.to_owned();
        transaction.commit().await?;
        Ok(leaf)
    }

    /// Moves the leaf back to `message`, or before the first message. Nothing is deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the conversation has no such message.
    pub async fn go_back(&self, account: &str, conversation: &str, message: Option<&str>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        touch(&mut transaction, account, conversation).await?;
        if let Some(message) = message {
            messages::of_conversation(&mut transaction, account, conversation, message).await?;
        }
        set_leaf(&mut transaction, conversation, message, "").await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Last user messages of the account in any listed conversation, at most `limit` messages, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_questions(&self, account: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT m.content FROM messages m JOIN conversations c ON c.id = m.conversation \
                   WHERE c.account = $1 AND c.listed = 1 AND m.role = 'user' \
                   ORDER BY m.created DESC, m.position DESC LIMIT $2";
        let rows = sqlx::query(sql).bind(account).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        let texts: Result<Vec<String>, _> = rows.iter().rev().map(|row| row.try_get("content")).collect();
        Ok(texts?)
    }
}
