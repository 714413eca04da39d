//! The page's routes for conversations, messages and ratings.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Account, ApiError, Ui, markdown};
use crate::blocking::blocking;
use crate::body::{Body, Json as Given};
use crate::metadata::check_metadata;
use crate::path::Path;
use crate::query::{Fields, FromQuery, Query};
use crate::store::{
    ConversationChange, ConversationFile, ConversationList, ListQuery, MessageRating, NewConversation, RatingChange,
    Role, StoredConversation, StoredMessage, Tree, Verdict,
};

impl Body for CreateBody {}
impl Body for ChangeBody {}
impl Body for BranchBody {}
impl Body for RatingBody {}
impl Body for RatingChangeBody {
    const NULL_REMOVES: bool = true;
}
impl Body for RenderBody {}
impl Body for ConversationFile {}

/// Longest text to search for, in characters.
const MOST_SEARCHED: usize = 1_000;

type PageAnswer<T> = Result<Json<T>, ApiError>;

/// A message with what the page shows of it.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    message: StoredMessage,
    /// A reply's text, rendered.
    html: Option<String>,
}

impl Shown {
    pub(super) fn new(message: StoredMessage) -> Self {
        let html = (message.role == Role::Assistant).then(|| markdown::render(&message.content.text()));
        Self { message, html }
    }
}

/// Long replies take a moment to render, and the runtime's threads have other work.
pub(super) async fn shown(messages: Vec<StoredMessage>) -> Result<Vec<Shown>, ApiError> {
    blocking(move || Ok(messages.into_iter().map(Shown::new).collect())).await
}

/// The models that the page offers, and the name of the run that `/watch` shows.
#[utoipa::path(get, path = "/ui/api/models", tag = "page", responses((status = 200, body = Object)))]
pub(super) async fn models(State(ui): State<Ui>) -> Json<Value> {
    Json(json!({"models": ui.replies.models(), "run": ui.run}))
}

#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// Only conversations with this text.
    #[param(required = false)]
    search: String,
    /// At most so many, 1 to 200 [default: 50].
    #[param(required = false, minimum = 1, maximum = 200)]
    limit: u32,
    /// Only those after this conversation's id.
    after: Option<String>,
}

impl FromQuery for ListParameters {
    const FIELDS: &'static [&'static str] = &["search", "limit", "after"];

    fn of(fields: &Fields) -> Result<Self, ApiError> {
        let search = fields.text("search").unwrap_or_default().to_owned();
        if search.chars().count() > MOST_SEARCHED {
            let why = format!("`search`: at most {MOST_SEARCHED} characters");
            return Err(ApiError::invalid(why).with_param("search"));
        }
        Ok(Self {
            search,
            limit: fields.number("limit", 1..=200)?.unwrap_or(50) as u32,
            after: fields.text("after").map(str::to_owned),
        })
    }
}

/// The listed conversations, the last changed first.
#[utoipa::path(get, path = "/ui/api/conversations", tag = "page", params(ListParameters),
    responses((status = 200, body = Object), (status = 400, body = Object), (status = 404, body = Object)))]
