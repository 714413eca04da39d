//! A conversation as a file, with its branches and ratings.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::conversations::{self, title_of};
use super::messages::{self, StoredMessage};
use super::{
    Content, MessageRating, Role, Status, Store, StoreError, StoredConversation, Tree, Usage, new_id, ratings,
};
use crate::clock::milliseconds;

/// `object` of a file.
pub const FILE_OBJECT: &str = "fireclay.conversation";
/// `version` of the files that are written. Newer ones are refused.
pub const FILE_VERSION: u32 = 1;

/// A conversation as JSON.
///
/// ```json
/// {"object": "fireclay.conversation", "version": 1, "title": "Numbers", "persona": "You are terse.",
///  "metadata": {}, "created": 1764140000000, "updated": 1764140009000, "leaf": "msg_b",
///  "messages": [
///    {"id": "msg_a", "parent": null, "role": "user", "content": "2+2?", "status": "completed",
///     "created": 1764140000000},
///    {"id": "msg_b", "parent": "msg_a", "role": "assistant", "content": "4", "status": "completed",
///     "created": 1764140001000, "model": "tiny", "finish_reason": "stop", "instructions": "You are terse.",
///     "usage": {"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 0}, "rating": {"verdict": "up"}}]}
/// ```
///
/// Two messages of the same `parent` are branches, in the file's order; a parent stands before its children. Ids have
/// meaning within the file only: an import makes new ones. Times are milliseconds since 1970 and, as everything but
/// `object`, `version` and `messages` with their `id`, `role` and `content`, may be left out. Unknown fields are
/// refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversationFile {
    /// [`FILE_OBJECT`]
    pub object: String,
    /// [`FILE_VERSION`]
    pub version: u32,
    /// Empty or missing: taken from the first user message.
    #[serde(default)]
    pub title: String,
    /// The system prompt.
    #[serde(default)]
    pub persona: Option<String>,
    /// The caller's own data.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// When it was begun.
    #[serde(default)]
    pub created: Option<i64>,
    /// When it last changed.
    #[serde(default)]
    pub updated: Option<i64>,
    /// Leaf at which it continues; missing: the last message.
    #[serde(default)]
    pub leaf: Option<String>,
    /// Every message, parents before children.
    pub messages: Vec<MessageFile>,
}

/// A message of a [`ConversationFile`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageFile {
    /// Unique within the file.
    pub id: String,
    /// The id of the message before it; none for a beginning.
    #[serde(default)]
    pub parent: Option<String>,
    /// Who speaks.
    pub role: Role,
    /// Text of the message.
    pub content: Content,
    /// Functions that it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Value>,
    /// The call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Missing: completed. One that was in progress is incomplete once imported.
    #[serde(default = "completed")]
    pub status: Status,
    /// When it was made.
    #[serde(default)]
    pub created: Option<i64>,
    /// The system prompt under which a reply was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// The model that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Its token usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Exchanges at the conversation's beginning that the model did not read before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// A person's rating of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<MessageRating>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn completed() -> Status {
    Status::Completed
}

impl From<Tree> for ConversationFile {
    fn from(tree: Tree) -> Self {
        let Tree { conversation, messages } = tree;
        Self {
            object: FILE_OBJECT.into(),
            version: FILE_VERSION,
            title: conversation.title,
            persona: conversation.persona,
            metadata: conversation.metadata,
            created: Some(conversation.created),
            updated: Some(conversation.updated),
            leaf: conversation.leaf,
            messages: messages.into_iter().map(MessageFile::from).collect(),
        }
    }
}

impl From<StoredMessage> for MessageFile {
    fn from(message: StoredMessage) -> Self {
        Self {
            id: message.id,
            parent: message.parent,
            role: message.role,
            content: message.content,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            status: message.status,
            created: Some(message.created),
            instructions: message.instructions,
            model: message.model,
            finish_reason: message.finish_reason,
            usage: message.usage,
            left_out: message.left_out,
            rating: message.rating,
        }
    }
}

impl Store {
    /// The conversation as a file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account has no such conversation.
    pub async fn export_conversation(&self, account: &str, id: &str) -> Result<ConversationFile, StoreError> {
        Ok(self.tree(account, id).await?.into())
    }

    /// Stores a file as a new conversation, all of it or, on an error, nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for another object or version, an id that occurs twice, a parent that does not stand
    /// before its child, a leaf that is no message, a rating of something else than a reply.
    pub async fn import_conversation(
        &self,
        account: &str,
        file: ConversationFile,
    ) -> Result<StoredConversation, StoreError> {
        let (conversation, messages) = fresh(file)?;
        let mut transaction = self.begin().await?;
        conversations::insert(&mut *transaction, account, &conversation).await?;
        for (index, message) in messages.iter().enumerate() {
            messages::insert(&mut transaction, message, index as i64 + 1, None).await?;
            if let Some(rating) = &message.rating {
                ratings::insert(&mut transaction, &message.id, rating).await?;
            }
        }
        transaction.commit().await?;
        Ok(conversation)
    }
}

