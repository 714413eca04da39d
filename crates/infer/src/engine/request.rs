//! Requests to an engine, and its events.

use std::sync::Arc;

use crate::{CompiledConstraint, Completion, InferError, SamplingConfig, StopStrings, Utf8Guard};

/// A prompt to complete, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// Sampling settings.
    pub sampling: SamplingConfig,
    /// Keeps prompt and completion valid UTF-8.
    pub guard: Option<Arc<Utf8Guard>>,
    /// Constraint on the completion.
    pub constraint: Option<CompiledConstraint>,
    /// Texts that end the completion.
    pub stop_strings: Option<Arc<StopStrings>>,
    /// Number of most probable tokens that are reported with each token.
    pub top_logprobs: usize,
    /// Whether the prompt's own tokens are scored too. What is known of the prompt from other requests is then computed
    /// again. With [`max_tokens`](SamplingConfig::max_tokens) 0, or where the prompt fills the context, nothing else is
    /// done.
    pub prompt_logprobs: bool,
}

impl Request {
    /// A request for a completion, and nothing else.
    #[must_use]
    pub fn new(prompt: Vec<u32>, sampling: SamplingConfig) -> Self {
        Self {
            prompt,
            sampling,
            guard: None,
            constraint: None,
            stop_strings: None,
            top_logprobs: 0,
            prompt_logprobs: false,
        }
    }
}

/// A request that an engine has. Later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// Event of a request in a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It has one more token.
    Token(RequestId, Token),
    /// It is finished, and the engine forgets it.
    Finished(RequestId, Completion),
    /// It cannot go on, and the engine forgets it.
    Failed(RequestId, InferError),
}

/// A token that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// The token.
    pub id: u32,
    /// Its log-probability under the model: temperature 1, no filter.
    pub logprob: f32,
    /// Its log-probability under the distribution that it was drawn from.
    pub sampling_logprob: f32,
    /// The most probable tokens in its place with their log-probabilities under the model, as many as the request asked
    /// for.
    pub top: Vec<(u32, f32)>,
}
