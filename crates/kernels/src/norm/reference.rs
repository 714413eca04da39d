//! The norms composed of burn's operations.

use burn::tensor::Tensor;

/// Reference implementation of [`norm`](super::norm()).
#[must_use]
#[expect(clippy::single_match_else, reason = "two formulas of equal standing")]
pub fn norm<const R: usize>(x: Tensor<R>, gain: Tensor<1>, bias: Option<Tensor<1>>, epsilon: f64) -> Tensor<R> {
    let last = R - 1;
    match bias {
        Some(bias) => {
            let centred = x.clone() - x.mean_dim(last);
            let variance = centred.clone().square().mean_dim(last);
            centred * (variance + epsilon).sqrt().recip() * gain.unsqueeze() + bias.unsqueeze()
        }
        None => {
            let mean_square = x.clone().square().mean_dim(last);
            x * (mean_square + epsilon).sqrt().recip() * gain.unsqueeze()
        }
    }
}