/// The file's conversation and messages under new ids.
fn fresh(file: ConversationFile) -> Result<(StoredConversation, Vec<StoredMessage>), StoreError> {
    if file.object != FILE_OBJECT {
        let why = format!("`object` is `{}`; a conversation's file has `{FILE_OBJECT}`", file.object);
        return Err(StoreError::invalid(why));
    }
    if file.version != FILE_VERSION {
        let why = format!("`version` is {}; this version reads {FILE_VERSION}", file.version);
        return Err(StoreError::invalid(why));
    }
    let (id, now) = (new_id("conv"), milliseconds());
    let times = [("created", file.created), ("updated", file.updated)];
    for (name, time) in times.into_iter().chain(file.messages.iter().map(|message| ("created", message.created))) {
        check_time(name, time, now)?;
    }
    let mut ids: HashMap<String, String> = HashMap::new();
    let mut messages = Vec::with_capacity(file.messages.len());
    for message in file.messages {
        let message = fresh_message(message, &id, &mut ids, now)?;
        messages.push(message);
    }
    let leaf =
        match file.leaf {
            Some(leaf) => Some(ids.get(&leaf).cloned().ok_or_else(|| {
                StoreError::invalid(format!("`leaf` is `{leaf}`, which is not a message of the file"))
            })?),
            None => messages.last().map(|message| message.id.clone()),
        };
    let asked = messages.iter().find(|message| message.role == Role::User);
    let title = match asked {
        Some(message) if file.title.is_empty() => title_of(&message.content.text()),
        _ => file.title,
    };
    let conversation = StoredConversation {
        id,
        title,
        persona: file.persona.filter(|persona| !persona.trim().is_empty()),
        metadata: file.metadata,
        listed: true,
        leaf,
        created: file.created.unwrap_or(now),
        updated: file.updated.unwrap_or(now),
    };
    Ok((conversation.without_nul(), messages))
}

/// Times are used to sort conversations, and are added to: times before 1970 or in the future are refused, with a
/// tolerance of a day for wrong clocks.
fn check_time(name: &str, time: Option<i64>, now: i64) -> Result<(), StoreError> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    match time {
        Some(time) if !(0..=now + DAY).contains(&time) => Err(StoreError::invalid(format!(
            "`{name}` is {time}, which is not a time in the past; give milliseconds since 1970, or leave it out"
        ))),
        _ => Ok(()),
    }
}

fn fresh_message(
    file: MessageFile,
    conversation: &str,
    ids: &mut HashMap<String, String>,
    now: i64,
) -> Result<StoredMessage, StoreError> {
    check_content(&file)?;
    check_calls(&file)?;
    let parent = file.parent.map(|parent| {
        let known = ids.get(&parent).cloned();
        let why = || format!("the parent `{parent}` of `{}` does not come before it", file.id);
        known.ok_or_else(|| StoreError::invalid(why()))
    });
    let parent = parent.transpose()?;
    let rating = file.rating.filter(|rating| !rating.is_empty());
    if let Some(rating) = &rating {
        rating.check()?;
        if file.role != Role::Assistant {
            return Err(StoreError::invalid(format!("`{}` has a rating but is not a reply", file.id)));
        }
    }
    let id = new_id("msg");
    if ids.insert(file.id.clone(), id.clone()).is_some() {
        return Err(StoreError::invalid(format!("two messages have the id `{}`", file.id)));
    }
    Ok(StoredMessage {
        id,
        conversation: conversation.to_owned(),
        parent,
        role: file.role,
        content: file.content,
        tool_calls: file.tool_calls.filter(|calls| calls.as_array().is_some_and(|calls| !calls.is_empty())),
        tool_call_id: file.tool_call_id,
        status: if file.status == Status::InProgress { Status::Incomplete } else { file.status },
        instructions: file.instructions,
        model: file.model,
        finish_reason: file.finish_reason,
        usage: file.usage,
        left_out: file.left_out,
        created: file.created.unwrap_or(now),
        rating,
    })
}

/// Refuses parts that are not text, which no model would read.
fn check_content(file: &MessageFile) -> Result<(), StoreError> {
    let Content::Parts(parts) = &file.content else { return Ok(()) };
    let is_text = |part: &Map<String, Value>| {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
        matches!(kind, "text" | "input_text" | "output_text") && part.get("text").is_some_and(Value::is_string)
    };
    match parts.iter().position(|part| !is_text(part)) {
        Some(index) => Err(StoreError::invalid(format!("`content[{index}]` of `{}` is not text", file.id))),
        None => Ok(()),
    }
}

/// Refuses calls in another form than `OpenAI`'s.
fn check_calls(file: &MessageFile) -> Result<(), StoreError> {
    let wrong =
        |place: String, why: &str| Err(StoreError::invalid(format!("`tool_calls{place}` of `{}`: {why}", file.id)));
    let calls = match &file.tool_calls {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(calls)) => calls,
        Some(_) => return wrong(String::new(), "give a list of calls"),
    };
    if !calls.is_empty() && file.role != Role::Assistant {
        return wrong(String::new(), "only a reply calls functions");
    }
    for (index, call) in calls.iter().enumerate() {
        if !call["id"].is_string() || call.get("type").is_some_and(|kind| kind != "function") {
            return wrong(format!("[{index}]"), "give an `id`, and the `type` function");
        }
        for name in ["name", "arguments"] {
            if !call["function"][name].is_string() {
                return wrong(format!("[{index}].function.{name}"), "give a text");
            }
        }
    }
    Ok(())
}
