//! Weights in block formats that are defined outside this crate.

use std::fmt;
use std::ops::Range;

/// A weight `[I, O]` that is stored in blocks of fewer bits. A product widens it a few outputs at a time. It has no
/// gradient.
pub trait BlockWeight: fmt::Debug + Send + Sync + 'static {
    /// The number of inputs and of outputs.
    fn dims(&self) -> [usize; 2];

    /// Appends the weights of some outputs, each output's inputs one after another: `[outputs, I]`. Called by several
    /// threads at once; it must not hand work to others.
    fn widen(&self, outputs: Range<usize>, into: &mut Vec<f32>);
}
