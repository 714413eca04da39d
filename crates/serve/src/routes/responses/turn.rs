//! One turn: load the conversation, answer, store the answer, send it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::IntoResponse;
use fireclay_text::CHAT_TEMPERATURE;
use fireclay_tokenizer::OmittedPart;
use serde_json::{Map, Value, json};

use super::out::Out;
use super::output::Output;
use super::request::{ConversationId, ResponseRequest, TEXT_FORMAT};
use crate::app::App;
use crate::blocking::blocking;
use crate::calls::Piece;
use crate::clock::seconds;
use crate::error::ApiError;
use crate::format;
use crate::generation::{End, Generation};
use crate::item_list::{objects, status};
use crate::items::as_chat;
use crate::messages::{Asked, encode};
use crate::sse::Gone;
use crate::store::{
    BegunTurn, Content, NewMessage, NewTurn, Parent, ReplyOutcome, Role, Status, StoreError, StoredMessage, Usage,
    new_id,
};
use crate::tools::Tools;
use crate::ui::Guard;

/// Interval in which a partial reply is stored.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// A turn that has begun.
pub struct Turn {
    app: Arc<App>,
    account: String,
    id: String,
    /// Fields of the request that the response repeats.
    body: Map<String, Value>,
    /// The reply; in the database, where the turn is stored.
    reply: StoredMessage,
    /// With a stored turn: its place among the replies that are being written, which others may follow and end.
    stored: Option<Guard>,
    output: Output,
}

/// End of a reply.
enum ReplyEnded {
    Itself(End),
    Failed(ApiError),
    /// By the page's stop button, or because its conversation was deleted.
    Stopped,
    HungUp,
}

impl Turn {
    /// Stores the input, and sends the conversation to the engine.
    ///
    /// # Errors
    /// 404 for an unknown id, 400 if the template refuses the conversation or it does not fit the context.
    pub async fn begin(app: Arc<App>, account: String, asked: ResponseRequest) -> Result<(Self, Generation), ApiError> {
        let model = app.model(&asked.model)?;
        let places = model.admit(1)?;
        let said = asked.messages()?;
        let tools = Tools::offered(Some(asked.tools.clone()), asked.tool_choice.as_ref(), asked.parallel_tool_calls)?;
        let (conversation, parent, before) = earlier(&app, &account, &asked).await?;
        if said.is_empty() && before.last().is_none_or(|last| last.role != Role::User && last.role != Role::Tool) {
            let message = "`input`: say something; the conversation does not end with the user's words";
            return Err(ApiError::invalid(message).with_param("input"));
        }
        let persona = match &conversation {
            Some(id) => app.store.conversation(&account, id).await?.persona,
            None => None,
        };
        let instructions = asked.instructions().map(str::to_owned).or(persona);
        let system = instructions.iter().map(|text| fireclay_tokenizer::Message::new("system", text));
        let chat: Vec<_> = system.chain(before.iter().map(as_chat)).chain(said.iter().map(of_new)).collect();
        let constraint = format::compiled(&model, tools.as_ref(), asked.format(), TEXT_FORMAT).await?;
        let output = Output::new(tools.as_ref().map(Tools::splitter));
        let prompt = {
            let (model, tools) = (Arc::clone(&model), tools.map(|tools| tools.shown));
            let place = place(instructions.is_some(), before.len(), asked.previous_response_id.is_some());
            blocking(move || encode(&model, &Asked { messages: &chat, tools, variables: Map::new(), place: &place }))
                .await?
        };
        model.check_room("input", prompt.len(), 1)?;
        let most = app.room(&model, prompt.len(), asked.max_output_tokens);
        let config = asked.sampling_fields().config(&model, most, CHAT_TEMPERATURE)?;
        let mut body = asked.told(config.temperature, config.top_p);
        let mut request = model.request(&account, prompt, config, &[], true)?;
        request.constraint = constraint;
        let (id, reply, stored) = if asked.is_stored() {
            if let (Some(_), Some(id)) = (&asked.conversation, &conversation) {
                body.insert("conversation".into(), json!({"id": id}));
            }
            let (model, response) = (model.id.clone(), Some(body.clone()));
            let turn = NewTurn { conversation, parent, said, model, instructions, response };
            let BegunTurn { reply, response, .. } = app.store.begin_turn(&account, turn).await?;
            let guard = app.running.begin(&reply, &account);
            let response = response.expect("it was asked for");
            body = response.body;
            (response.id, reply, Some(guard))
        } else {
            (new_id("resp"), unstored(&model.id), None)
        };
        let generation = app.generate(&model, vec![(request, model.reply_text(&[]))], places);
        Ok((Self { app, account, id, body, reply, stored, output }, generation))
    }

