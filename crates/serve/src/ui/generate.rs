//! The interface between the page and the models that answer it.

use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{Notify, mpsc};

use super::ApiError;
use crate::store::{StoredMessage, Usage};

/// A model that the page offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PageModel {
    /// Its name in requests.
    pub id: String,
    /// Tokens that prompt and reply may have together.
    pub context: usize,
    /// Its sampling settings where the page gives none.
    pub defaults: PageSampling,
    /// Questions that it can answer.
    pub suggestions: Vec<String>,
}

/// The sampling settings of the page; `None` leaves one to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PageSampling {
    /// 0 is greedy.
    pub temperature: Option<f32>,
    /// Nucleus sampling: the probability that the kept tokens reach.
    pub top_p: Option<f32>,
    /// Largest number of candidate tokens.
    pub top_k: Option<usize>,
    /// Smallest probability of a candidate, as a share of that of the most probable token.
    pub min_p: Option<f32>,
    /// Largest number of tokens of the reply.
    pub max_tokens: Option<usize>,
    /// The same seed and conversation give the same reply.
    pub seed: Option<u64>,
}

/// Request for a reply.
#[derive(Clone, Debug)]
pub struct ReplyRequest {
    /// Whose conversation it is.
    pub account: String,
    /// One of the models' ids.
    pub model: String,
    /// The system prompt.
    pub instructions: Option<String>,
    /// The messages from the beginning to the user's last.
    pub messages: Vec<StoredMessage>,
    /// Sampling settings.
    pub sampling: PageSampling,
}

/// A piece of a reply.
#[derive(Clone, Debug)]
pub enum Generated {
    /// Number of exchanges at the conversation's beginning that do not fit the context and are dropped. It comes first.
    LeftOut(usize),
    /// More text.
    Text(String),
    /// The end: nothing follows.
    End {
        /// "stop" or "length".
        finish_reason: String,
        /// Its token usage.
        usage: Usage,
    },
    /// An error, as a message for the user.
    Failed(String),
}

/// A reply as it comes. Dropping it ends the generation.
pub struct ReplyStream {
    /// Its pieces.
    pub pieces: mpsc::Receiver<Generated>,
    stop: Arc<Notify>,
}

impl ReplyStream {
    /// A reply whose pieces come from `pieces`, and whose writer is told by `stop` to end it where it is.
    pub fn new(pieces: mpsc::Receiver<Generated>, stop: Arc<Notify>) -> Self {
        Self { pieces, stop }
    }

    /// Ends the reply where it is; its end still comes.
    pub fn stop(&self) {
        self.stop.notify_one();
    }
}

/// Writes replies.
pub trait Replies: Send + Sync {
    /// The models, the default first.
    fn models(&self) -> Vec<PageModel>;

    /// Begins a reply.
    ///
    /// # Errors
    /// When the model is unknown, the conversation is too long, a setting is out of range, or there are too many
    /// requests.
    fn begin(&self, request: ReplyRequest) -> Pin<Box<dyn Future<Output = Result<ReplyStream, ApiError>> + Send + '_>>;
}
