//! A list in a new order every epoch.

use serde::Serialize;

use crate::batches::{Permutation, split_mix};
use crate::{DataError, Position, Source};

/// Batches of the items of a list, each once per epoch in a seeded order.
///
/// A batch that the end of an epoch leaves short is filled from the next epoch. A position counts items, so it remains
/// valid when the batch size changes.
#[derive(Debug, Clone)]
pub struct Shuffled<T> {
    items: Vec<T>,
    batch: usize,
    seed: u64,
    fingerprint: String,
    epoch: u64,
    order: Permutation,
    index: u64,
}

impl<T: Clone + Send + Serialize> Shuffled<T> {
    /// Batches of `batch` items, in a random order by `seed`. `what` names the items in the error.
    ///
    /// # Errors
    /// When there are no items.
    ///
    /// # Panics
    /// When `batch` is 0.
    pub fn new(what: &'static str, items: Vec<T>, batch: usize, seed: u64) -> Result<Self, DataError> {
        assert!(batch > 0, "a batch of 0 items is empty");
        if items.is_empty() {
            return Err(DataError::NoExamples { what });
        }
        let mut hasher = blake3::Hasher::new();
        serde_json::to_writer(&mut hasher, &items).expect("plain data can be written");
        hasher.update(format!("shuffled {seed}").as_bytes());
        let fingerprint = hasher.finalize().to_hex()[..16].to_owned();
        let order = Permutation::new(items.len() as u64, split_mix(seed, 0));
        Ok(Self { items, batch, seed, fingerprint, epoch: 0, order, index: 0 })
    }
}

impl<T> Shuffled<T> {
    /// Every item, in the order given.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    fn go_to(&mut self, epoch: u64, index: u64) {
        self.order = Permutation::new(self.items.len() as u64, split_mix(self.seed, epoch));
        (self.epoch, self.index) = (epoch, index);
    }
}

impl<T: Clone + Send> Source<Vec<T>> for Shuffled<T> {
    fn next_batch(&mut self) -> Result<Vec<T>, DataError> {
        let mut batch = Vec::with_capacity(self.batch);
        while batch.len() < self.batch {
            if self.index == self.items.len() as u64 {
                self.go_to(self.epoch + 1, 0);
            }
            batch.push(self.items[self.order.at(self.index) as usize].clone());
            self.index += 1;
        }
        Ok(batch)
    }

    fn position(&self) -> Position {
        Position { epoch: self.epoch, index: self.index, fingerprint: self.fingerprint.clone() }
    }

    fn seek(&mut self, position: &Position) -> Result<(), DataError> {
        position.check(&self.fingerprint, self.items.len() as u64)?;
        self.go_to(position.epoch, position.index);
        Ok(())
    }
}