pub(super) async fn list(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Query(query): Query<ListParameters>,
) -> PageAnswer<ConversationList> {
    let query = ListQuery { search: query.search, limit: query.limit, after: query.after };
    Ok(Json(ui.store.conversations(&account, &query).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateBody {
    /// Empty: taken from the first message.
    #[serde(default)]
    title: String,
    /// The system prompt.
    #[serde(default)]
    persona: Option<String>,
}

/// A new conversation.
#[utoipa::path(post, path = "/ui/api/conversations", tag = "page", request_body = CreateBody,
    responses((status = 200, body = Object), (status = 400, body = Object)))]
pub(super) async fn create(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Given(body): Given<CreateBody>,
) -> PageAnswer<StoredConversation> {
    check_title(&body.title)?;
    let new = NewConversation { title: body.title, persona: persona(body.persona), ..NewConversation::default() };
    Ok(Json(ui.store.create_conversation(&account, new).await?))
}

fn check_title(title: &str) -> Result<(), ApiError> {
    match title.chars().count() {
        0..=500 => Ok(()),
        count => Err(ApiError::invalid(format!("a title has 500 characters at most, not {count}")).with_param("title")),
    }
}

/// No prompt rather than an empty one.
fn persona(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// A conversation with all its branches, replies as HTML beside their text.
#[utoipa::path(get, path = "/ui/api/conversations/{id}", tag = "page", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Object)))]
pub(super) async fn read(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
) -> PageAnswer<Value> {
    let Tree { conversation, messages } = ui.store.tree(&account, &id).await?;
    Ok(Json(json!({"conversation": conversation, "messages": shown(messages).await?})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    /// The new title.
    #[serde(default)]
    title: Option<String>,
    /// The new system prompt; empty for none.
    #[serde(default)]
    persona: Option<String>,
}

/// Changes title or persona.
#[utoipa::path(patch, path = "/ui/api/conversations/{id}", tag = "page", params(("id" = String, Path)),
    request_body = ChangeBody,
    responses((status = 200, body = Object), (status = 400, body = Object), (status = 404, body = Object)))]
pub(super) async fn change(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Given(body): Given<ChangeBody>,
) -> PageAnswer<StoredConversation> {
    check_title(body.title.as_deref().unwrap_or_default())?;
    let change = ConversationChange {
        title: body.title,
        persona: body.persona.map(|text| persona(Some(text))),
        ..ConversationChange::default()
    };
    Ok(Json(ui.store.change_conversation(&account, &id, change).await?))
}

/// Deletes a conversation with its messages and ratings.
#[utoipa::path(delete, path = "/ui/api/conversations/{id}", tag = "page", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Object)))]
pub(super) async fn delete(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
) -> PageAnswer<Value> {
    ui.store.delete_conversation(&account, &id).await?;
    ui.running.stop_all(&id);
    Ok(Json(json!({"id": id, "deleted": true})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BranchBody {
    /// A message of the branch.
    message: String,
}

/// Continues from another branch: the newest leaf below the message.
#[utoipa::path(post, path = "/ui/api/conversations/{id}/branch", tag = "page", params(("id" = String, Path)),
    request_body = BranchBody,
    responses((status = 200, body = Object), (status = 400, body = Object), (status = 404, body = Object)))]
pub(super) async fn branch(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Given(body): Given<BranchBody>,
) -> PageAnswer<Value> {
    let leaf = ui.store.select_branch(&account, &id, &body.message).await?;
    Ok(Json(json!({"leaf": leaf})))
}

/// The conversation as a file, with branches and ratings.
#[utoipa::path(get, path = "/ui/api/conversations/{id}/export", tag = "page", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Object)))]
pub(super) async fn export(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
) -> PageAnswer<ConversationFile> {
    Ok(Json(ui.store.export_conversation(&account, &id).await?))
}

/// Stores a file that was exported as a new conversation.
#[utoipa::path(post, path = "/ui/api/conversations/import", tag = "page", request_body = Object,
    responses((status = 200, body = Object), (status = 400, body = Object)))]
pub(super) async fn import(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Given(file): Given<ConversationFile>,
) -> PageAnswer<StoredConversation> {
    check_title(&file.title)?;
    check_metadata(&file.metadata)?;
    Ok(Json(ui.store.import_conversation(&account, file).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RatingBody {
    /// "up", "down" or null.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    verdict: Option<Verdict>,
    /// The better reply.
    #[serde(default)]
    better: Option<String>,
}

/// Rates a reply; without verdict and better answer the rating is taken away.
#[utoipa::path(put, path = "/ui/api/messages/{id}/rating", tag = "page", params(("id" = String, Path)),
    request_body = RatingBody,
    responses((status = 200, body = Object), (status = 400, body = Object), (status = 404, body = Object)))]
pub(super) async fn rate(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Given(RatingBody { verdict, better }): Given<RatingBody>,
) -> PageAnswer<Value> {
    let change = RatingChange { verdict: Some(verdict), better: Some(better) };
    changed_rating(&ui, &account, &id, change).await
}

async fn changed_rating(ui: &Ui, account: &str, id: &str, change: RatingChange) -> PageAnswer<Value> {
    let rating = ui.store.change_rating(account, id, change).await?;
    let kept = (rating != MessageRating::default()).then_some(rating);
    Ok(Json(json!({"id": id, "rating": kept})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null takes a part away, and without the field it stays")]
pub(super) struct RatingChangeBody {
    /// "up", "down" or null; missing, it stays as it is.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    verdict: Option<Option<Verdict>>,
    /// The better reply, or null; missing, it stays as it is.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    better: Option<Option<String>>,
}

/// A field that is there, be it null.
#[expect(clippy::option_option, reason = "as the fields have it")]
fn given<'a, T: Deserialize<'a>, D: serde::Deserializer<'a>>(field: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(field).map(Some)
}

/// Changes parts of a rating, and leaves the others as they are
#[utoipa::path(patch, path = "/ui/api/messages/{id}/rating", tag = "page", params(("id" = String, Path)),
    request_body = RatingChangeBody,
    responses((status = 200, body = Object), (status = 400, body = Object), (status = 404, body = Object)))]
pub(super) async fn change_rating(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Given(RatingChangeBody { verdict, better }): Given<RatingChangeBody>,
) -> PageAnswer<Value> {
    changed_rating(&ui, &account, &id, RatingChange { verdict, better }).await
}

/// Ends a reply that is being written; its stream ends with the text so far. A reply that has ended stays as it is.
#[utoipa::path(post, path = "/ui/api/messages/{id}/stop", tag = "page", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Object)))]
pub(super) async fn stop(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
) -> PageAnswer<Value> {
    let running = ui.running.get(&id, &account);
    match &running {
        Some(reply) => reply.stop.notify_one(),
        None => drop(ui.store.settled(&account, &id).await?),
    }
    Ok(Json(json!({"id": id, "stopped": running.is_some()})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RenderBody {
    /// Markdown.
    text: String,
}

/// Markdown as HTML that can do nothing.
#[utoipa::path(post, path = "/ui/api/render", tag = "page", request_body = RenderBody,
    responses((status = 200, body = Object), (status = 400, body = Object)))]
pub(super) async fn render(Given(body): Given<RenderBody>) -> PageAnswer<Value> {
    let html = blocking(move || Ok(markdown::render(&body.text))).await?;
    Ok(Json(json!({"html": html})))
}
