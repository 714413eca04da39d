//! The page's replies: from a request to the last event.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use super::running::{Ended, Follower, Guard};
use super::{Account, ApiError, Generated, PageSampling, ReplyRequest, ReplyStream, Ui};
use crate::body::{Body, Json as Given};
use crate::path::Path;
use crate::store::{
    BegunTurn, NewMessage, NewTurn, Parent, ReplyOutcome, Role, Status, Store, StoreError, StoredMessage, Usage,
};

/// Events that wait for a slow reader.
const WAITING: usize = 256;
/// Interval in which a partial reply is stored.
const SAVED_EVERY: Duration = Duration::from_secs(2);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyBody {
    /// One of the models' ids.
    model: String,
    /// The message to go on from: with `text` any finished one, null for a new beginning; without, the user's message
    /// to answer.
    #[serde(default)]
    parent: Option<String>,
    /// Text of the user; missing to answer `parent` again.
    #[serde(default)]
    text: Option<String>,
    /// 0 is greedy.
    #[serde(default)]
    temperature: Option<f32>,
    /// The nucleus.
    #[serde(default)]
    top_p: Option<f32>,
    /// At most so many candidates.
    #[serde(default)]
    top_k: Option<usize>,
    /// Candidates have at least this share of the probability of the most probable token.
    #[serde(default)]
    min_p: Option<f32>,
    /// The longest reply.
    #[serde(default)]
    max_tokens: Option<usize>,
    /// For the same reply again.
    #[serde(default)]
    seed: Option<u64>,
}

impl Body for ReplyBody {}

impl ReplyBody {
    fn sampling(&self) -> PageSampling {
        let Self { temperature, top_p, top_k, min_p, max_tokens, seed, .. } = *self;
        PageSampling { temperature, top_p, top_k, min_p, max_tokens, seed }
    }
}

type EventStream = Sse<KeepAliveStream<ReceiverStream<Result<Event, Infallible>>>>;

/// A reply, as events: `{"type": "started", "user", "reply"}`, `{"type": "left_out", "exchanges"}` where the
/// conversation outgrew the context, `{"type": "delta", "text"}` and, once it is stored,
/// `{"type": "done", "message", "conversation"}`. A client that hangs up does not end the reply; `stop` does. An edited
/// message is sent again under the parent of the original; a reply is regenerated under the message that it answers.
#[utoipa::path(post, path = "/ui/api/conversations/{id}/replies", tag = "page", params(("id" = String, Path)),
    request_body = ReplyBody,
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400, body = Object),
        (status = 404, body = Object), (status = 429, body = Object)))]
pub(super) async fn reply(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Given(body): Given<ReplyBody>,
) -> Result<EventStream, ApiError> {
    if body.max_tokens == Some(0) {
        return Err(ApiError::invalid("`max_tokens`: give 1 or more").with_param("max_tokens"));
    }
    // A separate task, so that a page that is closed at once leaves no question without a reply.
    tokio::spawn(begin(ui, account, id, body)).await.map_err(|_| ApiError::defect())?
}

/// Stores the user's message and begins the reply.
async fn begin(ui: Ui, account: String, id: String, body: ReplyBody) -> Result<EventStream, ApiError> {
    let conversation = ui.store.conversation(&account, &id).await?;
    let request = ReplyRequest {
        account: account.clone(),
        model: body.model.clone(),
        instructions: conversation.persona,
        messages: messages(&ui, &account, &id, &body).await?,
        sampling: body.sampling(),
    };
    let (model, instructions) = (request.model.clone(), request.instructions.clone());
    // Started before anything is stored, so that a refused request leaves no trace.
    let generation = ui.replies.begin(request).await?;
    let parent = body.parent.map_or(Parent::Root, Parent::Message);
    let said = body.text.map(|text| NewMessage::new(Role::User, text)).into_iter().collect();
    let turn = NewTurn { conversation: Some(id), parent, said, model, instructions, response: None };
    let BegunTurn { said, reply, .. } = ui.store.begin_turn(&account, turn).await?;
    let user = said.into_iter().next();
    let guard = ui.running.begin(&reply, &account);
    let progress = guard.reply.progress.subscribe();
    let (follower, events) = follower(&ui, &account, &reply.id);
    let started = json!({"type": "started", "user": user, "reply": reply});
    tokio::spawn(async move { follower.follow(&started, progress).await.is_ok() });
    let writing = Writing { store: ui.store, account, message: reply.id, saved: Instant::now(), guard };
    tokio::spawn(writing.run(generation));
    Ok(events)
}

/// The events of a reply that was begun before, from its beginning: for a page that was loaded again
#[utoipa::path(get, path = "/ui/api/messages/{id}/events", tag = "page", params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 404, body = Object),
        (status = 409, body = Object)))]
pub(super) async fn events(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
) -> Result<EventStream, ApiError> {
    let running = ui.running.get(&id, &account);
    let message = match &running {
        Some(_) => ui.store.message(&account, &id).await?,
        None => ui.store.settled(&account, &id).await?,
    };
    let (follower, events) = follower(&ui, &account, &id);
    match (running, message.status) {
        (Some(running), _) => {
            let begun = StoredMessage { content: "".into(), status: Status::InProgress, ..message };
            let started = json!({"type": "started", "user": null, "reply": begun});
            let progress = running.progress.subscribe();
            tokio::spawn(async move { follower.follow(&started, progress).await.is_ok() });
        }
        (None, Status::InProgress) => {
            let why = format!("the reply `{id}` is written by another server or client; read what is stored of it");
            return Err(ApiError::refused(StatusCode::CONFLICT, why).with_code("reply_elsewhere"));
        }
        (None, _) => {
            tokio::spawn(async move { follower.end(Ended { is_stored: true, error: None }).await.is_ok() });
        }
    }
    Ok(events)
}

