//! The whole validation split, once, in order.

use super::source::{Batch, Windows};
use crate::{DataError, ShardSet, Split};

/// The validation split in consecutive windows: every token after the first is a target exactly
/// once, and the same batches come every time.
///
/// The last window may be short: it is padded with id 0, and its padding has weight 0. The last
/// batch may have fewer rows.
#[derive(Debug, Clone)]
pub struct ValidationBatches {
    windows: Windows,
    batch: usize,
    /// The next window.
    at: u64,
}

/// Batches of up to `batch` windows of `context` tokens over the whole validation split.
///
/// # Errors
/// When the validation split has fewer than 2 tokens.
///
/// # Panics
/// When `batch` or `context` is 0.
pub fn validation(tokens: &ShardSet, batch: usize, context: usize) -> Result<ValidationBatches, DataError> {
    assert!(batch > 0 && context > 0, "a batch of {batch} rows of {context} tokens is empty");
    // A context longer than the split is allowed here: the only window is padded.
    let mut windows = Windows::new(tokens, Split::Validation, 1, 1)?;
    windows.context = context;
    Ok(ValidationBatches { windows, batch, at: 0 })
}

impl ValidationBatches {
    /// Number of targets in the whole split (without padding), however many were returned already.
    #[must_use]
    pub fn target_tokens(&self) -> u64 {
        self.windows.len() - 1
    }

    /// Average bytes of text per token; see [`ShardSet::bytes_per_token`]. Bits per byte are `mean loss / ln 2 /
    /// bytes_per_token`, also if only some of the batches were evaluated.
    #[must_use]
    pub fn bytes_per_token(&self) -> Option<f64> {
        self.windows.tokens.bytes_per_token(Split::Validation)
    }

    /// Bytes of the text of the targets. The first token, which nothing predicts, is subtracted at the average rate;
    /// end-of-text ids are targets but have no bytes.
    #[must_use]
    pub fn text_bytes(&self) -> Option<f64> {
        Some(self.bytes_per_token()? * self.target_tokens() as f64)
    }

    fn windows_in_all(&self) -> u64 {
        self.target_tokens().div_ceil(self.windows.context as u64)
    }

    /// The last, incomplete window, padded.
    fn padded(&self, start: u64) -> Result<Batch, DataError> {
        let context = self.windows.context;
        let targets = (self.target_tokens() - start) as usize;
        let short = Windows { context: targets, ..self.windows.clone() };
        let mut batch = short.batch(&[start])?;
        batch.context = context;
        batch.ids.resize(context, 0);
        batch.targets.resize(context, 0);
        if let Some(segments) = &mut batch.segments {
            // Padding comes last and nothing attends to it.
            segments.resize(context, segments[targets - 1]);
        }
        let weights = (0..context).map(|at| if at < targets { 1.0 } else { 0.0 });
        batch.weights = Some(weights.collect());
        Ok(batch)
    }

    /// The windows from `first` up to `end`, of which `whole` are complete.
    fn windows(&self, first: u64, end: u64, whole: u64) -> Result<Batch, DataError> {
        let context = self.windows.context as u64;
        let starts: Vec<u64> = (first..end.min(whole)).map(|window| window * context).collect();
        let mut batch = self.windows.batch(&starts)?;
        if end > whole {
            let short = self.padded(whole * context)?;
            let mut weights = vec![1.0; batch.ids.len()];
            weights.extend(short.weights.into_iter().flatten());
            batch.batch += 1;
            batch.ids.extend(short.ids);
            batch.targets.extend(short.targets);
            if let (Some(segments), Some(more)) = (&mut batch.segments, short.segments) {
                segments.extend(more);
            }
            batch.weights = Some(weights);
        }
        Ok(batch)
    }
}

impl Iterator for ValidationBatches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let whole = self.target_tokens() / self.windows.context as u64;
        let end = self.windows_in_all().min(self.at + self.batch as u64);
        let first = std::mem::replace(&mut self.at, end);
        (first < end).then(|| self.windows(first, end, whole))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.windows_in_all() - self.at).div_ceil(self.batch as u64) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ValidationBatches {}