    /// Follows the reply to its end, stores it, and sends it.
    ///
    /// # Errors
    /// When the client is gone; the reply is stored nevertheless.
    pub async fn run(mut self, mut generation: Generation, mut out: Out) -> Result<(), Gone> {
        let ended = match self.follow(&mut generation, &mut out).await {
            Ok(ended) => ended,
            Err(Gone) => ReplyEnded::HungUp,
        };
        drop(generation);
        let mut error = match &ended {
            ReplyEnded::Failed(error) => Some(error.clone()),
            _ => None,
        };
        match &ended {
            ReplyEnded::Failed(error) => drop(self.body.insert("error".into(), error_object(error))),
            ReplyEnded::Itself(_) => drop(self.body.insert("completed_at".into(), seconds().into())),
            ReplyEnded::Stopped | ReplyEnded::HungUp => {}
        }
        let mut is_gone = matches!(ended, ReplyEnded::HungUp);
        let kept = self.keep(ended).await;
        let is_kept = kept.is_ok();
        match kept {
            Ok(()) => {}
            Err(StoreError::NotFound { .. }) => {
                error = Some(ApiError::not_found("the conversation was deleted while it was answered"));
            }
            Err(other) => {
                tracing::error!("a reply could not be kept: {other:?}");
                (error, is_gone) = (Some(other.into()), false);
            }
        }
        if let Some(guard) = &self.stored {
            guard.end(is_kept, error.as_ref().map(ToString::to_string));
        }
        if is_gone { Err(Gone) } else { self.tell(out, error).await }
    }

    async fn follow(&mut self, generation: &mut Generation, out: &mut Out) -> Result<ReplyEnded, Gone> {
        let begun = object(&self.id, self.body.clone(), &self.reply);
        out.event("response.created", json!({"response": begun})).await?;
        out.event("response.in_progress", json!({"response": begun})).await?;
        self.output.begin(&self.reply, out).await?;
        let mut saved = Instant::now();
        loop {
            let next = tokio::select! {
                biased;
                () = stopped(self.stored.as_ref()) => return Ok(ReplyEnded::Stopped),
                next = out.next(generation) => next,
            };
            let delta = match next {
                Ok(Some(Ok(delta))) => delta,
                Ok(Some(Err(error))) => return Ok(ReplyEnded::Failed(error)),
                Ok(None) => unreachable!("a generation ends with the end of its answers"),
                Err(Gone) => return Ok(ReplyEnded::HungUp),
            };
            let pieces = self.output.take(&delta.text, &mut self.reply);
            // A call is stored before the client sees it, and may carry it out.
            let has_call = pieces.iter().any(|piece| matches!(piece, Piece::Call(_)));
            if has_call || saved.elapsed() > SAVE_EVERY {
                saved = Instant::now();
                if !self.save_progress().await {
                    return Ok(ReplyEnded::Stopped);
                }
            }
            for piece in &pieces {
                if let (Piece::Text(text), Some(guard)) = (piece, &self.stored) {
                    guard.add(text);
                }
            }
            self.output.send(pieces, &self.reply, out).await?;
            if let Some(end) = delta.end {
                return Ok(ReplyEnded::Itself(end));
            }
        }
    }

    /// Stores the reply so far, where the turn is stored. False when its conversation was deleted, maybe by another
    /// server.
    async fn save_progress(&mut self) -> bool {
        if self.stored.is_none() {
            return true;
        }
        self.output.write(&mut self.reply);
        let Self { app, account, reply, .. } = self;
        let saved = app.store.save_progress(account, &reply.id, reply.content.clone(), reply.tool_calls.as_ref());
        match saved.await {
            Ok(()) => true,
            Err(StoreError::NotFound { .. }) => false,
            Err(error) => {
                tracing::warn!("a reply in progress was not stored: {error}");
                true
            }
        }
    }

    /// Records the end of the reply, in the database too.
    async fn keep(&mut self, ended: ReplyEnded) -> Result<(), StoreError> {
        let (reason, usage) = match ended {
            ReplyEnded::Itself(end) => {
                let usage = Usage::of(&end.completion);
                (end.reason, Some(usage))
            }
            ReplyEnded::Failed(_) => ("interrupted", None),
            ReplyEnded::Stopped | ReplyEnded::HungUp => ("cancelled", None),
        };
        let reply = &mut self.reply;
        self.output.end(reply);
        reply.status = if reason == "stop" { Status::Completed } else { Status::Incomplete };
        reply.finish_reason = Some(reason.into());
        reply.usage = usage;
        if self.stored.is_none() {
            return Ok(());
        }
        // Before the end, so that a later read has all that the client is told now.
        match self.app.store.set_response_body(&self.account, &self.id, &self.body).await {
            // The response alone may have been deleted.
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => tracing::error!("a response's end could not be kept: {error}"),
        }
        let outcome = ReplyOutcome {
            content: reply.content.clone(),
            tool_calls: reply.tool_calls.clone(),
            status: reply.status,
            finish_reason: reply.finish_reason.clone(),
            usage,
        };
        self.reply = self.app.store.finish_reply(&self.account, &reply.id, outcome).await?;
        Ok(())
    }

