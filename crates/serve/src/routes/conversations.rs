//! `/v1/conversations`

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Account;
use crate::body::{Body, Json};
use crate::error::ApiError;
use crate::items::{self, item};
use crate::store::{ConversationChange, NewConversation, Parent, StoredConversation, StoredMessage};

/// A conversation to begin.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateConversation {
    /// Messages to begin with.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    items: Vec<Map<String, Value>>,
    /// The caller's own data.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

impl Body for CreateConversation {}

/// Fields to change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateConversation {
    /// In place of all metadata.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

impl Body for UpdateConversation {}

/// Messages to add.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateItems {
    /// In order.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Map<String, Value>>,
}

impl Body for CreateItems {}

/// Which items a list has.
#[derive(Clone, Debug, Deserialize, IntoParams)]
pub struct ItemsQuery {
    /// At most so many, 1 to 100 [default: 20].
    limit: Option<usize>,
    /// "asc" or "desc" [default: desc].
    order: Option<String>,
    /// Only those after this item.
    after: Option<String>,
}

/// Pairs that metadata may have, and characters of a key and of a value.
const METADATA: (usize, usize, usize) = (16, 64, 512);
/// Items that one request may add.
const MOST_ITEMS: usize = 100;

fn object(conversation: &StoredConversation) -> Value {
    json!({
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created / 1000,
        "metadata": conversation.metadata,
    })
}

/// Refuses metadata that is more than a few short texts.
///
/// # Errors
/// 400.
pub fn check_metadata(metadata: &Map<String, Value>) -> Result<(), ApiError> {
    let (most, key, value) = METADATA;
    let fits = |(name, text): (&String, &Value)| {
        name.chars().count() <= key && text.as_str().is_some_and(|text| text.chars().count() <= value)
    };
    if metadata.len() <= most && metadata.iter().all(fits) {
        return Ok(());
    }
    let message = format!("`metadata`: at most {most} texts of {value} characters, under names of {key}");
    Err(ApiError::invalid(message).with_param("metadata"))
}

/// Begin a conversation
#[utoipa::path(post, path = "/v1/conversations", tag = "conversations", request_body = CreateConversation,
    responses((status = 200, description = "A conversation"), (status = "4XX", description = "An error object")))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Json(asked): Json<CreateConversation>,
) -> Result<Response, ApiError> {
    check_metadata(&asked.metadata)?;
    let messages = new_messages(&asked.items)?;
    let new = NewConversation { metadata: asked.metadata, ..NewConversation::default() };
    let conversation = app.store.create_conversation(&account, new).await?;
    if !messages.is_empty() {
        app.store.append(&account, &conversation.id, Parent::Root, messages).await?;
    }
    Ok(axum::Json(object(&conversation)).into_response())
}

fn new_messages(objects: &[Map<String, Value>]) -> Result<Vec<crate::store::NewMessage>, ApiError> {
    if objects.len() > MOST_ITEMS {
        return Err(ApiError::invalid(format!("`items`: at most {MOST_ITEMS} at once")).with_param("items"));
    }
    items::parse_all("items", objects)
}

/// Read a conversation
#[utoipa::path(get, path = "/v1/conversations/{conversation}", tag = "conversations",
    params(("conversation" = String, Path, description = "Its id")),
    responses((status = 200, description = "A conversation"), (status = 404, description = "An error object")))]
pub async fn read(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(axum::Json(object(&app.store.conversation(&account, &id).await?)).into_response())
}

/// Change a conversation's metadata
#[utoipa::path(post, path = "/v1/conversations/{conversation}", tag = "conversations",
    params(("conversation" = String, Path, description = "Its id")), request_body = UpdateConversation,
    responses((status = 200, description = "A conversation"), (status = "4XX", description = "An error object")))]
pub async fn update(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Json(asked): Json<UpdateConversation>,
) -> Result<Response, ApiError> {
    check_metadata(&asked.metadata)?;
    let change = ConversationChange { metadata: Some(asked.metadata), ..ConversationChange::default() };
    Ok(axum::Json(object(&app.store.change_conversation(&account, &id, change).await?)).into_response())
}

