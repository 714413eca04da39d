//! Replies that are being written: [`RunningReplies`]. A reply belongs to the server, and not to the client that asked
//! for it: clients follow it, as many as there are, and it goes on when they leave.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;

use super::ApiError;
use super::routes::shown;
use crate::store::{Store, StoredMessage};

/// Time limit for a reader that takes no event.
const SLOWEST: Duration = Duration::from_secs(30);

/// The part of a reply that is written.
#[derive(Clone, Debug, Default)]
pub struct ReplyProgress {
    pub text: String,
    /// Exchanges at the conversation's beginning that the model does not read.
    pub left_out: usize,
    /// With the end of the reply, which is stored then.
    pub end: Option<Ended>,
}

/// End of a reply.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Whether the reply is stored; false where its conversation was deleted.
    pub is_stored: bool,
    /// An error, as a message for the user.
    pub error: Option<String>,
}

/// A reply that is being written.
pub struct RunningReply {
    account: String,
    conversation: String,
    /// Tells the writer to end.
    pub stop: Notify,
    pub progress: watch::Sender<ReplyProgress>,
}

/// Replies that are being written, by the message's id.
#[derive(Clone)]
pub struct RunningReplies(Arc<watch::Sender<HashMap<String, Arc<RunningReply>>>>);

impl Default for RunningReplies {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(HashMap::new())))
    }
}

impl RunningReplies {
    /// Registers a reply until the returned guard is dropped.
    pub fn begin(&self, message: &StoredMessage, account: &str) -> Guard {
        let (account, conversation) = (account.to_owned(), message.conversation.clone());
        let progress = watch::Sender::new(ReplyProgress::default());
        let reply = Arc::new(RunningReply { account, conversation, stop: Notify::new(), progress });
        self.0.send_modify(|all| drop(all.insert(message.id.clone(), Arc::clone(&reply))));
        Guard { all: self.clone(), message: message.id.clone(), reply }
    }

    /// Ends the replies in a conversation, which was deleted.
    pub fn stop_all(&self, conversation: &str) {
        let all = self.0.borrow();
        all.values().filter(|reply| reply.conversation == conversation).for_each(|reply| reply.stop.notify_one());
    }

    /// The account's reply of this id, if it is being written here.
    pub fn get(&self, message: &str, account: &str) -> Option<Arc<RunningReply>> {
        self.0.borrow().get(message).filter(|reply| reply.account == account).cloned()
    }

    /// Waits until no reply is being written.
    pub async fn finished(&self) {
        // The sender lives as long as this call.
        let _ = self.0.subscribe().wait_for(HashMap::is_empty).await;
    }
}

/// A registered reply.
pub struct Guard {
    all: RunningReplies,
    message: String,
    pub reply: Arc<RunningReply>,
}

impl Guard {
    /// Resolves once the reply is to end.
    pub async fn stopped(&self) {
        self.reply.stop.notified().await;
    }

    /// Tells those who follow the reply more of its text.
    pub fn add(&self, text: &str) {
        if !text.is_empty() {
            self.reply.progress.send_modify(|progress| progress.text.push_str(text));
        }
    }

    /// Tells those who follow the reply of its end.
    pub fn end(&self, is_stored: bool, error: Option<String>) {
        self.reply.progress.send_modify(|progress| progress.end = Some(Ended { is_stored, error }));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.all.0.send_modify(|all| drop(all.remove(&self.message)));
    }
}

/// Events of a reply for one client.
pub struct Follower {
    pub store: Store,
    pub account: String,
    /// The id of the reply's message.
    pub message: String,
    pub events: mpsc::Sender<Result<Event, std::convert::Infallible>>,
}

/// The client is gone, or too slow.
pub struct FollowerGone;

impl Follower {
    /// Sends `started`, and all of the reply from its beginning to its end.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn follow(
        &self,
        started: &Value,
        mut progress: watch::Receiver<ReplyProgress>,
    ) -> Result<(), FollowerGone> {
        self.tell(started).await?;
        let (mut sent, mut left_out) = (0, 0);
        loop {
            let now = {
                let now = progress.borrow_and_update();
                ReplyProgress { text: now.text[sent..].to_owned(), left_out: now.left_out, end: now.end.clone() }
            };
            if now.left_out != left_out {
                left_out = now.left_out;
                self.tell(&json!({"type": "left_out", "exchanges": left_out})).await?;
            }
            if !now.text.is_empty() {
                sent += now.text.len();
                self.tell(&json!({"type": "delta", "text": now.text})).await?;
            }
            if let Some(end) = now.end {
                return self.end(end).await;
            }
            tokio::select! {
                changed = progress.changed() => changed.map_err(|_| FollowerGone)?,
                () = self.events.closed() => return Err(FollowerGone),
            }
        }
    }

    /// Sends the end of a reply.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn end(&self, end: Ended) -> Result<(), FollowerGone> {
        if end.is_stored {
            match self.done().await {
                Ok(done) => self.tell(&done).await?,
                Err(error) => self.tell(&json!({"type": "error", "message": error.to_string()})).await?,
            }
        }
        match end.error {
            Some(error) => self.tell(&json!({"type": "error", "message": error})).await,
            None => Ok(()),
        }
    }

    async fn done(&self) -> Result<Value, ApiError> {
        let message = self.store.message(&self.account, &self.message).await?;
        let conversation = self.store.conversation(&self.account, &message.conversation).await?;
        let message = shown(vec![message]).await?.pop();
        Ok(json!({"type": "done", "message": message, "conversation": conversation}))
    }

    async fn tell(&self, event: &Value) -> Result<(), FollowerGone> {
        let event = Event::default().data(event.to_string());
        match timeout(SLOWEST, self.events.send(Ok(event))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(FollowerGone),
        }
    }
}
