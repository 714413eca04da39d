//! The shortest way to a completion.

use std::ops::ControlFlow;

use fireclay_model::Decoder;

use crate::{Completion, Engine, EngineConfig, InferError, Request, SamplingConfig};

/// Completes one prompt with its own [`Engine`]. `on_token` gets every token with its log-probability under the model
/// as soon as it is drawn, including the tokens of a stop sequence; if it breaks, the completion ends there.
///
/// Prompt and completion together never exceed the model's context unless [`slide`](SamplingConfig::slide) is set. A
/// prompt that fills the context gives an empty completion with the finish reason
/// [length](crate::FinishReason::Length).
///
/// # Errors
/// [`InferError`] when a setting is invalid, the prompt is empty, longer than the model's context or has an id that
/// is not in the vocabulary, or the model's logits are not finite.
///
/// # Panics
/// When the decoder tracks gradients, since every step's activations would be kept. Pass `decoder.valid()`.
pub fn generate(
    decoder: &Decoder,
    prompt: &[u32],
    config: &SamplingConfig,
    on_token: &mut dyn FnMut(u32, f32) -> ControlFlow<()>,
) -> Result<Completion, InferError> {
    engine(decoder, 1)?.complete(Request::new(prompt.to_vec(), config.clone()), on_token)
}

/// Completes several prompts at once with their own [`Engine`]. Prompt `r` draws from stream `config.stream + r`, and
/// gets the same result as alone.
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
