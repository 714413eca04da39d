//! Windows drawn at random, with replacement.

use super::permutation::{below, split_mix};
use super::source::{Batch, Position, Source, Windows};
use crate::{DataError, ShardSet, Split};

/// Uniformly random windows, with replacement, as nanoGPT samples: the start is any of the `tokens − context` positions
/// that leave room for a window and its last target.
///
/// An epoch is the number of windows that fit in the text; it is only used for counting.
#[derive(Debug, Clone)]
pub struct RandomWindows {
    windows: Windows,
    batch: usize,
    seed: u64,
    fingerprint: String,
    drawn: u64,
}

impl RandomWindows {
    /// Batches of `batch` windows of `context` tokens of a split, drawn by `seed`.
    ///
    /// # Errors
    /// When the split is shorter than one window.
    ///
    /// # Panics
    /// When `batch` or `context` is 0.
    pub fn new(tokens: &ShardSet, split: Split, batch: usize, context: usize, seed: u64) -> Result<Self, DataError> {
        let windows = Windows::new(tokens, split, batch, context)?;
        let fingerprint = windows.fingerprint("random", seed);
        Ok(Self { windows, batch, seed, fingerprint, drawn: 0 })
    }

    /// Number of targets in an epoch's windows.
    #[must_use]
    pub fn tokens_per_epoch(&self) -> u64 {
        self.windows_per_epoch() * self.windows.context as u64
    }

    fn windows_per_epoch(&self) -> u64 {
        (self.windows.len() - 1) / self.windows.context as u64
    }
}

impl Source for RandomWindows {
    fn next_batch(&mut self) -> Result<Batch, DataError> {
        let places = self.windows.len() - self.windows.context as u64;
        let draws = self.drawn..self.drawn + self.batch as u64;
        let starts: Vec<u64> = draws.map(|draw| below(places, split_mix(self.seed, draw))).collect();
        self.drawn += self.batch as u64;
        self.windows.batch(&starts)
    }

    fn position(&self) -> Position {
        let windows = self.windows_per_epoch();
        let (epoch, index) = (self.drawn / windows, self.drawn % windows);
        Position { epoch, index, fingerprint: self.fingerprint.clone() }
    }

    fn seek(&mut self, position: &Position) -> Result<(), DataError> {
        let windows = self.windows_per_epoch();
        position.check(&self.fingerprint, windows)?;
        let drawn = position.epoch.checked_mul(windows).and_then(|before| before.checked_add(position.index));
        self.drawn = drawn
            .ok_or_else(|| DataError::Position { reason: format!("epoch {} is beyond counting", position.epoch) })?;
        Ok(())
    }
}
