//! Messages: their roles, contents and rows.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::rating::{self, MessageRating};
use super::variants::{name, named};
use super::written::{json, map_without_nul, value_without_nul, without_nul};
use super::{StoreError, new_id};
use crate::clock::milliseconds;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions, in newer clients' name.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Result of a called function.
    Tool,
}

/// Progress of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A reply is being generated.
    InProgress,
    /// Complete.
    Completed,
    /// Stopped by the user, by a limit, by an error or a crash; the partial text is kept.
    Incomplete,
}

/// Content of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "give a text, or a list of parts")]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Parts as the API has them, such as `{"type": "input_text", "text": …}`.
    Parts(Vec<Map<String, Value>>),
}

impl Content {
    /// The text, without other kinds of parts.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Token usage of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Number of prompt tokens.
    pub prompt_tokens: u64,
    /// Number of completion tokens.
    pub completion_tokens: u64,
    /// Number of prompt tokens found in the cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Seconds from the first token to the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// A message of the tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredMessage {
    /// `msg_…`
    pub id: String,
    /// The conversation's id.
    pub conversation: String,
    /// The message that it follows; `None` for a root.
    pub parent: Option<String>,
    /// Who speaks.
    pub role: Role,
    /// Content; of a reply in progress as last saved.
    pub content: Content,
    /// Functions that a reply calls, as `OpenAI`'s `tool_calls`.
    pub tool_calls: Option<Value>,
    /// The call that a tool's message answers.
    pub tool_call_id: Option<String>,
    /// Its progress.
    pub status: Status,
    /// The system prompt under which a reply was made.
    pub instructions: Option<String>,
    /// The model that made a reply; `None` where a person wrote it.
    pub model: Option<String>,
    /// Why a reply ended: "stop", "length", "`tool_calls`", "cancelled", "interrupted".
    pub finish_reason: Option<String>,
    /// Token usage of a reply.
    pub usage: Option<Usage>,
    /// Number of exchanges at the conversation's beginning that the model did not read before a reply, because the
    /// context had no room for them.
    pub left_out: u64,
    /// Milliseconds since 1970.
    pub created: i64,
    /// A person's rating of a reply.
    pub rating: Option<MessageRating>,
}

impl StoredMessage {
    /// A message that no database has, for a model to read before it is stored.
    pub fn unsaved(conversation: &str, role: Role, text: &str) -> Self {
        Self { content: text.into(), ..blank(conversation, None, role, Status::Completed) }
    }

    /// The message as its columns hold it.
    pub(super) fn without_nul(self) -> Self {
        let content = match self.content {
            Content::Text(text) => Content::Text(without_nul(&text)),
            Content::Parts(parts) => Content::Parts(parts.into_iter().map(map_without_nul).collect()),
        };
        Self {
            content,
            tool_calls: self.tool_calls.map(value_without_nul),
            tool_call_id: self.tool_call_id.as_deref().map(without_nul),
            instructions: self.instructions.as_deref().map(without_nul),
            ..self
        }
    }

    /// Takes a part away. Texts before and after a call keep their places.
    pub(super) fn without(&mut self, part: MessagePart) -> Result<(), StoreError> {
        let missing = || StoreError::not_found("part of the message", &self.id);
        match (part, &mut self.content) {
            // Texts without calls between them are one text.
            (MessagePart::Text(index), Content::Parts(parts))
                if parts.iter().any(|part| part.contains_key(AFTER_CALLS)) && parts.len() > 1 =>
            {
                let part = parts.get_mut(index).ok_or_else(missing)?;
                part.insert("text".into(), "".into());
            }
            (MessagePart::Text(_), content) => *content = Content::Text(String::new()),
            (MessagePart::Call(call), content) => {
                let calls = self.tool_calls.as_mut().and_then(Value::as_array_mut).ok_or_else(missing)?;
                let index = calls.iter().position(|other| *other == call).ok_or_else(missing)?;
                calls.remove(index);
                if calls.is_empty() {
                    self.tool_calls = None;
                }
                if let Content::Parts(parts) = content {
                    for after in parts.iter_mut().filter_map(|part| part.get_mut(AFTER_CALLS)) {
                        *after = after.as_u64().map_or(0, |after| after - u64::from(after > index as u64)).into();
                    }
                }
            }
        }
        Ok(())
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum MessagePart {
    /// The text of this index, 0 where the content is plain text.
    Text(usize),
    /// This call among the `tool_calls`.
    Call(Value),
}

/// Field of a part of a reply's content: the number of calls before it.
pub(crate) const AFTER_CALLS: &str = "after_calls";

/// A message to add.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Who speaks.
    pub role: Role,
    /// Text of the message.
    pub content: Content,
    /// Functions that it calls.
    pub tool_calls: Option<Value>,
    /// The call that it answers.
    pub tool_call_id: Option<String>,
}

impl NewMessage {
    /// A message of text.
    pub fn new(role: Role, content: impl Into<Content>) -> Self {
        Self { role, content: content.into(), tool_calls: None, tool_call_id: None }
    }
}

/// Place of a new message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// After the conversation's current leaf.
    Leaf,
    /// As a new root.
    Root,
    /// After this message; a new branch if it already has followers.
    Message(String),
}

