//! Rotation of queries and keys by their positions.

#[cfg(feature = "flex")]
pub(crate) mod cpu;
pub mod reference;

use std::sync::Arc;

use burn::tensor::Tensor;

/// Cosines and sines of the angles, `[T, planes]` each, in host memory.
#[derive(Clone, Debug)]
pub struct Angles {
    /// T, the tokens of a row.
    pub time: usize,
    /// Number of rotated planes of a head: K/2, or fewer if the last numbers of a head are not rotated.
    pub planes: usize,
    /// Cosines.
    pub cos: Arc<[f32]>,
    /// Sines.
    pub sin: Arc<[f32]>,
}

impl Angles {
    pub(crate) fn check(&self, [_, time, _, width]: [usize; 4]) {
        assert!(time == self.time && width >= 2 * self.planes, "angles for {time} tokens of {} planes", width / 2);
    }

    /// Cosines and sines of a token; `token` counts over all rows.
    #[cfg(feature = "flex")]
    #[inline(always)]
    pub(crate) fn of_token(&self, token: usize) -> (&[f32], &[f32]) {
        let at = token % self.time * self.planes;
        (&self.cos[at..at + self.planes], &self.sin[at..at + self.planes])
    }
}

/// Rotates the plane of numbers `i` and `i + planes` of every head at token `t` by angle `[t, i]` (Su et al. 2021, in
/// the half-split order of `transformers`). Numbers after the planes are not changed. If cosines and sines are
/// multiplied by a common factor, so are the rotated numbers.
///
/// # Shapes
/// `[B, T, H, K]` → `[B, T, H, K]`
///
/// # Panics
/// When the angles are not those of T tokens and at most K/2 planes.
#[must_use]
pub fn rotary(x: Tensor<4>, angles: &Angles) -> Tensor<4> {
    angles.check(x.dims());
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        return crate::op::apply(cpu::Rotary(angles.clone()), [x.into_dispatch()]);
    }
    reference::rotary(x, angles)
}
