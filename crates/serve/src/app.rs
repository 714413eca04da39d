//! What all handlers share: [`App`].

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fireclay_infer::Request;
use fireclay_text::ReplyText;
use fireclay_tokenizer::TokenizerError;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::Limits;
use crate::auth::Keys;
use crate::error::ApiError;
use crate::generation::{Generation, Rules};
use crate::metrics::Metrics;
use crate::model::Served;
use crate::store::Store;
use crate::watch::Watched;

/// Models, keys, limits, numbers and conversations.
pub struct App {
    pub models: Vec<Arc<Served>>,
    pub keys: Keys,
    pub limits: Limits,
    pub metrics: Arc<Metrics>,
    pub store: Store,
    /// The run that the page `/watch` shows.
    pub watched: Option<Arc<Watched>>,
    /// Hosts that a request may name, in lower case; empty for all.
    pub hosts: Vec<String>,
    /// True once no new requests are wanted.
    pub closing: watch::Receiver<bool>,
    /// True once answers are no longer waited for.
    pub ending: watch::Receiver<bool>,
}

/// Whose request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(pub String);

impl App {
    /// The model of this name.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn model(&self, name: &str) -> Result<Arc<Served>, ApiError> {
        self.models.iter().find(|model| model.id == name).cloned().ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|model| model.id.as_str()).collect();
            ApiError::not_found(format!("there is no model {name:?}; there is: {}", names.join(", ")))
                .with_param("model")
                .with_code("model_not_found")
        })
    }

    /// Places that a model has for requests, free or not.
    pub fn places(&self) -> usize {
        self.limits.streams + self.limits.queue
    }

    /// Most tokens of an answer behind a prompt of `prompt` tokens.
    pub fn room(&self, model: &Served, prompt: usize, wanted: Option<usize>) -> usize {
        let left = model.context.saturating_sub(prompt);
        wanted.unwrap_or(left).min(left).min(self.limits.max_tokens)
    }

    /// Hands requests to a model's engine.
    pub fn generate(
        &self,
        model: &Served,
        requests: Vec<(Request, ReplyText)>,
        room: OwnedSemaphorePermit,
    ) -> Generation {
        let rules = Rules {
            timeout: self.limits.timeout,
            ending: self.ending.clone(),
            metrics: self.metrics.of_model(&model.id),
        };
        Generation::start(model, requests, room, rules)
    }
}

/// Does what takes the CPU for a while on a thread that may be busy.
///
/// # Errors
/// What `work` says; what a tokenizer says that gave up; 500 when it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            let payload = error.try_into_panic().ok();
            let of_tokenizer = payload.and_then(|payload| payload.downcast::<TokenizerError>().ok());
            Err(of_tokenizer.map_or_else(ApiError::defect, |error| ApiError::of_tokenizer(&error)))
        }
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
