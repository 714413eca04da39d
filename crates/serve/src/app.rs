//! State that all handlers share: [`App`].

use std::collections::BTreeMap;
use std::sync::Arc;

use fireclay_infer::Request;
use fireclay_text::ReplyText;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::Limits;
use crate::auth::Keys;
use crate::error::ApiError;
use crate::generation::{Generation, Rules};
use crate::metrics::Metrics;
use crate::model::Served;
use crate::store::Store;
use crate::ui::RunningReplies;
use crate::watch::Watched;

/// Models, keys, limits, metrics and conversations.
pub struct App {
    pub models: Vec<Arc<Served>>,
    pub keys: Keys,
    pub limits: Limits,
    /// Questions that a model can answer, by its name.
    pub suggestions: BTreeMap<String, Vec<String>>,
    pub metrics: Arc<Metrics>,
    pub store: Store,
    /// Replies that are being written for the page.
    pub running: RunningReplies,
    /// The run that the page `/watch` shows.
    pub watched: Option<Arc<Watched>>,
    /// Allowed hosts in requests, in lower case; empty: all.
    pub hosts: Vec<String>,
    /// True once no new requests are accepted.
    pub closing: watch::Receiver<bool>,
    /// True once answers are no longer waited for.
    pub ending: watch::Receiver<bool>,
}

impl App {
    /// The model of this name.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn model(&self, name: &str) -> Result<Arc<Served>, ApiError> {
        self.models.iter().find(|model| model.id == name).cloned().ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|model| model.id.as_str()).collect();
            match names.is_empty() {
                true => no_model("this server has no model, and only shows a run"),
                false => no_model(format!("there is no model {name:?}; there is: {}", names.join(", "))),
            }
        })
    }

    /// The model of this name, or the first where none is given.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn model_or_first(&self, name: Option<&str>) -> Result<Arc<Served>, ApiError> {
        match (name, self.models.first()) {
            (None, Some(first)) => Ok(Arc::clone(first)),
            (name, _) => self.model(name.unwrap_or_default()),
        }
    }

    /// Number of requests that a model can hold.
    pub fn places(&self) -> usize {
        self.limits.streams + self.limits.queue
    }

    /// Most tokens of an answer after a prompt of `prompt` tokens.
    pub fn room(&self, model: &Served, prompt: usize, wanted: Option<usize>) -> usize {
        let left = model.context.saturating_sub(prompt);
        wanted.unwrap_or(left).min(left).min(self.limits.max_tokens)
    }

    /// Sends requests to a model's engine.
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

fn no_model(message: impl Into<String>) -> ApiError {
    ApiError::not_found(message).with_param("model").with_code("model_not_found")
}
