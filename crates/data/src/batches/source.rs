//! The interface of all sources of batches.

use serde::{Deserialize, Serialize};

use crate::{DataError, ShardSet, Split};

/// `B` rows of `T` token ids and the id to predict after each.
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
    /// `[B, T]`: weight of each target in the loss; `None`: 1 for all.
    pub weights: Option<Vec<f32>>,
    /// `[B, T]`: index of the document or conversation in its row to which each id belongs; tokens attend only within
    /// their own segment. `None`: the whole row is one segment.
    pub segments: Option<Vec<u32>>,
}

/// A position in a source: small, and stored in checkpoints as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Number of complete passes over the data.
    pub epoch: u64,
    /// Number of windows (rows, items) of this pass that were returned.
    pub index: u64,
    /// Identifies the data, its windows and their order (not the batch size), so that a position is not used with
    /// another source. Empty: not checked.
    #[serde(default)]
    pub fingerprint: String,
}

/// Endless batches, with a position to resume from. `B` is the type of a batch: a [`Batch`] of token ids, or a list of
/// examples. After `seek(&position())` on an equally configured source, `next_batch()` returns exactly the batch that
/// would have come next.
pub trait Source<B = Batch>: Send {
    /// The next batch.
    ///
    /// # Errors
    /// When the data cannot be read.
    fn next_batch(&mut self) -> Result<B, DataError>;

    /// The position between the last batch and the next.
    fn position(&self) -> Position;

    /// Moves to a position that [`position`](Self::position) returned.
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

    /// Fingerprint of these windows in the order of `kind` and `seed`.
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
    /// When this is not a position of the source `fingerprint`, or its index is larger than `most`.
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
