//! The page's replies: from a request to the last event.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use super::routes::shown;
use super::{Account, ApiError, Generated, Generation, PageSampling, ReplyRequest, RunningReply, Ui};
use crate::body::{Body, Json as Given};
use crate::store::{NewMessage, Parent, ReplyOutcome, Role, Status, StoredMessage, Usage};

/// Events that wait for a slow reader.
const WAITING: usize = 256;
/// Time limit for a reader that takes none of them.
const SLOWEST: Duration = Duration::from_secs(30);
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
        let Self { temperature, top_p, top_k, max_tokens, seed, .. } = *self;
        PageSampling { temperature, top_p, top_k, max_tokens, seed }
    }
}

/// A reply, as events: `{"type": "started", "user", "reply"}`, `{"type": "left_out", "exchanges"}` where the
/// conversation outgrew the context, `{"type": "delta", "text"}` and, once it is stored,
/// `{"type": "done", "message", "conversation"}`. An edited message is sent again under the parent of the
/// original; a reply is regenerated under the message that it answers.
#[utoipa::path(post, path = "/ui/api/conversations/{id}/replies", tag = "page", params(("id" = String, Path)),
    request_body = ReplyBody,
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400, body = Object),
        (status = 404, body = Object), (status = 429, body = Object)))]
pub(super) async fn reply(
    State(ui): State<Ui>,
    Extension(Account(account)): Extension<Account>,
    Path(id): Path<String>,
    Given(body): Given<ReplyBody>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let conversation = ui.store.conversation(&account, &id).await?;
    let request = ReplyRequest {
        model: body.model.clone(),
        instructions: conversation.persona,
        messages: messages(&ui, &account, &id, &body).await?,
        sampling: body.sampling(),
    };
    let (model, instructions) = (request.model.clone(), request.instructions.clone());
    // Started before anything is stored, so that a refused request leaves no trace.
    let generation = ui.replies.begin(request).await?;
    let mut parent = body.parent.map_or(Parent::Root, Parent::Message);
    let mut user = None;
    if let Some(text) = body.text {
        let added = ui.store.append(&account, &id, parent, vec![NewMessage::new(Role::User, text)]).await?;
        parent = Parent::Message(added[0].id.clone());
        user = added.into_iter().next();
    }
    let reply = ui.store.begin_reply(&account, &id, parent, &model, instructions.as_deref()).await?;
    let (events, waiting) = mpsc::channel(WAITING);
    let running = ui.running.begin(&reply.id, &account);
    let writing = Writing { ui, account, reply, events, text: String::new(), saved: Instant::now(), running };
    tokio::spawn(writing.run(user, generation));
    Ok(Sse::new(ReceiverStream::new(waiting)).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))))
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

/// A reply on its way to the client and the database. It continues as long as the client is connected.
struct Writing {
    ui: Ui,
    account: String,
    reply: StoredMessage,
    events: mpsc::Sender<Result<Event, Infallible>>,
    text: String,
    saved: Instant,
    running: RunningReply,
}

/// End of a reply.
struct End {
    reason: &'static str,
    status: Status,
    usage: Option<Usage>,
    told: Option<String>,
}

impl Writing {
    async fn run(mut self, user: Option<StoredMessage>, generation: Generation) {
        let started = json!({"type": "started", "user": user, "reply": self.reply});
        let end = match self.tell(&started).await {
            true => self.write(generation).await,
            false => cancelled(),
        };
        if let Err(error) = self.finish(end).await {
            // The conversation may have been deleted in the meantime.
            let told = error.to_string();
            self.tell(&json!({"type": "error", "message": told})).await;
        }
    }

    async fn write(&mut self, mut generation: Generation) -> End {
        let stop = self.running.stop.clone();
        loop {
            let next = tokio::select! {
                biased;
                () = stop.notified() => return cancelled(),
                () = self.events.closed() => return cancelled(),
                next = generation.recv() => next,
            };
            match next {
                Some(Generated::LeftOut(exchanges)) => {
                    if !self.tell(&json!({"type": "left_out", "exchanges": exchanges})).await {
                        return cancelled();
                    }
                }
                Some(Generated::Text(text)) => {
                    self.text.push_str(&text);
                    if !self.tell(&json!({"type": "delta", "text": text})).await {
                        return cancelled();
                    }
                    self.save().await;
                }
                Some(Generated::End { finish_reason, usage }) if finish_reason == "length" => {
                    return End { reason: "length", status: Status::Incomplete, usage: Some(usage), told: None };
                }
                Some(Generated::End { usage, .. }) => {
                    return End { reason: "stop", status: Status::Completed, usage: Some(usage), told: None };
                }
                Some(Generated::Failed(message)) => {
                    return End { reason: "error", status: Status::Incomplete, usage: None, told: Some(message) };
                }
                None => {
                    let told = Some("the server stops".to_owned());
                    return End { reason: "interrupted", status: Status::Incomplete, usage: None, told };
                }
            }
        }
    }

    /// Saves the partial reply at intervals, in case the process dies.
    async fn save(&mut self) {
        if self.saved.elapsed() >= SAVED_EVERY {
            self.saved = Instant::now();
            if let Err(error) = self.ui.store.save_progress(&self.account, &self.reply.id, &self.text).await {
                tracing::warn!("a reply in progress was not saved: {error}");
            }
        }
    }

    /// Stores the reply, and then tells the client.
    async fn finish(&mut self, end: End) -> Result<(), ApiError> {
        let outcome = ReplyOutcome {
            content: std::mem::take(&mut self.text).into(),
            tool_calls: None,
            status: end.status,
            finish_reason: Some(end.reason.to_owned()),
            usage: end.usage,
        };
        let message = self.ui.store.finish_reply(&self.account, &self.reply.id, outcome).await?;
        let conversation = self.ui.store.conversation(&self.account, &message.conversation).await?;
        let message = shown(vec![message]).await?.pop();
        self.tell(&json!({"type": "done", "message": message, "conversation": conversation})).await;
        if let Some(told) = end.told {
            self.tell(&json!({"type": "error", "message": told})).await;
        }
        Ok(())
    }

    /// Sends an event; false if the client is gone or too slow.
    async fn tell(&self, event: &Value) -> bool {
        let event = Event::default().data(event.to_string());
        matches!(timeout(SLOWEST, self.events.send(Ok(event))).await, Ok(Ok(())))
    }
}

fn cancelled() -> End {
    End { reason: "cancelled", status: Status::Incomplete, usage: None, told: None }
}
