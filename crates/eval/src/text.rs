//! Likelihood of texts.

use fireclay_data::{Document, open_documents};
use fireclay_infer::score;
use fireclay_tokenizer::Tokenizer;

use crate::{EvalError, EvalModel, Metric, TaskReport};

/// Joint log-probability of tokens, and their number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Likelihood {
    /// `−Σ log p`, in nats.
    pub nats: f64,
    /// Tokens that were predicted.
    pub tokens: usize,
    /// Bytes of their text.
    pub bytes: usize,
}

impl Likelihood {
    /// Of a text's ids, from the log-probabilities of all but the first, which nothing stands before.
    #[must_use]
    pub fn new(ids: &[u32], logprobs: &[f32], tokenizer: Option<&Tokenizer>) -> Self {
        let bytes = tokenizer
            .map_or(0, |tokenizer| tokenizer.decode(ids).len().saturating_sub(tokenizer.decode(&ids[..1]).len()));
        Self { nats: -logprobs.iter().copied().map(f64::from).sum::<f64>(), tokens: logprobs.len(), bytes }
    }

    /// Both texts together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { nats: self.nats + other.nats, tokens: self.tokens + other.tokens, bytes: self.bytes + other.bytes }
    }

    /// The mean of −log p over tokens.
    #[must_use]
    pub fn loss(self) -> f64 {
        self.nats / self.tokens as f64
    }

    /// e to the loss.
    #[must_use]
    pub fn perplexity(self) -> f64 {
        self.loss().exp()
    }

    /// `nats / (ln 2 · bytes)`, which compares across tokenizers; `None` where the tokens stand for no text.
    #[must_use]
    pub fn bits_per_byte(self) -> Option<f64> {
        (self.bytes > 0).then(|| self.nats / std::f64::consts::LN_2 / self.bytes as f64)
    }
}

/// Scores the documents of files, each on its own, like `fireclay score`: at most `limit` of them. Those of fewer than
/// two tokens are skipped.
///
/// # Errors
/// When a file is missing or damaged, nothing in it can be scored, or the model's logits are not numbers.
pub fn text(model: &EvalModel, path: &str, limit: Option<usize>) -> Result<TaskReport, EvalError> {
    let (mut all, mut n, mut left_out) = (Likelihood::default(), 0, 0);
    let mut add = |document: &str| -> Result<(), EvalError> {
        let ids = model.encode(document)?;
        if ids.len() < 2 {
            left_out += 1;
            return Ok(());
        }
        n += 1;
        all = all.and(Likelihood::new(&ids, &score(model.decoder, &ids)?, Some(model.tokenizer)));
        Ok(())
    };
    // Long documents come in pieces.
    let mut whole: Option<String> = None;
    let mut read = 0;
    for document in open_documents(&[path.to_owned()])? {
        let document: Document = document?;
        if document.begins() {
            if let Some(before) = whole.take() {
                add(&before)?;
                read += 1;
            }
            if limit.is_some_and(|limit| read >= limit) {
                break;
            }
        }
        whole.get_or_insert_default().push_str(&document.text);
    }
    whole.map_or(Ok(()), |last| add(&last))?;
    if n == 0 {
        return Err(EvalError::NoText { path: path.into() });
    }
    let mut metrics = vec![
        Metric::number("loss", all.loss(), all.tokens),
        Metric::number("perplexity", all.perplexity(), all.tokens),
    ];
    metrics.extend(all.bits_per_byte().map(|bits| Metric::number("bits_per_byte", bits, all.tokens)));
    Ok(TaskReport { kind: "text", n, metrics, left_out, ..TaskReport::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_byte_costs_eight_bits() {
        let likelihood = Likelihood { nats: 10.0 * 256_f64.ln(), tokens: 10, bytes: 10 };
        assert!((likelihood.bits_per_byte().unwrap() - 8.0).abs() < 1e-12);
        assert!((likelihood.perplexity() - 256.0).abs() < 1e-9);
        assert_eq!(Likelihood { bytes: 0, ..likelihood }.bits_per_byte(), None);
        assert_eq!(likelihood.and(likelihood).tokens, 20);
    }
}
