//! `/v1/conversations`

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Account;
use crate::body::{Body, Json};
use crate::error::ApiError;
use crate::include::IncludeQuery;
use crate::item_list::{Item, ItemsQuery, items, list, message_of, no_item, objects};
use crate::items::parse_all;
use crate::metadata::check_metadata;
use crate::path::Path;
use crate::query::Query;
use crate::store::{ConversationChange, NewConversation, Parent, StoreError, StoredConversation, StoredMessage};

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
    /// In place of all metadata; null for none.
    #[serde(deserialize_with = "map_or_null")]
    #[schema(value_type = Option<Object>)]
    metadata: Map<String, Value>,
}

impl Body for UpdateConversation {
    const NULL_REMOVES: bool = true;
}

/// An object, or null for an empty one.
fn map_or_null<'a, D: serde::Deserializer<'a>>(field: D) -> Result<Map<String, Value>, D::Error> {
    Option::deserialize(field).map(Option::unwrap_or_default)
}

/// Messages to add.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateItems {
    /// In order.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Map<String, Value>>,
}

impl Body for CreateItems {}

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
    parse_all("items", objects)
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
    app.running.stop_all(&id);
    Ok(axum::Json(json!({"id": id, "object": "conversation.deleted", "deleted": true})).into_response())
}

/// List the items of a conversation's current branch
#[utoipa::path(get, path = "/v1/conversations/{conversation}/items", tag = "conversations",
    params(("conversation" = String, Path, description = "Its id"), ItemsQuery),
    responses((status = 200, description = "A list of items"), (status = "4XX", description = "An error object")))]
pub async fn list_items(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Query(query): Query<ItemsQuery>,
) -> Result<Response, ApiError> {
    Ok(axum::Json(query.page(&app.store.path(&account, &id).await?)?).into_response())
}

/// Add messages to a conversation
#[utoipa::path(post, path = "/v1/conversations/{conversation}/items", tag = "conversations",
    params(("conversation" = String, Path, description = "Its id"), IncludeQuery), request_body = CreateItems,
    responses((status = 200, description = "A list of items"), (status = "4XX", description = "An error object")))]
pub async fn create_items(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Query(_): Query<IncludeQuery>,
    Json(asked): Json<CreateItems>,
) -> Result<Response, ApiError> {
    let messages = new_messages(&asked.items)?;
    if messages.is_empty() {
        return Err(ApiError::invalid("`items`: give at least one").with_param("items"));
    }
    let added = app.store.append(&account, &id, Parent::Leaf, messages).await?;
    Ok(axum::Json(list(&objects(&added), false)).into_response())
}

/// An item of this conversation, and its message.
async fn item(app: &App, account: &str, conversation: &str, id: &str) -> Result<(StoredMessage, Item), ApiError> {
    let message = message_of(id).ok_or_else(|| no_item(id))?;
    let message = app.store.message(account, &message).await.map_err(|error| match error {
        StoreError::NotFound { .. } => no_item(id),
        error => error.into(),
    })?;
    let item = items(&message).into_iter().find(|item| item.object["id"] == id);
    match item.filter(|_| message.conversation == conversation) {
        Some(item) => Ok((message, item)),
        None => Err(no_item(id)),
    }
}

/// Read one item
#[utoipa::path(get, path = "/v1/conversations/{conversation}/items/{item}", tag = "conversations",
    params(("conversation" = String, Path, description = "The conversation's \
        id"), ("item" = String, Path, description = "The item's id"), IncludeQuery),
    responses((status = 200, description = "An item"), (status = 404, description = "An error object")))]
pub async fn read_item(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path((conversation, id)): Path<(String, String)>,
    Query(_): Query<IncludeQuery>,
) -> Result<Response, ApiError> {
    let (_, item) = item(&app, &account, &conversation, &id).await?;
    Ok(axum::Json(item.object).into_response())
}

/// Delete one item
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/items/{item}", tag = "conversations",
    params(("conversation" = String, Path, description = "The conversation's \
        id"), ("item" = String, Path, description = "The item's id")),
    responses((status = 200, description = "The conversation"), (status = "4XX", description = "An error object")))]
pub async fn delete_item(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Path((conversation, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (message, item) = item(&app, &account, &conversation, &id).await?;
    app.store.delete_part(&account, &conversation, &message.id, item.part).await?;
    Ok(axum::Json(object(&app.store.conversation(&account, &conversation).await?)).into_response())
}
