//! Completing prompts: prefill, then one token a row and step, until every row is finished.
//!
//! Shapes: B rows, T tokens, V vocabulary.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_model::{Cache, Decoder};
use serde::{Deserialize, Serialize};

use crate::row::Row;
use crate::{InferError, SamplingConfig, Utf8Guard};

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It ends in a stop sequence.
    Stop,
    /// It has `max_tokens` tokens, or fills the model's context.
    Length,
    /// The callback broke off.
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
    /// How many of `ids`, at the end, are the stop sequence.
    pub stop_tokens: usize,
    /// Tokens in the prompt.
    pub prompt_tokens: usize,
    /// How long it took.
    pub timing: Timing,
}

impl Completion {
    /// The tokens without the stop sequence.
    #[must_use]
    pub fn ids_before_stop(&self) -> &[u32] {
        &self.ids[..self.ids.len() - self.stop_tokens]
    }
}

/// Where the time of a call went; the rows of a batch share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Seconds until each row had its first token, and until it had its next one after the context slid.
    pub prefill_seconds: f64,
    /// Seconds for the other tokens.
    pub decode_seconds: f64,
    /// Tokens of all rows that came out of prefill.
    pub prefill_outputs: usize,
    /// Tokens of all rows that came out of decoding.
    pub decode_outputs: usize,
}

impl Timing {
    /// Tokens generated a second, all rows together, prefill left out unless there was nothing else; 0 when nothing was generated.
    #[must_use]
    pub fn tokens_per_s(&self) -> f64 {
        let (tokens, seconds) = match self.decode_outputs {
            0 => (self.prefill_outputs, self.prefill_seconds),
            tokens => (tokens, self.decode_seconds),
        };
        if tokens == 0 { 0.0 } else { tokens as f64 / seconds.max(1e-9) }
    }

    fn add(&mut self, prefill: bool, elapsed: Duration, outputs: usize) {
        let (seconds, tokens) = match prefill {
            true => (&mut self.prefill_seconds, &mut self.prefill_outputs),
            false => (&mut self.decode_seconds, &mut self.decode_outputs),
        };
        *seconds += elapsed.as_secs_f64();
        *tokens += outputs;
    }
}

/// Completes one prompt. `on_token` gets every token with its log-probability under the model as soon as it is chosen, a stop sequence's
/// tokens included; when it breaks, the completion ends there.
///
/// Prompt and completion together never exceed the model's context unless [`slide`](SamplingConfig::slide) is set. A prompt that fills the
/// context gives an empty completion that ends for its [length](FinishReason::Length).
///
/// # Errors
/// [`InferError`] when a setting means nothing, the prompt is empty, longer than the model's context or has an id that is not in the
/// vocabulary, or the model's logits are not finite.
///
/// # Panics
/// When the decoder tracks gradients: every step's activations would be kept. Pass `decoder.valid()`.
pub fn generate(
    decoder: &Decoder,
    prompt: &[u32],
    config: &SamplingConfig,
    on_token: &mut dyn FnMut(u32, f32) -> ControlFlow<()>,
) -> Result<Completion, InferError> {
    let mut completions = run(decoder, &[prompt], config, None, &mut |_, id, logprob| on_token(id, logprob))?;
    Ok(completions.pop().expect("one completion a prompt"))
}

/// [`generate`] where only tokens are drawn that leave prompt and completion valid UTF-8, unless the callback breaks off inside a character: text for a
/// person to read. [`Completion::logprobs`] are still those of the model, [`Completion::sampling_logprobs`] those among the tokens allowed.
///
/// # Errors
/// As [`generate`].
///
/// # Panics
/// As [`generate`].
pub fn generate_utf8(
    decoder: &Decoder,
    prompt: &[u32],
    config: &SamplingConfig,
    guard: &Utf8Guard,
    on_token: &mut dyn FnMut(u32, f32) -> ControlFlow<()>,
) -> Result<Completion, InferError> {
    let mut completions = run(decoder, &[prompt], config, Some(guard), &mut |_, id, logprob| on_token(id, logprob))?;
    Ok(completions.pop().expect("one completion a prompt"))
}

/// Completes several prompts at once. Shorter ones are padded on the left, and rows that finish early wait for the rest. What a row gets does not
/// depend on the rows beside it, apart from rounding: row `r` draws from stream `config.stream + r`.
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
    generate_batch_with(decoder, prompts, config, &mut |_, _, _| ControlFlow::Continue(()))
}

