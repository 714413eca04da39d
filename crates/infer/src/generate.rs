//! Completions, and the shortest way to them.

use std::ops::ControlFlow;

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_model::Decoder;
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineConfig, InferError, Request, SamplingConfig};

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It ends in a stop sequence, a token that ends a text, or a stop string.
    Stop,
    /// It has `max_tokens` tokens, or fills the model's context.
    Length,
    /// It was cancelled.
    Cancelled,
}

/// What was generated behind a prompt.
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
    /// How many of `ids`, at the end, are what stopped it: a stop sequence, or the tokens that a stop string lies in.
    pub stop_tokens: usize,
    /// How many bytes of the first of these tokens stand before the stop string.
    pub kept_bytes: usize,
    /// The most probable tokens in each token's place, with their log-probabilities under the model, if they were asked
    /// for.
    pub top_logprobs: Vec<Vec<(u32, f32)>>,
    /// What the model thinks of each token of the prompt after the first, if it was asked for.
    pub prompt_scores: Vec<TokenScores>,
    /// Tokens in the prompt.
    pub prompt_tokens: usize,
    /// How many of them, from the first on, were known from other requests when it began.
    pub cached_tokens: usize,
    /// How long it took.
    pub timing: Timing,
}

impl Completion {
    /// What was there after `count` tokens; the same where there are no more.
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

/// What a model thinks of a token of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenScores {
    /// Its log-probability.
    pub logprob: f32,
    /// The most probable tokens in its place with their log-probabilities, as many as the request asked for.
    pub top: Vec<(u32, f32)>,
}

/// Where the time of a request went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Seconds from when it was begun to its first token.
    pub prefill_seconds: f64,
    /// Seconds from the first token to the last.
    pub decode_seconds: f64,
    /// 1, or 0 when there is no token.
    pub prefill_outputs: usize,
    /// Tokens after the first.
    pub decode_outputs: usize,
}

impl Timing {
    /// Tokens generated a second, prefill left out unless there was nothing else; 0 when nothing was generated.
    #[must_use]
    pub fn tokens_per_s(&self) -> f64 {
        let (tokens, seconds) = match self.decode_outputs {
            0 => (self.prefill_outputs, self.prefill_seconds),
            tokens => (tokens, self.decode_seconds),
        };
        if tokens == 0 { 0.0 } else { tokens as f64 / seconds.max(1e-9) }
    }
}

/// Completes one prompt, by an [`Engine`] made for it. `on_token` gets every token with its log-probability under the
/// model as soon as it is chosen, a stop sequence's tokens included; when it breaks, the completion ends there.
///
/// Prompt and completion together never exceed the model's context unless [`slide`](SamplingConfig::slide) is set. A
/// prompt that fills the context gives an empty completion that ends for its [length](FinishReason::Length).
///
/// # Errors
/// [`InferError`] when a setting means nothing, the prompt is empty, longer than the model's context or has an id that
/// is not in the vocabulary, or the model's logits are not finite.
///
/// # Panics
/// When the decoder tracks gradients: every step's activations would be kept. Pass `decoder.valid()`.
pub fn generate(
    decoder: &Decoder,
    prompt: &[u32],
    config: &SamplingConfig,
    on_token: &mut dyn FnMut(u32, f32) -> ControlFlow<()>,
) -> Result<Completion, InferError> {
    engine(decoder, 1)?.complete(Request::new(prompt.to_vec(), config.clone()), on_token)
}

/// Completes several prompts at once, by an [`Engine`] made for them. Prompt `r` draws from stream `config.stream + r`,
/// and gets what it gets alone.
///
/// # Errors
/// As [`generate`]; a prompt at fault is named by its index.
///
/// # Panics
/// As [`generate`].
pub fn generate_batch(
    decoder: &Decoder,
    prompts: &[Vec<u32>],
    config: &SamplingConfig,
) -> Result<Vec<Completion>, InferError> {
    engine(decoder, prompts.len().max(1))?.complete_all(prompts, config)
}

fn engine(decoder: &Decoder, streams: usize) -> Result<Engine, InferError> {
    Engine::new(decoder.into(), EngineConfig { streams, ..EngineConfig::default() })
}

pub(crate) fn check_ids(ids: &[u32], row: usize, vocab_size: usize) -> Result<(), InferError> {
    match ids.iter().position(|&id| id as usize >= vocab_size) {
        Some(position) => Err(InferError::UnknownId { id: ids[position], position, row, vocab_size }),
        None => Ok(()),
    }
}

pub(crate) fn tensor<const R: usize>(ids: &[u32], shape: [usize; R], device: &Device) -> Tensor<R, Int> {
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}

/// A tensor's numbers on the host, row by row.
pub(crate) fn host<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("converted to f32")
}
