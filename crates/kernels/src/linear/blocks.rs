//! Weights in blocks of formats that this crate does not know.

use std::fmt;
use std::ops::Range;

/// A weight `[I, O]` that is kept in blocks of fewer bits and widened a few outputs at a time, whenever a product reads
/// it. It has no gradient.
pub trait BlockWeight: fmt::Debug + Send + Sync + 'static {
    /// I and O.
    fn dims(&self) -> [usize; 2];

    /// Appends the weights of some outputs, each output's inputs one after another: `[outputs, I]`. Called by several
    /// threads at once; it must not hand work to others.
    fn widen(&self, outputs: Range<usize>, into: &mut Vec<f32>);
}