/// End of a reply.
#[derive(Clone, Debug)]
pub struct ReplyOutcome {
    /// All that was said.
    pub content: Content,
    /// Functions that it calls.
    pub tool_calls: Option<Value>,
    /// Whether it ended by itself.
    pub status: Status,
    /// "stop", "length", "`tool_calls`", "cancelled", …
    pub finish_reason: Option<String>,
    /// Its token usage.
    pub usage: Option<Usage>,
}

/// Messages with their ratings: the beginning of a statement.
macro_rules! select_messages {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.conversation, m.parent, m.role, m.content, m.parts, m.tool_calls, m.tool_call_id, \
             m.status, ",
            "m.instructions, m.model, m.finish_reason, m.usage, m.left_out, m.created, r.verdict, r.better, r.created AS rated ",
            "FROM messages m LEFT JOIN ratings r ON r.message = m.id ",
            $rest
        )
    };
}
pub(super) use select_messages;

pub(super) fn blank(conversation: &str, parent: Option<String>, role: Role, status: Status) -> StoredMessage {
    StoredMessage {
        id: new_id("msg"),
        conversation: conversation.to_owned(),
        parent,
        role,
        content: Content::Text(String::new()),
        tool_calls: None,
        tool_call_id: None,
        status,
        instructions: None,
        model: None,
        finish_reason: None,
        usage: None,
        left_out: 0,
        created: milliseconds(),
        rating: None,
    }
}

/// The plain text, and the parts if there are others.
pub(super) fn columns(content: &Content) -> (String, Option<String>) {
    let parts = match content {
        Content::Text(_) => None,
        Content::Parts(parts) => Some(json(parts)),
    };
    (without_nul(&content.text()), parts)
}

pub(super) async fn insert(
    connection: &mut AnyConnection,
    message: &StoredMessage,
    position: i64,
    writer: Option<i64>,
) -> Result<(), StoreError> {
    let (text, parts) = columns(&message.content);
    let sql = "INSERT INTO messages (id, conversation, position, parent, role, content, parts, tool_calls, \
               tool_call_id, status, writer, instructions, model, finish_reason, usage, left_out, \
               created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    sqlx::query(sql)
        .bind(&message.id)
        .bind(&message.conversation)
        .bind(position)
        .bind(&message.parent)
        .bind(name(message.role))
        .bind(text)
        .bind(parts)
        .bind(message.tool_calls.as_ref().map(json))
        .bind(message.tool_call_id.as_deref().map(without_nul))
        .bind(name(message.status))
        .bind(writer)
        .bind(message.instructions.as_deref().map(without_nul))
        .bind(&message.model)
        .bind(&message.finish_reason)
        .bind(message.usage.as_ref().map(json))
        .bind(i64::try_from(message.left_out).unwrap_or(i64::MAX))
        .bind(message.created)
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes a message the leaf, and sets the title of a conversation without one.
pub(super) async fn set_leaf(
    connection: &mut AnyConnection,
    conversation: &str,
    leaf: Option<&str>,
    title: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE conversations SET leaf = $2, title = CASE WHEN title = '' THEN $3 ELSE title END WHERE id = $1";
    sqlx::query(sql).bind(conversation).bind(leaf).bind(title).execute(connection).await?;
    Ok(())
}

pub(super) async fn read(connection: &mut AnyConnection, account: &str, id: &str) -> Result<StoredMessage, StoreError> {
    let sql = select_messages!("JOIN conversations c ON c.id = m.conversation WHERE m.id = $1 AND c.account = $2");
    let row = sqlx::query(sql).bind(id).bind(account).fetch_optional(connection).await?;
    of_row(&row.ok_or_else(|| StoreError::not_found("message", id))?)
}

/// The message, if it is one of the conversation.
pub(super) async fn of_conversation(
    connection: &mut AnyConnection,
    account: &str,
    conversation: &str,
    id: &str,
) -> Result<StoredMessage, StoreError> {
    let message = read(connection, account, id).await?;
    if message.conversation == conversation { Ok(message) } else { Err(StoreError::not_found("message", id)) }
}

pub(super) fn of_row(row: &AnyRow) -> Result<StoredMessage, StoreError> {
    let content = match optional(row, "parts")? {
        Some(parts) => Content::Parts(parts),
        None => Content::Text(row.try_get("content")?),
    };
    Ok(StoredMessage {
        id: row.try_get("id")?,
        conversation: row.try_get("conversation")?,
        parent: row.try_get("parent")?,
        role: named(row.try_get("role")?)?,
        content,
        tool_calls: optional(row, "tool_calls")?,
        tool_call_id: row.try_get("tool_call_id")?,
        status: named(row.try_get("status")?)?,
        instructions: row.try_get("instructions")?,
        model: row.try_get("model")?,
        finish_reason: row.try_get("finish_reason")?,
        usage: optional(row, "usage")?,
        left_out: u64::try_from(row.try_get::<i64, _>("left_out")?).unwrap_or(0),
        created: row.try_get("created")?,
        rating: rating::of_row(row)?,
    })
}

/// The JSON in a column, if there is any.
fn optional<T: for<'a> Deserialize<'a>>(row: &AnyRow, column: &str) -> Result<Option<T>, StoreError> {
    let text: Option<String> = row.try_get(column)?;
    let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
    parsed.map_err(|_| StoreError::Corrupt(format!("`{column}` of a message")))
}
