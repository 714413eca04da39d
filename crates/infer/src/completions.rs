//! How probable given completions are: many short sequences at once, and of each only its end.

use burn::tensor::{Int, Tensor, activation::log_softmax};
use fireclay_model::InferenceDecoder;

use crate::InferError;
use crate::generate::{check_ids, host, tensor};
use crate::score::LOGITS_AT_ONCE;

/// A sequence of token ids, and where the completion in it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// What comes before the completion, and the completion.
    pub ids: Vec<u32>,
    /// The index of the completion's first token: from 1, for something must stand before it, to the last token's.
    pub start: usize,
}

/// What a model thinks of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenScore {
    /// log p(token | tokens before it), a natural logarithm.
    pub logprob: f32,
    /// Whether no other token is more probable (of equal ones the lowest id): greedy decoding would choose it.
    pub greedy: bool,
}

/// The scores of every token of the completions, in their order. `batch` sequences are computed at once, those of similar length together,
/// padded on the right, where causal attention never looks from.
///
/// # Errors
/// [`InferError`] when a sequence has an id that is not in the vocabulary or more than `context + 1` tokens, or a result is not a number.
///
/// # Panics
/// When a completion begins at its sequence's first token or behind its last.
pub fn score_completions(
    decoder: &InferenceDecoder,
    sequences: &[Given],
    batch: usize,
) -> Result<Vec<Vec<TokenScore>>, InferError> {
    let context = decoder.config().context;
    for (row, Given { ids, start }) in sequences.iter().enumerate() {
        check_ids(ids, row, decoder.config().vocab_size)?;
        assert!((1..ids.len()).contains(start), "a completion from token {start} of {} tokens", ids.len());
        if ids.len() > context + 1 {
            return Err(InferError::PromptTooLong { row, tokens: ids.len(), context });
        }
    }
    let mut by_length: Vec<usize> = (0..sequences.len()).collect();
    by_length.sort_by_key(|&row| std::cmp::Reverse(sequences[row].ids.len()));
    let mut scores = vec![vec![]; sequences.len()];
    for rows in by_length.chunks(batch.max(1)) {
        let some: Vec<&Given> = rows.iter().map(|&row| &sequences[row]).collect();
        for (&row, of_row) in rows.iter().zip(score_rows(decoder, &some)) {
            scores[row] = of_row;
        }
    }
    let damaged = |row: &Vec<TokenScore>| row.iter().any(|score| score.logprob.is_nan());
    match scores.iter().position(damaged) {
        Some(row) => Err(InferError::NotFinite { tokens: sequences[row].ids.len() - 1 }),
        None => Ok(scores),
    }
}

/// The scores of a few sequences, in one forward pass. The head is computed for the tokens of completions alone.
fn score_rows(decoder: &InferenceDecoder, rows: &[&Given]) -> Vec<Vec<TokenScore>> {
    let device = decoder.device();
    let time = rows.iter().map(|row| row.ids.len()).max().unwrap_or(1) - 1;
    let mut inputs = Vec::with_capacity(rows.len() * time);
    let (mut places, mut targets) = (vec![], vec![]);
    for (b, Given { ids, start }) in rows.iter().enumerate() {
        inputs.extend_from_slice(&ids[..ids.len() - 1]);
        inputs.resize((b + 1) * time, 0);
        // The token before predicts.
        places.extend((start - 1..ids.len() - 1).map(|t| (b * time + t) as u32));
        targets.extend_from_slice(&ids[*start..]);
    }
    let hidden_btd = decoder.hidden(tensor(&inputs, [rows.len(), time], &device), None);
    let width = hidden_btd.dims()[2];
    let hidden_nd = hidden_btd.reshape([rows.len() * time, width]);
    let at_once = (LOGITS_AT_ONCE / decoder.config().vocab_size).max(1);
    let mut scores = Vec::with_capacity(places.len());
    for (places, targets) in places.chunks(at_once).zip(targets.chunks(at_once)) {
        let count = places.len();
        let chosen_nd = hidden_nd.clone().select(0, tensor(places, [count], &device));
        let logprobs_nv = log_softmax(decoder.logits(chosen_nd), 1);
        let best_n1: Tensor<2, Int> = logprobs_nv.clone().argmax(1);
        let best: Vec<i64> = best_n1.into_data().convert::<i64>().try_to_vec().expect("converted to i64");
        let picked = host(logprobs_nv.gather(1, tensor(targets, [count, 1], &device)));
        let score =
            |((logprob, best), target): ((f32, i64), &u32)| TokenScore { logprob, greedy: best == *target as i64 };
        scores.extend(picked.into_iter().zip(best).zip(targets).map(score));
    }
    let mut scores = scores.into_iter();
    rows.iter().map(|row| scores.by_ref().take(row.ids.len() - row.start).collect()).collect()
}
