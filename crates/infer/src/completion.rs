//! Completions.

use serde::{Deserialize, Serialize};

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It ends in a stop sequence, an end-of-text token, or a stop string.
    Stop,
    /// It has `max_tokens` tokens, or fills the model's context.
    Length,
    /// It was cancelled.
    Cancelled,
}

/// Completion of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The tokens generated, a stop sequence at the end included.
    pub ids: Vec<u32>,
    /// Each token's log-probability under the model: temperature 1, no filter.
    pub logprobs: Vec<f32>,
    /// Each token's log-probability under the distribution that it was drawn from.
    pub sampling_logprobs: Vec<f32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Number of tokens at the end of `ids` that stopped it: a stop sequence, or the tokens that contain a stop string.
    pub stop_tokens: usize,
    /// Number of bytes before the stop string in the first of these tokens.
    pub kept_bytes: usize,
    /// The most probable tokens at each position, with their log-probabilities under the model, if requested.
    pub top_logprobs: Vec<Vec<(u32, f32)>>,
    /// Log-probability of each prompt token after the first, if requested.
    pub prompt_scores: Vec<PromptScore>,
    /// Tokens in the prompt.
    pub prompt_tokens: usize,
    /// Number of [shorter prompts](crate::Request::shorter_prompts) up to the one from which the last token was
    /// predicted; 0 if it was the prompt itself.
    pub shortened: usize,
    /// Number of tokens at the beginning of the prompt whose keys and values were in the cache.
    pub cached_tokens: usize,
    /// Timings.
    pub timing: Timing,
}

impl Completion {
    /// The completion's first `count` tokens; all of it if it is no longer.
    #[must_use]
    pub(crate) fn first(mut self, count: usize) -> Self {
        if count < self.ids.len() {
            self.ids.truncate(count);
            self.logprobs.truncate(count);
            self.sampling_logprobs.truncate(count);
            self.top_logprobs.truncate(count);
            (self.finish_reason, self.stop_tokens, self.kept_bytes) = (FinishReason::Cancelled, 0, 0);
        }
        self
    }

    /// The tokens without the stop sequence.
    #[must_use]
    pub fn ids_before_stop(&self) -> &[u32] {
        &self.ids[..self.ids.len() - self.stop_tokens]
    }
}

/// Log-probability of a prompt token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptScore {
    /// Its log-probability.
    pub logprob: f32,
    /// The most probable tokens at its position with their log-probabilities; the request sets their number.
    pub top: Vec<(u32, f32)>,
}

/// Timings of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Seconds from the beginning of its computation to its first token.
    pub prefill_seconds: f64,
    /// Seconds from the first token to the last.
    pub decode_seconds: f64,
    /// 1, or 0 if no token was generated.
    pub prefill_outputs: usize,
    /// Number of tokens after the first.
    pub decode_outputs: usize,
}

impl Timing {
    /// Generated tokens per second, without prefill if there are several; 0 if nothing was generated.
    #[must_use]
    pub fn tokens_per_s(&self) -> f64 {
        let (tokens, seconds) = match self.decode_outputs {
            0 => (self.prefill_outputs, self.prefill_seconds),
            tokens => (tokens, self.decode_seconds),
        };
        if tokens == 0 { 0.0 } else { tokens as f64 / seconds.max(1e-9) }
    }
}
