//! The interface of all sources of batches.

use serde::{Deserialize, Serialize};

use crate::{DataError, ShardSet, Split};

/// `B` rows of `T` token ids and, for each, the id to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Rows, B.
    pub batch: usize,
    /// Tokens in a row, T.
    pub context: usize,
    /// `[B, T]`, row by row.
    pub ids: Vec<u32>,
    /// `[B, T]`: the token that follows each id.
    pub targets: Vec<u32>,
    /// `[B, T]`: how much each target counts in the loss; `None`: 1 for all.
    pub weights: Option<Vec<f32>>,
    /// `[B, T]`: which document or conversation of its row each id belongs to; tokens attend only within their own
    /// segment. `None`: the whole row is one.
    pub segments: Option<Vec<u32>>,
}

/// A place in a source: small, and written to a checkpoint as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Passes over the data that are complete.
    pub epoch: u64,
    /// Windows (rows, items) of this pass that were given out.
    pub index: u64,
    /// Identifies the data and how it is cut and ordered (not the batch size), so that a position is not used with
    /// another source. Empty: not checked.
    #[serde(default)]
    pub fingerprint: String,
}

/// Batches without end, and a position to resume from. `B` is what a batch is: a [`Batch`] of token ids, or a list of
/// examples.
///
/// `seek(&position())` on a source made alike, then `next_batch()`, gives exactly what would have
/// come next.
pub trait Source<B = Batch>: Send {
    /// The next batch.
    ///
    /// # Errors
    /// When the data cannot be read.
    fn next_batch(&mut self) -> Result<B, DataError>;

    /// The place between the last batch and the next.
    fn position(&self) -> Position;

    /// Goes to a place that [`position`](Self::position) gave.
    ///
    /// # Errors
    /// When the position belongs to other data, another context or another seed.
    fn seek(&mut self, position: &Position) -> Result<(), DataError>;
}

/// Windows of a split: `context` tokens and the one after.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    pub tokens: ShardSet,
    pub split: Split,
    pub context: usize,
}

impl Windows {
    /// # Panics
    /// When `batch` or `context` is 0.
    pub(super) fn new(tokens: &ShardSet, split: Split, batch: usize, context: usize) -> Result<Self, DataError> {
        assert!(batch > 0 && context > 0, "a batch of {batch} rows of {context} tokens is empty");
        let (count, name) = (tokens.tokens(split), split.name());
        if count < 2 {
            return Err(DataError::SplitTooShort { split: name, tokens: count });
        }
        if count < context as u64 + 1 {
            return Err(DataError::ContextTooLong { context, split: name, tokens: count, most: count - 1 });
        }
        Ok(Self { tokens: tokens.clone(), split, context })
    }

    pub(super) fn len(&self) -> u64 {
        self.tokens.tokens(self.split)
    }

    /// A batch of the windows that start at `starts`.
    ///
    /// # Errors
    /// When their tokens are damaged.
    pub(super) fn batch(&self, starts: &[u64]) -> Result<Batch, DataError> {
        let (batch, context) = (starts.len(), self.context);
        let mut ids = Vec::with_capacity(batch * context);
        let mut targets = Vec::with_capacity(batch * context);
        let mut window = vec![0; context + 1];
        for &start in starts {
            self.tokens.read(self.split, start, &mut window)?;
            ids.extend_from_slice(&window[..context]);
            targets.extend_from_slice(&window[1..]);
        }
        let segments = self.tokens.document_end().map(|end| segments(&ids, context, end));
        Ok(Batch { batch, context, ids, targets, weights: None, segments })
    }

    /// Identifies the order that `kind` and `seed` give to these windows.
    pub(super) fn fingerprint(&self, kind: &str, seed: u64) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.tokens.fingerprint(self.split));
        hasher.update(format!("{kind} {:?} {} {seed}", self.split, self.context).as_bytes());
        if let Some(end) = self.tokens.document_end() {
            hasher.update(format!(" documents apart at {end}").as_bytes());
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }
}

/// Numbers the documents of each row of `context` ids from 0; a document begins at the `end_of_text` before it.
fn segments(ids: &[u32], context: usize, end_of_text: u32) -> Vec<u32> {
    let mut segments = Vec::with_capacity(ids.len());
    for row in ids.chunks(context) {
        let mut segment = 0;
        for (at, &id) in row.iter().enumerate() {
            segment += u32::from(at > 0 && id == end_of_text);
            segments.push(segment);
        }
    }
    segments
}

impl Position {
    /// # Errors
    /// When this is not a position of the source `fingerprint` with at most `most` windows (rows, items) given out.
    pub(crate) fn check(&self, fingerprint: &str, most: u64) -> Result<(), DataError> {
        let reason = if !self.fingerprint.is_empty() && self.fingerprint != fingerprint {
            "the text, the context, the seed or the order has changed".into()
        } else if self.index > most {
            format!("window {} of {most}", self.index)
        } else {
            return Ok(());
        };
        Err(DataError::Position { reason })
    }
}
