//! A model with its tokenizer, for evaluators.

use fireclay_infer::{ScoreLimits, ScoredSequence, TokenScore, score_completions};
use fireclay_model::InferenceDecoder;
use fireclay_tokenizer::Tokenizer;

use crate::EvalError;
use crate::spans::keep_end;

/// A decoder with its tokenizer.
#[derive(Clone, Copy)]
pub struct EvalModel<'a> {
    /// The weights.
    pub decoder: &'a InferenceDecoder,
    /// Its own tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The token before every text (a BOS token, for Llama).
    pub leading: Option<u32>,
    /// Number of sequences computed at once.
    pub batch: usize,
    /// Largest memory of a forward pass in bytes, without the weights.
    pub memory: usize,
}

/// Log-probabilities of answers, token by token, and the number of texts that lost their beginning.
pub struct Scored {
    /// The scores of every answer's tokens.
    pub answers: Vec<Vec<TokenScore>>,
    /// Texts that were longer than the context.
    pub truncated: usize,
}

impl EvalModel<'_> {
    /// The ids of a text, with the leading token of the model.
    ///
    /// # Errors
    /// When a character is not in the tokenizer's vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, EvalError> {
        Ok(self.leading.into_iter().chain(self.tokenizer.try_encode(text)?).collect())
    }

    /// Scores answers: ids, and the index at which the answer begins. If that is 0, the token that begins a document is
    /// put before it.
    ///
    /// # Errors
    /// When there is no token to put before an answer, or the model's logits are not numbers.
    pub fn score(&self, answers: impl IntoIterator<Item = (Vec<u32>, usize)>) -> Result<Scored, EvalError> {
        let longest = self.decoder.config().context + 1;
        let mut truncated = 0;
        let mut sequences = vec![];
        for (mut ids, mut start) in answers {
            if start == 0 {
                ids.insert(0, self.beginning()?);
                start = 1;
            }
            truncated += usize::from(ids.len() > longest);
            let (ids, start) = keep_end(ids, start, longest);
            sequences.push(ScoredSequence { ids, start });
        }
        let limits = ScoreLimits { rows: self.batch, memory: self.memory };
        Ok(Scored { answers: score_completions(self.decoder, &sequences, limits)?, truncated })
    }

    fn beginning(&self) -> Result<u32, EvalError> {
        self.tokenizer.bos_id().or_else(|| self.tokenizer.end_of_text_id()).ok_or(EvalError::NothingBefore)
    }
}

/// log p of a whole answer.
#[must_use]
pub fn sum(scores: &[TokenScore]) -> f64 {
    scores.iter().map(|score| f64::from(score.logprob)).sum()
}

/// The mean log p per token of an answer.
#[must_use]
pub fn mean(scores: &[TokenScore]) -> f64 {
    sum(scores) / scores.len() as f64
}