/// A follower of a reply, and what it sends.
fn follower(ui: &Ui, account: &str, message: &str) -> (Follower, EventStream) {
    let (events, waiting) = mpsc::channel(WAITING);
    let (account, message) = (account.to_owned(), message.to_owned());
    let follower = Follower { store: ui.store.clone(), account, message, events };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(10));
    (follower, Sse::new(ReceiverStream::new(waiting)).keep_alive(keep_alive))
}

/// Messages for the model: those so far, and the user's new one.
async fn messages(
    ui: &Ui,
    account: &str,
    conversation: &str,
    body: &ReplyBody,
) -> Result<Vec<StoredMessage>, ApiError> {
    let mut path = match &body.parent {
        Some(parent) => ui.store.path_to(account, parent).await?,
        None => vec![],
    };
    if let Some(other) = path.iter().find(|message| message.conversation != conversation) {
        return Err(ApiError::not_found(format!("there is no message `{}`", other.id)));
    }
    match (&body.text, path.last()) {
        (Some(text), _) if text.trim().is_empty() => Err(ApiError::invalid("`text` is empty; say something")),
        (Some(text), _) => {
            path.push(StoredMessage::unsaved(conversation, Role::User, text));
            Ok(path)
        }
        (None, Some(last)) if last.role != Role::Assistant => Ok(path),
        (None, _) => Err(ApiError::invalid("without `text`, `parent` is the message that is answered again")),
    }
}

/// A reply on its way to the database and its followers. It goes on without them.
struct Writing {
    store: Store,
    account: String,
    message: String,
    saved: Instant,
    guard: Guard,
}

/// End of a reply.
struct StoredEnd {
    reason: &'static str,
    status: Status,
    usage: Option<Usage>,
    error: Option<String>,
}

impl Writing {
    async fn run(mut self, generation: ReplyStream) {
        let end = self.write(generation).await;
        let error = end.error.clone();
        match self.store_reply(end).await {
            Ok(()) => self.guard.end(true, error),
            // The conversation may have been deleted in the meantime.
            Err(error) => self.guard.end(false, Some(error.to_string())),
        }
    }

    async fn write(&mut self, mut generation: ReplyStream) -> StoredEnd {
        let (reply, mut is_stopped) = (Arc::clone(&self.guard.reply), false);
        loop {
            let next = tokio::select! {
                biased;
                () = reply.stop.notified(), if !is_stopped => {
                    // What it took comes with its end.
                    generation.stop();
                    is_stopped = true;
                    continue;
                }
                next = generation.pieces.recv() => next,
            };
            match next {
                Some(Generated::LeftOut(exchanges)) => {
                    if let Err(error) = self.store.set_left_out(&self.account, &self.message, exchanges as u64).await {
                        tracing::warn!("what a reply leaves out was not saved: {error}");
                    }
                    reply.progress.send_modify(|progress| progress.left_out = exchanges);
                }
                Some(Generated::Text(_)) if is_stopped => {}
                Some(Generated::Text(text)) => {
                    self.guard.add(&text);
                    if !self.save().await {
                        return cancelled(None);
                    }
                }
                Some(Generated::End { usage, .. }) if is_stopped => return cancelled(Some(usage)),
                Some(Generated::End { finish_reason, usage }) => {
                    let is_whole = finish_reason != "length";
                    let status = if is_whole { Status::Completed } else { Status::Incomplete };
                    let reason = if is_whole { "stop" } else { "length" };
                    return StoredEnd { reason, status, usage: Some(usage), error: None };
                }
                Some(Generated::Failed(message)) => {
                    return StoredEnd {
                        reason: "error",
                        status: Status::Incomplete,
                        usage: None,
                        error: Some(message),
                    };
                }
                None if is_stopped => return cancelled(None),
                None => {
                    let error = Some("the server stops".to_owned());
                    return StoredEnd { reason: "interrupted", status: Status::Incomplete, usage: None, error };
                }
            }
        }
    }

    /// Saves the partial reply at intervals, in case the process dies. False when its conversation was deleted.
    async fn save(&mut self) -> bool {
        if self.saved.elapsed() < SAVED_EVERY {
            return true;
        }
        self.saved = Instant::now();
        let text = self.guard.reply.progress.borrow().text.clone();
        match self.store.save_progress(&self.account, &self.message, text, None).await {
            Ok(()) => true,
            Err(StoreError::NotFound { .. }) => false,
            Err(error) => {
                tracing::warn!("a reply in progress was not saved: {error}");
                true
            }
        }
    }

    async fn store_reply(&self, end: StoredEnd) -> Result<(), StoreError> {
        let outcome = ReplyOutcome {
            content: self.guard.reply.progress.borrow().text.clone().into(),
            tool_calls: None,
            status: end.status,
            finish_reason: Some(end.reason.to_owned()),
            usage: end.usage,
        };
        self.store.finish_reply(&self.account, &self.message, outcome).await.map(drop)
    }
}

fn cancelled(usage: Option<Usage>) -> StoredEnd {
    StoredEnd { reason: "cancelled", status: Status::Incomplete, usage, error: None }
}
