//! Log-probabilities of given completions: the last part of many short sequences at once.
//!
//! All completions are scored here: evaluation, reference models and training losses cut sequences into batches, pad
//! them and select the predictions of a completion's tokens by this module.

use burn::tensor::{Device, Int, Tensor, activation::log_softmax};
use fireclay_model::{Decoder, DecoderConfig, InferenceDecoder, LogProbabilities};

use crate::InferError;
use crate::host::{check_ids, host, tensor};
use crate::padding::by_length;
use crate::score::LOGITS_AT_ONCE;

/// A sequence of token ids, with the index at which its completion begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoredSequence {
    /// Prompt and completion.
    pub ids: Vec<u32>,
    /// The index of the completion's first token: at least 1, for a token must precede it, and at most the last
    /// token's.
    pub start: usize,
}

impl ScoredSequence {
    /// Tokens in the completion.
    #[must_use]
    pub fn completion_tokens(&self) -> usize {
        self.ids.len() - self.start
    }
}

/// Log-probability of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenScore {
    /// log p(token | tokens before it), a natural logarithm.
    pub logprob: f32,
    /// Whether greedy decoding would choose it: no other token is more probable (of equal ones, the lowest id counts).
    pub greedy: bool,
}

/// Limits of a scoring batch. Results depend on them only by rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreLimits {
    /// Largest number of sequences in a forward pass.
    pub rows: usize,
    /// Largest memory of a forward pass in bytes, without the weights; a single sequence may take more.
    pub memory: usize,
}

impl Default for ScoreLimits {
    /// 256 sequences, 1 GiB.
    fn default() -> Self {
        Self { rows: 256, memory: 1 << 30 }
    }
}

impl ScoreLimits {
    /// Number of sequences of up to `tokens` tokens in one forward pass.
    #[must_use]
    pub fn rows_of(self, config: &DecoderConfig, tokens: usize) -> usize {
        (self.memory / bytes_of_row(config, tokens)).clamp(1, self.rows.max(1))
    }

    /// Memory in bytes, without the weights, for scoring `sequences` sequences of up to `tokens` tokens.
    #[must_use]
    pub fn bytes(self, config: &DecoderConfig, sequences: usize, tokens: usize) -> usize {
        self.rows_of(config, tokens).min(sequences) * bytes_of_row(config, tokens)
    }
}

/// Memory of a sequence in a forward pass, in bytes: the peak of one block (the residual stream, queries, keys, values
/// and merged heads, the feed-forward layer), and the ids.
fn bytes_of_row(config: &DecoderConfig, tokens: usize) -> usize {
    let attention = 2 * config.query_width() + 2 * config.kv_width();
    let feed_forward = config.ffn_width * if config.gated { 3 } else { 2 };
    let numbers = 3 * config.width + attention.max(feed_forward) + 1;
    size_of::<f32>() * numbers * tokens.max(1)
}

/// A decoder that scoring can use: one in training, or one for inference alone.
pub trait Scorer {
    /// Its configuration.
    fn config(&self) -> &DecoderConfig;
    /// Device of its weights.
    fn device(&self) -> Device;
    /// The hidden states after the final norm: `[B, T]` → `[B, T, D]`
    fn hidden(&self, ids_bt: Tensor<2, Int>) -> Tensor<3>;
    /// The logits of hidden states: `[N, D]` → `[N, V]`
    fn logits(&self, hidden_nd: Tensor<2>) -> Tensor<2>;
    /// Log-probabilities and entropies of given tokens at a temperature: `[N, D]`, N ids → `[N]` each
    fn log_probabilities(&self, hidden_nd: Tensor<2>, ids: Vec<u32>, temperature: f64) -> LogProbabilities;
}

impl Scorer for Decoder {
    fn config(&self) -> &DecoderConfig {
        self.config()
    }
    fn device(&self) -> Device {
        self.device()
    }
    fn hidden(&self, ids_bt: Tensor<2, Int>) -> Tensor<3> {
        self.hidden(ids_bt, None)
    }
    fn logits(&self, hidden_nd: Tensor<2>) -> Tensor<2> {
        self.logits(hidden_nd.unsqueeze_dim(0)).squeeze_dim(0)
    }
    fn log_probabilities(&self, hidden_nd: Tensor<2>, ids: Vec<u32>, temperature: f64) -> LogProbabilities {
        self.log_probabilities(hidden_nd, ids, temperature)
    }
}

impl Scorer for InferenceDecoder {
    fn config(&self) -> &DecoderConfig {
        self.config()
    }
    fn device(&self) -> Device {
        self.device()
    }
    fn hidden(&self, ids_bt: Tensor<2, Int>) -> Tensor<3> {
        self.hidden(ids_bt, None)
    }
    fn logits(&self, hidden_nd: Tensor<2>) -> Tensor<2> {
        self.logits(hidden_nd)
    }
    fn log_probabilities(&self, hidden_nd: Tensor<2>, ids: Vec<u32>, temperature: f64) -> LogProbabilities {
        self.log_probabilities(hidden_nd, ids, temperature)
    }
}

/// Sequences as one batch: every token but the last of each sequence, padded on the right, where causal attention does
/// not reach.
#[derive(Clone, Debug)]
pub struct PaddedBatch {
    inputs: Vec<u32>,
    shape: [usize; 2],
    predictors: Vec<u32>,
    targets: Vec<u32>,
}

