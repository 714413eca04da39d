//! Server-sent events: [`stream`].

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::ApiError;
use crate::generation::{AnswerDelta, Generation};

/// Largest number of events that wait for a reader.
const WAITING: usize = 16;
/// Time limit for a reader before it counts as gone.
const READER_TIMEOUT: Duration = Duration::from_secs(30);
/// Interval of keep-alive comments, so that no proxy closes a silent stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The reader is gone.
#[derive(Clone, Copy, Debug)]
pub struct Gone;

/// Sink of a stream's events.
pub struct Events(mpsc::Sender<Result<Event, Infallible>>);

impl Events {
    /// Sends one event without a name.
    pub async fn send(&self, value: &Value) -> Result<(), Gone> {
        self.event(Event::default().data(value.to_string())).await
    }

    /// Sends one event with the name that its `type` is.
    pub async fn send_named(&self, value: &Value) -> Result<(), Gone> {
        let name = value["type"].as_str().expect("an event with a name has a type");
        self.event(Event::default().event(name).data(value.to_string())).await
    }

    /// Sends an error.
    pub async fn fail(&self, error: &ApiError) -> Result<(), Gone> {
        self.send(&error.object()).await
    }

    /// Ends a stream of chunks.
    pub async fn done(&self) -> Result<(), Gone> {
        self.event(Event::default().data("[DONE]")).await
    }

    async fn event(&self, event: Event) -> Result<(), Gone> {
        self.0.send_timeout(Ok(event), READER_TIMEOUT).await.map_err(|_| Gone)
    }

    /// The generation's next delta.
    ///
    /// # Errors
    /// When the reader is gone.
    pub async fn next(&self, generation: &mut Generation) -> Result<Option<Result<AnswerDelta, ApiError>>, Gone> {
        tokio::select! {
            delta = generation.next() => Ok(delta),
            () = self.0.closed() => Err(Gone),
        }
    }
}

/// A response whose events `run` sends, on a separate task that notices when the reader is gone.
pub fn stream<F>(run: impl FnOnce(Events) -> F) -> Response
where
    F: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let running = run(Events(sender));
    tokio::spawn(async move {
        if running.await.is_err() {
            tracing::debug!("a stream's reader went away");
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
