//! A model as evaluators use it.

use fireclay_infer::{Given, ScoreLimits, TokenScore, score_completions};
use fireclay_model::InferenceDecoder;
use fireclay_tokenizer::Tokenizer;

use crate::EvalError;
use crate::spans::keep_end;

/// A decoder with its tokenizer.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The weights.
    pub decoder: &'a InferenceDecoder,
    /// Its own tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The token that stands before every text (a BOS token, for Llama).
    pub leading: Option<u32>,
    /// Sequences computed at once.
    pub batch: usize,
    /// Most bytes that are kept of what was read.
    pub memory: usize,
}

/// Log-probabilities of answers, token by token, and the number of texts that lost their beginning.
pub struct Scored {
    /// The scores of every answer's tokens.
    pub answers: Vec<Vec<TokenScore>>,
    /// Texts that were longer than the context.
    pub truncated: usize,
}

impl Reader<'_> {
    /// The ids of a text, as the model was trained to see it.
    ///
    /// # Errors
    /// When a character is not in the tokenizer's vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, EvalError> {
        Ok(self.leading.into_iter().chain(self.tokenizer.try_encode(text)?).collect())
    }

    /// Scores answers: ids, and where the answer begins in them. One that begins at once is put behind the token that
    /// begins a document.
    ///
    /// # Errors
    /// When nothing can stand before an answer, or the model's logits are not numbers.
    pub fn score(&self, answers: impl IntoIterator<Item = (Vec<u32>, usize)>) -> Result<Scored, EvalError> {
        let longest = self.decoder.config().context + 1;
        let mut truncated = 0;
        let mut given = vec![];
        for (mut ids, mut start) in answers {
            if start == 0 {
                ids.insert(0, self.beginning()?);
                start = 1;
            }
            truncated += usize::from(ids.len() > longest);
            let (ids, start) = keep_end(ids, start, longest);
            given.push(Given { ids, start });
        }
        let limits = ScoreLimits { rows: self.batch, memory: self.memory };
        Ok(Scored { answers: score_completions(self.decoder, &given, limits)?, truncated })
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

/// The mean of log p over an answer's tokens.
#[must_use]
pub fn mean(scores: &[TokenScore]) -> f64 {
    sum(scores) / scores.len() as f64
}