/// Delete a conversation with all it holds
#[utoipa::path(delete, path = "/v1/conversations/{conversation}", tag = "conversations",
    params(("conversation" = String, Path, description = "Its id")),
    responses((status = 200, description = "It is deleted"), (status = 404, description = "An error object")))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    app.store.delete_conversation(&account, &id).await?;
    Ok(axum::Json(json!({"id": id, "object": "conversation.deleted", "deleted": true})).into_response())
}

fn list(messages: &[StoredMessage], has_more: bool) -> Value {
    let data: Vec<Value> = messages.iter().flat_map(item).collect();
    let id = |object: Option<&Value>| object.map_or(Value::Null, |object| object["id"].clone());
    json!({"object": "list", "first_id": id(data.first()), "last_id": id(data.last()), "has_more": has_more, "data": data})
}

/// List the messages of a conversation's current branch
#[utoipa::path(get, path = "/v1/conversations/{conversation}/items", tag = "conversations",
    params(("conversation" = String, Path, description = "Its id"), ItemsQuery),
    responses((status = 200, description = "A list of items"), (status = "4XX", description = "An error object")))]
pub async fn list_items(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    query: Result<Query<ItemsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::invalid(error.body_text()))?;
    let limit = query.limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::invalid("`limit`: give 1 to 100").with_param("limit"));
    }
    let mut messages = app.store.path(&account, &id).await?;
    match query.order.as_deref().unwrap_or("desc") {
        "asc" => {}
        "desc" => messages.reverse(),
        _ => return Err(ApiError::invalid("`order`: give asc or desc").with_param("order")),
    }
    if let Some(after) = &query.after {
        let place = messages.iter().position(|message| message.id == *after);
        let place =
            place.ok_or_else(|| ApiError::not_found(format!("there is no item `{after}`")).with_param("after"))?;
        messages.drain(..=place);
    }
    let has_more = messages.len() > limit;
    messages.truncate(limit);
    Ok(axum::Json(list(&messages, has_more)).into_response())
}

/// Add messages to a conversation
#[utoipa::path(post, path = "/v1/conversations/{conversation}/items", tag = "conversations",
    params(("conversation" = String, Path, description = "Its id")), request_body = CreateItems,
    responses((status = 200, description = "A list of items"), (status = "4XX", description = "An error object")))]
pub async fn create_items(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Json(asked): Json<CreateItems>,
) -> Result<Response, ApiError> {
    let messages = new_messages(&asked.items)?;
    if messages.is_empty() {
        return Err(ApiError::invalid("`items`: give at least one").with_param("items"));
    }
    let added = app.store.append(&account, &id, Parent::Leaf, messages).await?;
    Ok(axum::Json(list(&added, false)).into_response())
}

/// A message of this conversation.
async fn message(app: &App, account: &str, conversation: &str, id: &str) -> Result<StoredMessage, ApiError> {
    let message = app.store.message(account, id).await?;
    match message.conversation == conversation {
        true => Ok(message),
        false => Err(ApiError::not_found(format!("there is no item `{id}`"))),
    }
}

/// Read one message
#[utoipa::path(get, path = "/v1/conversations/{conversation}/items/{item}", tag = "conversations",
    params(("conversation" = String, Path, description = "The conversation's \
        id"), ("item" = String, Path, description = "The item's id")),
    responses((status = 200, description = "An item"), (status = 404, description = "An error object")))]
pub async fn read_item(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path((conversation, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let message = message(&app, &account, &conversation, &id).await?;
    Ok(axum::Json(item(&message).into_iter().next().unwrap_or_default()).into_response())
}

/// Delete one message
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/items/{item}", tag = "conversations",
    params(("conversation" = String, Path, description = "The conversation's \
        id"), ("item" = String, Path, description = "The item's id")),
    responses((status = 200, description = "The conversation"), (status = "4XX", description = "An error object")))]
pub async fn delete_item(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path((conversation, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    app.store.delete_message(&account, &conversation, &id).await?;
    Ok(axum::Json(object(&app.store.conversation(&account, &conversation).await?)).into_response())
}
