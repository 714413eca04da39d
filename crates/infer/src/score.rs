//! Log-probabilities of a given sequence.

use fireclay_model::InferenceDecoder;

use crate::InferError;
use crate::host::{check_ids, host, tensor};

/// Number of logits computed at once: 16 Mi numbers, 64 MiB. The head of a large vocabulary over a long context would
/// otherwise need gigabytes.
pub(crate) const LOGITS_AT_ONCE: usize = 1 << 24;

/// log p(token | tokens before it) under the model for each token after the first: `ids.len() − 1` natural logarithms.
///
/// A sequence of more than `context + 1` tokens is scored in windows of `context` tokens that advance by half a context
/// (rounded up): tokens of the first window are predicted from all tokens before them, later ones from at least half a
/// context (rounded down).
///
/// # Errors
/// [`InferError`] when there are fewer than two tokens, an id is not in the vocabulary, or a result is not a number.
pub fn score(decoder: &InferenceDecoder, ids: &[u32]) -> Result<Vec<f32>, InferError> {
    check_ids(ids, 0, decoder.config().vocab_size)?;
    if ids.len() < 2 {
        return Err(InferError::NothingToScore { tokens: ids.len() });
    }
    let context = decoder.config().context;
    let stride = context.div_ceil(2);
    let last = ids.len() - 1;
    let mut logprobs = Vec::with_capacity(last);
    while logprobs.len() < last {
        let scored = logprobs.len();
        let end = if scored == 0 { context.min(last) } else { (scored + stride).min(last) };
        logprobs.extend(score_window(decoder, &ids[end.saturating_sub(context)..=end], end - scored));
    }
    match logprobs.iter().position(|logprob| logprob.is_nan()) {
        Some(position) => Err(InferError::NotFinite { tokens: position + 1 }),
        None => Ok(logprobs),
    }
}

/// log p of the last `count` tokens of a window of T + 1.
fn score_window(decoder: &InferenceDecoder, window: &[u32], count: usize) -> Vec<f32> {
    let device = decoder.device();
    let time = window.len() - 1;
    let hidden_1td = decoder.hidden(tensor(&window[..time], [1, time], &device), None);
    let hidden_td = hidden_1td.squeeze_dim::<2>(0);
    let positions_at_once = (LOGITS_AT_ONCE / decoder.config().vocab_size).max(1);
    let mut logprobs = Vec::with_capacity(count);
    let mut start = time - count;
    while start < time {
        let positions = positions_at_once.min(time - start);
        let targets = window[start + 1..=start + positions].to_vec();
        let scores = decoder.log_probabilities(hidden_td.clone().narrow(0, start, positions), targets, 1.0);
        logprobs.extend(host(scores.chosen));
        start += positions;
    }
    logprobs
}
