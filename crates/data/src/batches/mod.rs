//! Batches of token ids, with a position from which to resume.

mod source;
mod packed;
mod random;
mod validation;
mod permutation;

pub use packed::PackedSource;
pub(crate) use permutation::{Permutation, split_mix};
pub use random::RandomWindows;
pub use source::{Batch, Position, Source};
pub use validation::{ValidationBatches, validation};

#[cfg(test)]
mod tests;