impl PaddedBatch {
    /// The batch of these sequences, at least one.
    #[must_use]
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a ScoredSequence> + Clone) -> Self {
        let longest = sequences.clone().into_iter().map(|sequence| sequence.ids.len()).max().unwrap_or(1);
        let time = longest - 1;
        let (mut inputs, mut predictors, mut targets, mut rows) = (vec![], vec![], vec![], 0);
        for ScoredSequence { ids, start } in sequences {
            inputs.extend_from_slice(&ids[..ids.len() - 1]);
            predictors.extend((start - 1..ids.len() - 1).map(|t| (rows * time + t) as u32));
            targets.extend_from_slice(&ids[*start..]);
            rows += 1;
            inputs.resize(rows * time, 0);
        }
        Self { inputs, shape: [rows, time], predictors, targets }
    }

    /// Token ids of the padded sequences without their last token: `[B, T]`
    #[must_use]
    pub fn inputs(&self, device: &Device) -> Tensor<2, Int> {
        tensor(&self.inputs, self.shape, device)
    }

    /// From values for each input, selects those that predict the completions' tokens, one completion after the other:
    /// `[B, T, D]` → `[N, D]`
    #[must_use]
    pub fn predictors_of(&self, values_btd: Tensor<3>) -> Tensor<2> {
        let [rows, time, width] = values_btd.dims();
        let places = tensor(&self.predictors, [self.predictors.len()], &values_btd.device());
        values_btd.reshape([rows * time, width]).select(0, places)
    }

    /// The tokens of all completions, one after the other: N.
    #[must_use]
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }
}

/// log p of every token of the completions at a temperature, without gradients.
///
/// # Errors
/// As [`score_completions`].
///
/// # Panics
/// As [`score_completions`].
pub fn completion_logprobs(
    decoder: &impl Scorer,
    sequences: &[ScoredSequence],
    temperature: f64,
    limits: ScoreLimits,
) -> Result<Vec<Vec<f32>>, InferError> {
    let score = |batch: &PaddedBatch| {
        let hidden_nd = batch.predictors_of(decoder.hidden(batch.inputs(&decoder.device())));
        host(decoder.log_probabilities(hidden_nd, batch.targets().to_vec(), temperature).chosen.detach())
    };
    in_batches(decoder, sequences, limits, score, |logprob| *logprob)
}

/// The scores of every token of the completions, in their order, at temperature 1.
///
/// # Errors
/// [`InferError`] when a sequence has an id that is not in the vocabulary or more than `context + 1` tokens, or a
/// result is not a number.
///
/// # Panics
/// When a completion begins at its sequence's first token or after its last.
pub fn score_completions(
    decoder: &impl Scorer,
    sequences: &[ScoredSequence],
    limits: ScoreLimits,
) -> Result<Vec<Vec<TokenScore>>, InferError> {
    in_batches(decoder, sequences, limits, |batch| score_batch(decoder, batch), |score| score.logprob)
}

/// Scores sequences in batches, those of similar length together; `logprob` returns the log-probability of a score.
fn in_batches<T>(
    decoder: &impl Scorer,
    sequences: &[ScoredSequence],
    limits: ScoreLimits,
    score: impl Fn(&PaddedBatch) -> Vec<T>,
    logprob: impl Fn(&T) -> f32,
) -> Result<Vec<Vec<T>>, InferError> {
    let context = decoder.config().context;
    for (row, ScoredSequence { ids, start }) in sequences.iter().enumerate() {
        check_ids(ids, row, decoder.config().vocab_size)?;
        assert!((1..ids.len()).contains(start), "a completion from token {start} of {} tokens", ids.len());
        if ids.len() > context + 1 {
            return Err(InferError::PromptTooLong { row, tokens: ids.len(), context });
        }
    }
    let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.ids.len()).collect();
    let mut scores: Vec<Vec<T>> = sequences.iter().map(|_| vec![]).collect();
    // The longest first: if there is too little memory, this fails at once.
    for rows in by_length(&lengths, |tokens| limits.rows_of(decoder.config(), tokens)).into_iter().rev() {
        let mut found = score(&PaddedBatch::new(rows.iter().map(|&row| &sequences[row]))).into_iter();
        for row in rows {
            scores[row] = found.by_ref().take(sequences[row].completion_tokens()).collect();
        }
    }
    match scores.iter().position(|row| row.iter().any(|score| logprob(score).is_nan())) {
        Some(row) => Err(InferError::NotFinite { tokens: sequences[row].ids.len() - 1 }),
        None => Ok(scores),
    }
}

/// The scores of a batch, one completion after the other.
fn score_batch(decoder: &impl Scorer, batch: &PaddedBatch) -> Vec<TokenScore> {
    let device = decoder.device();
    let hidden_nd = batch.predictors_of(decoder.hidden(batch.inputs(&device)));
    let at_once = (LOGITS_AT_ONCE / decoder.config().vocab_size).max(1);
    let mut scores = Vec::with_capacity(batch.targets().len());
    for targets in batch.targets().chunks(at_once) {
        let count = targets.len();
        let logprobs_nv = log_softmax(decoder.logits(hidden_nd.clone().narrow(0, scores.len(), count)), 1);
        let best_n1: Tensor<2, Int> = logprobs_nv.clone().argmax(1);
        let best: Vec<i64> = best_n1.into_data().convert::<i64>().try_to_vec().expect("converted to i64");
        let picked = host(logprobs_nv.gather(1, tensor(targets, [count, 1], &device)));
        let score =
            |((logprob, best), target): ((f32, i64), &u32)| TokenScore { logprob, greedy: best == *target as i64 };
        scores.extend(picked.into_iter().zip(best).zip(targets).map(score));
    }
    scores
}
