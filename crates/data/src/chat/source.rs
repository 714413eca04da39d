//! Conversations packed into batches: shuffled without end for training, once in order for validation.

use super::EncodedChats;
use super::packing::{self, Packing};
use crate::batches::{Permutation, split_mix};
use crate::{Batch, DataError, Position, Source};

/// Whole conversations packed into rows, each once per epoch. Their order and packing change from epoch to epoch.
///
/// [`Batch::segments`] separates the conversations of a row, and [`Batch::weights`] are 1 if the target belongs to an
/// assistant's turn and 0 elsewhere. A batch that the end of an epoch leaves short is filled from the next epoch. A
/// position counts rows.
#[derive(Debug, Clone)]
pub struct ChatSource {
    chats: EncodedChats,
    batch: usize,
    seed: u64,
    fingerprint: String,
    epoch: u64,
    packing: Packing,
    index: u64,
}

impl ChatSource {
    /// Batches of `batch` rows, in the order that `seed` gives.
    ///
    /// # Errors
    /// When there are more conversations than can be counted in 32 bits.
    ///
    /// # Panics
    /// When `batch` is 0.
    pub fn new(chats: EncodedChats, batch: usize, seed: u64) -> Result<Self, DataError> {
        assert!(batch > 0, "a batch of 0 rows is empty");
        if u32::try_from(chats.len()).is_err() {
            return Err(DataError::Option {
                option: "the number of conversations",
                value: chats.len().to_string(),
                expected: "use at most 4,294,967,295",
            });
        }
        let fingerprint = chats.fingerprint(seed);
        let packing = shuffled(&chats, seed, 0);
        Ok(Self { chats, batch, seed, fingerprint, epoch: 0, packing, index: 0 })
    }

    /// The conversations.
    #[must_use]
    pub fn chats(&self) -> &EncodedChats {
        &self.chats
    }

    /// Number of rows in the current epoch; it may differ a little between epochs, because the packing changes.
    #[must_use]
    pub fn rows_per_epoch(&self) -> u64 {
        self.packing.rows.len() as u64
    }

    /// The share of the current epoch's rows that is not padding, from 0 to 1.
    #[must_use]
    pub fn fill(&self) -> f64 {
        self.chats.tokens() as f64 / (self.rows_per_epoch() as f64 * (self.chats.context + 1) as f64)
    }

    fn next_row(&mut self) -> Vec<u32> {
        if self.index == self.rows_per_epoch() {
            self.epoch += 1;
            self.packing = shuffled(&self.chats, self.seed, self.epoch);
            self.index = 0;
        }
        self.index += 1;
        self.packing.rows[self.index as usize - 1].clone()
    }
}

/// The rows of an epoch. They are shuffled too: the last ones that packing begins are the emptiest.
fn shuffled(chats: &EncodedChats, seed: u64, epoch: u64) -> Packing {
    let random = split_mix(seed, epoch);
    let count = chats.len() as u64;
    let order = Permutation::new(count, random);
    let mut packed = Packing::new(chats, (0..count).map(|index| order.at(index) as u32));
    let order = Permutation::new(packed.rows.len() as u64, split_mix(random, 0));
    let rows = (0..packed.rows.len() as u64).map(|index| std::mem::take(&mut packed.rows[order.at(index) as usize]));
    Packing { rows: rows.collect() }
}

impl Source for ChatSource {
    fn next_batch(&mut self) -> Result<Batch, DataError> {
        let rows: Vec<Vec<u32>> = (0..self.batch).map(|_| self.next_row()).collect();
        let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        Ok(packing::batch(&self.chats, &rows))
    }

    fn position(&self) -> Position {
        Position { epoch: self.epoch, index: self.index, fingerprint: self.fingerprint.clone() }
    }

    fn seek(&mut self, position: &Position) -> Result<(), DataError> {
        let packing = shuffled(&self.chats, self.seed, position.epoch);
        position.check(&self.fingerprint, packing.rows.len() as u64)?;
        (self.epoch, self.packing, self.index) = (position.epoch, packing, position.index);
        Ok(())
    }
}

/// Every conversation once, packed in the given order, in batches of up to `batch` rows: the same every time.
///
/// # Panics
/// When `batch` is 0.
#[must_use]
pub fn chat_validation(chats: &EncodedChats, batch: usize) -> Vec<Batch> {
    let packed = Packing::new(chats, 0..chats.len() as u32);
    let rows: Vec<&[u32]> = packed.rows.iter().map(Vec::as_slice).collect();
    rows.chunks(batch).map(|rows| packing::batch(chats, rows)).collect()
}
