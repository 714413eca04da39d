//! Requests to an engine, and its events.

use std::sync::Arc;

use crate::{CompiledConstraint, Completion, InferError, SamplingConfig, StopStrings, Utf8Guard};

/// A prompt to complete, with its settings.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// Prompts that replace it once the context is full, each shorter than the one before, such as a conversation
    /// without its oldest messages: the completion goes on after the first that leaves an eighth of the context, or
    /// after the last. What was generated stays. Not with [`prompt_logprobs`](Self::prompt_logprobs), which then ends
    /// with the context.
    pub shorter_prompts: Vec<Vec<u32>>,
    /// Sampling settings.
    pub sampling: SamplingConfig,
    /// Keeps prompt and completion valid UTF-8.
    pub guard: Option<Arc<Utf8Guard>>,
    /// Constraint on the completion.
    pub constraint: Option<CompiledConstraint>,
    /// Texts that end the completion.
    pub stop_strings: Option<Arc<StopStrings>>,
    /// Number of most probable tokens to report with each token.
    pub top_logprobs: usize,
    /// Whether the prompt's own tokens are scored too. Its cached tokens are then computed again. With
    /// [`max_tokens`](SamplingConfig::max_tokens) 0, or if the prompt fills the context, only the prompt is scored.
    pub prompt_logprobs: bool,
    /// Requests with another salt never share cached tokens with it, so that no user can tell from the cache what
    /// another one has sent.
    pub cache_salt: u64,
}

impl Request {
    /// A request for a completion, without options.
    #[must_use]
    pub fn new(prompt: Vec<u32>, sampling: SamplingConfig) -> Self {
        Self {
            prompt,
            shorter_prompts: vec![],
            sampling,
            guard: None,
            constraint: None,
            stop_strings: None,
            top_logprobs: 0,
            prompt_logprobs: false,
            cache_salt: 0,
        }
    }
}

/// Identity of a request of an engine. Ids increase in the order of arrival.
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
    /// The most probable tokens at its position with their log-probabilities under the model; the request sets their
    /// number.
    pub top: Vec<(u32, f32)>,
}
