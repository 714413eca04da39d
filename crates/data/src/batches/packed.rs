//! Every window of the text once per epoch, shuffled, as in the pretraining of language models.

use super::permutation::{Permutation, below, split_mix};
use super::source::{Batch, Position, Source, Windows};
use crate::{DataError, ShardSet, Split};

/// Non-overlapping windows in a shuffled order, each once per epoch.
///
/// The text is one long row of tokens. Epoch `e` cuts it, from token `phase(e)` on, into windows of `context` tokens
/// (plus one to predict), which may cross from a document to the next as in GPT's pretraining. The phase is 0 in the
/// first epoch and random in later ones, so that a token gets another context each time; up to `context` tokens at
/// either end may be left out. A batch that the end of an epoch leaves short is filled from the next epoch.
#[derive(Debug, Clone)]
pub struct PackedSource {
    windows: Windows,
    batch: usize,
    seed: u64,
    ordered: bool,
    fingerprint: String,
    epoch: Epoch,
    index: u64,
}

#[derive(Debug, Clone)]
struct Epoch {
    number: u64,
    phase: u64,
    len: u64,
    /// `None`: in the order of the text.
    order: Option<Permutation>,
}

impl PackedSource {
    /// Batches of `batch` windows of `context` tokens of a split, in a random order by `seed`.
    ///
    /// # Errors
    /// When the split is shorter than one window.
    ///
    /// # Panics
    /// When `batch` or `context` is 0.
    pub fn new(tokens: &ShardSet, split: Split, batch: usize, context: usize, seed: u64) -> Result<Self, DataError> {
        Self::with_order(tokens, split, batch, context, seed, false)
    }

    /// As [`new`](Self::new), but the first epoch takes the windows in the order of the text: for text that is ordered
    /// from easy to hard (a curriculum; Bengio et al. 2009), or whose order is already random.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn ordered(
        tokens: &ShardSet,
        split: Split,
        batch: usize,
        context: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        Self::with_order(tokens, split, batch, context, seed, true)
    }

    fn with_order(
        tokens: &ShardSet,
        split: Split,
        batch: usize,
        context: usize,
        seed: u64,
        ordered: bool,
    ) -> Result<Self, DataError> {
        let windows = Windows::new(tokens, split, batch, context)?;
        let fingerprint = windows.fingerprint(if ordered { "ordered" } else { "packed" }, seed);
        let epoch = Epoch::new(&windows, seed, 0, ordered);
        Ok(Self { windows, batch, seed, ordered, fingerprint, epoch, index: 0 })
    }

    /// Number of windows in the current epoch; it may differ by one between epochs.
    #[must_use]
    pub fn windows_per_epoch(&self) -> u64 {
        self.epoch.len
    }

    /// Number of targets in the first epoch.
    #[must_use]
    pub fn tokens_per_epoch(&self) -> u64 {
        (self.windows.len() - 1) / self.windows.context as u64 * self.windows.context as u64
    }

    fn next_start(&mut self) -> u64 {
        if self.index == self.epoch.len {
            self.epoch = Epoch::new(&self.windows, self.seed, self.epoch.number + 1, self.ordered);
            self.index = 0;
        }
        let window = self.epoch.order.as_ref().map_or(self.index, |order| order.at(self.index));
        self.index += 1;
        self.epoch.phase + window * self.windows.context as u64
    }
}

impl Epoch {
    fn new(windows: &Windows, seed: u64, number: u64, ordered: bool) -> Self {
        let context = windows.context as u64;
        let targets = windows.len() - 1;
        let random = split_mix(seed, number);
        // At least one window must remain.
        let phases = context.min(targets - context + 1);
        let phase = if number == 0 { 0 } else { below(phases, random) };
        let len = (targets - phase) / context;
        let order = (!ordered || number > 0).then(|| Permutation::new(len, random));
        Self { number, phase, len, order }
    }
}

impl Source for PackedSource {
    fn next_batch(&mut self) -> Result<Batch, DataError> {
        let starts: Vec<u64> = (0..self.batch).map(|_| self.next_start()).collect();
        self.windows.batch(&starts)
    }

    fn position(&self) -> Position {
        Position { epoch: self.epoch.number, index: self.index, fingerprint: self.fingerprint.clone() }
    }

    fn seek(&mut self, position: &Position) -> Result<(), DataError> {
        let epoch = Epoch::new(&self.windows, self.seed, position.epoch, self.ordered);
        position.check(&self.fingerprint, epoch.len)?;
        self.epoch = epoch;
        self.index = position.index;
        Ok(())
    }
}