    /// Sends the end.
    async fn tell(mut self, mut out: Out, error: Option<ApiError>) -> Result<(), Gone> {
        let mut response = object(&self.id, self.body.clone(), &self.reply);
        if let Some(error) = &error {
            (response["status"], response["error"]) = ("failed".into(), error_object(error));
            response["incomplete_details"] = Value::Null;
        }
        if let Out::Whole(sender) = &mut out {
            let told = match error {
                Some(error) => Err(error),
                None => Ok(axum::Json(response).into_response()),
            };
            let sender = sender.take().expect("it is told once");
            return sender.send(told).map_err(|_| Gone);
        }
        self.output.close(&self.reply, &mut out).await?;
        let kind = match (error, self.reply.status) {
            (Some(_), _) => "response.failed",
            (None, Status::Completed) => "response.completed",
            (None, _) => "response.incomplete",
        };
        out.event(kind, json!({"response": response})).await
    }
}

/// Resolves once a reply is to end that others may end.
async fn stopped(guard: Option<&Guard>) {
    match guard {
        Some(guard) => guard.stopped().await,
        None => std::future::pending().await,
    }
}

/// The conversation, the place of the turn in it, and the earlier messages.
async fn earlier(
    app: &App,
    account: &str,
    asked: &ResponseRequest,
) -> Result<(Option<String>, Parent, Vec<StoredMessage>), ApiError> {
    if let Some(id) = &asked.previous_response_id {
        let response = app
            .store
            .response(account, id)
            .await
            .map_err(|error| ApiError::from(error).with_param("previous_response_id"))?;
        let before = app.store.path_to(account, &response.message).await?;
        return Ok((Some(response.conversation), Parent::Message(response.message), before));
    }
    if let Some(ConversationId::Id(id) | ConversationId::Object { id }) = &asked.conversation {
        let before =
            app.store.path(account, id).await.map_err(|error| ApiError::from(error).with_param("conversation"))?;
        // After the messages just read, even if another request adds some meanwhile.
        let parent = before.last().map_or(Parent::Root, |last| Parent::Message(last.id.clone()));
        return Ok((Some(id.clone()), parent, before));
    }
    Ok((None, Parent::Root, vec![]))
}

/// The field of a request that has a message: after the instructions, if there are any, come `earlier` messages.
fn place(instructed: bool, earlier: usize, by_response: bool) -> impl Fn(&OmittedPart) -> String {
    let first = usize::from(instructed);
    move |part| {
        let field = match part.message {
            index if index < first => "instructions",
            index if index >= first + earlier => "input",
            _ if by_response => "previous_response_id",
            _ => "conversation",
        };
        field.to_owned()
    }
}

fn unstored(model: &str) -> StoredMessage {
    StoredMessage {
        id: new_id("msg"),
        conversation: String::new(),
        parent: None,
        role: Role::Assistant,
        content: Content::Text(String::new()),
        tool_calls: None,
        tool_call_id: None,
        status: Status::InProgress,
        instructions: None,
        model: Some(model.into()),
        finish_reason: None,
        usage: None,
        left_out: 0,
        created: crate::clock::milliseconds(),
        rating: None,
    }
}

/// A message to be added as the chat template takes it.
fn of_new(new: &NewMessage) -> fireclay_tokenizer::Message {
    let NewMessage { role, content, tool_calls, tool_call_id } = new.clone();
    as_chat(&StoredMessage { role, content, tool_calls, tool_call_id, ..unstored("") })
}

/// An error as a response has it.
fn error_object(error: &ApiError) -> Value {
    let error = error.object()["error"].take();
    let code = Some(&error["code"]).filter(|code| code.is_string()).cloned();
    json!({"code": code.unwrap_or_else(|| "server_error".into()), "message": error["message"]})
}

/// A response as clients get it: stored fields of its request, and its reply.
pub fn object(id: &str, mut body: Map<String, Value>, reply: &StoredMessage) -> Value {
    let interrupted = || json!({"code": "server_error", "message": "the server ended before the reply did"});
    let (error, completed) = (body.shift_remove("error"), body.shift_remove("completed_at"));
    let (status, error, incomplete) = match (reply.status, reply.finish_reason.as_deref()) {
        (Status::Incomplete, Some("interrupted")) => ("failed", error.unwrap_or_else(interrupted), Value::Null),
        (Status::Incomplete, Some("length")) => ("incomplete", Value::Null, json!({"reason": "max_output_tokens"})),
        (Status::Incomplete, reason) => ("incomplete", Value::Null, json!({"reason": reason})),
        (other, _) => (status(other), Value::Null, Value::Null),
    };
    let completed = completed.filter(|_| reply.status == Status::Completed);
    let usage = reply.usage.map(|usage| {
        json!({
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens},
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        })
    });
    let output = if reply.status == Status::InProgress { vec![] } else { objects(std::slice::from_ref(reply)) };
    let mut object = json!({
        "id": id,
        "object": "response",
        "created_at": reply.created / 1000,
        "completed_at": completed,
        "status": status,
        "error": error,
        "incomplete_details": incomplete,
        "output": output,
        "usage": usage,
    });
    let map = object.as_object_mut().expect("it was written as an object");
    map.extend(body);
    object
}
