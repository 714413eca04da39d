//! The client's side of a turn: [`Out`].

use axum::response::Response;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::error::ApiError;
use crate::generation::{AnswerDelta, Generation};
use crate::sse::{Events, Gone};

/// Output of a turn.
pub enum Out {
    /// Event by event.
    Stream {
        events: Events,
        /// Events so far.
        sent: u64,
    },
    /// As one response.
    Whole(Option<oneshot::Sender<Result<Response, ApiError>>>),
}

impl Out {
    /// The generation's next delta.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn next(&mut self, generation: &mut Generation) -> Result<Option<Result<AnswerDelta, ApiError>>, Gone> {
        match self {
            Self::Stream { events, .. } => events.next(generation).await,
            Self::Whole(sender) => tokio::select! {
                delta = generation.next() => Ok(delta),
                () = sender.as_mut().expect("it is told once, at the end").closed() => Err(Gone),
            },
        }
    }

    /// Sends an event, if the output is a stream.
    pub async fn event(&mut self, kind: &str, mut event: Value) -> Result<(), Gone> {
        let Self::Stream { events, sent } = self else { return Ok(()) };
        event["type"] = kind.into();
        event["sequence_number"] = (*sent).into();
        *sent += 1;
        events.send_named(&event).await
    }
}
