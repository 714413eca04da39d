//! Every window of the text once an epoch, shuffled: how language models are pretrained.

use super::permutation::{Permutation, below, split_mix};
use super::source::{Batch, Position, Source, Windows};
use crate::{DataError, ShardSet, Split};

/// Non-overlapping windows in a shuffled order, each once an epoch.
///
/// The text is one long row of tokens; epoch `e` cuts it from token `phase(e)` on into windows of
/// `context` tokens (plus one to predict), which may cross from a document to the next as in GPT's
/// pretraining. The phase is 0 in the first epoch and random in the later ones, so that a
/// token is not met with the same context again; up to `context` tokens at either end may be left out.
/// A batch that an epoch's end leaves short is filled from the next epoch.
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
    /// None: as the text goes.
    order: Option<Permutation>,
}

impl PackedSource {
    /// Batches of `batch` windows of `context` tokens of a split, in the order that `seed` gives.
    ///
    /// # Errors
    /// When the split is shorter than one window.
    ///
    /// # Panics
    /// When `batch` or `context` is 0.
    pub fn new(tokens: &ShardSet, split: Split, batch: usize, context: usize, seed: u64) -> Result<Self, DataError> {
        Self::with_order(tokens, split, batch, context, seed, false)
    }

    /// As [`new`](Self::new), but the first epoch takes the windows as the text goes: for text that is ordered from
    /// easy to hard (a curriculum; Bengio et al. 2009), or whose order is random already.
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

    /// Windows in the current epoch; from one to the next it may change by one.
    #[must_use]
    pub fn windows_per_epoch(&self) -> u64 {
        self.epoch.len
    }

    /// Targets in the first pass over the data.
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