/// [`generate_batch`] with a callback that gets the row, the token and its log-probability under the model; when it breaks, that row ends.
///
/// # Errors
/// As [`generate_batch`].
///
/// # Panics
/// As [`generate`].
pub fn generate_batch_with(
    decoder: &Decoder,
    prompts: &[Vec<u32>],
    config: &SamplingConfig,
    on_token: &mut dyn FnMut(usize, u32, f32) -> ControlFlow<()>,
) -> Result<Vec<Completion>, InferError> {
    let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    run(decoder, &prompts, config, None, on_token)
}

type OnToken<'a> = dyn FnMut(usize, u32, f32) -> ControlFlow<()> + 'a;

fn run(
    decoder: &Decoder,
    prompts: &[&[u32]],
    config: &SamplingConfig,
    guard: Option<&Utf8Guard>,
    on_token: &mut OnToken,
) -> Result<Vec<Completion>, InferError> {
    check_no_gradients(decoder);
    config.validate()?;
    let context = decoder.config().context;
    for (row, prompt) in prompts.iter().enumerate() {
        check_ids(prompt, row, decoder)?;
        if prompt.is_empty() {
            return Err(InferError::EmptyPrompt { row });
        }
        if prompt.len() > context && !config.slide {
            return Err(InferError::PromptTooLong { row, tokens: prompt.len(), context });
        }
    }

    let mut rows: Vec<Row> =
        prompts.iter().enumerate().map(|(index, prompt)| Row::new(prompt, index, config, context, guard)).collect();
    let mut timing = Timing::default();
    loop {
        let active: Vec<usize> = (0..rows.len()).filter(|&row| !rows[row].is_finished()).collect();
        if active.is_empty() {
            return Ok(rows.into_iter().map(|row| row.into_completion(timing)).collect());
        }
        fill_context(decoder, &mut rows, &active, config, on_token, &mut timing)?;
    }
}

/// Prefills the `active` rows and decodes until all of them are finished or there is no column left in the cache. The latter happens
/// where padding took columns that a row could still use, and where the context slides: the caller then goes round again.
fn fill_context(
    decoder: &Decoder,
    rows: &mut [Row],
    active: &[usize],
    config: &SamplingConfig,
    on_token: &mut OnToken,
    timing: &mut Timing,
) -> Result<(), InferError> {
    let (context, vocab_size) = (decoder.config().context, decoder.config().vocab_size);
    let device = decoder.device();
    let batch = active.len();
    let (mut ids, padding) = left_padded(rows, active, context);
    let mut time = ids.len() / batch;
    let wanted = active.iter().map(|&row| rows[row].remaining(config)).max().unwrap_or(0);
    let capacity = context.min(time.saturating_add(wanted));
    let mut cache = Cache::new(decoder.config(), batch, capacity, &device).with_padding(padding);
    loop {
        let (started, prefill) = (Instant::now(), cache.is_empty());
        let hidden_btd = decoder.hidden(tensor(&ids, [batch, time], &device), Some(&mut cache));
        let logits = host(decoder.logits(hidden_btd.narrow(1, time - 1, 1)));
        // Finished rows are fed token 0, which nothing looks at.
        ids = vec![0; batch];
        let mut outputs = 0;
        for ((&row, logits), next) in active.iter().zip(logits.chunks_exact(vocab_size)).zip(&mut ids) {
            if !rows[row].is_finished() {
                *next = rows[row].advance(logits, config, context, |id, logprob| on_token(row, id, logprob))?;
                outputs += 1;
            }
        }
        timing.add(prefill, started.elapsed(), outputs);
        time = 1;
        if active.iter().all(|&row| rows[row].is_finished()) || cache.len() == capacity {
            return Ok(());
        }
    }
}

/// The rows' windows as `[B, T]` ids, padded on the left to the longest, and the padding of each.
fn left_padded(rows: &mut [Row], active: &[usize], context: usize) -> (Vec<u32>, Vec<usize>) {
    let lengths: Vec<usize> = active.iter().map(|&row| rows[row].window(context).len()).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut ids = Vec::with_capacity(active.len() * longest);
    for (&row, &length) in active.iter().zip(&lengths) {
        ids.resize(ids.len() + longest - length, 0);
        ids.extend_from_slice(rows[row].window(context));
    }
    (ids, lengths.iter().map(|length| longest - length).collect())
}

pub(crate) fn check_no_gradients(decoder: &Decoder) {
    assert!(
        !decoder.device().is_autodiff(),
        "generation and scoring take a decoder without gradients: decoder.valid()"
    );
}

pub(crate) fn check_ids(ids: &[u32], row: usize, decoder: &Decoder) -> Result<(), InferError> {
    let vocab_size = decoder.config().vocab_size;
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
