//! The rotation composed of burn's operations.

use burn::tensor::{Tensor, TensorData};

use super::Angles;

/// Reference implementation of [`rotary`](super::rotary()).
#[must_use]
pub fn rotary(x: Tensor<4>, angles: &Angles) -> Tensor<4> {
    let device = x.device();
    let table = |values: &[f32]| {
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, angles.time, 1, angles.planes]), &device)
    };
    let (cos, sin) = (table(&angles.cos), table(&angles.sin));
    let first = x.clone().narrow(3, 0, angles.planes);
    let second = x.clone().narrow(3, angles.planes, angles.planes);
    let (rotated, width) = (2 * angles.planes, x.dims()[3]);
    let mut parts = vec![first.clone() * cos.clone() - second.clone() * sin.clone(), second * cos + first * sin];
    if rotated < width {
        parts.push(x.narrow(3, rotated, width - rotated));
    }
    Tensor::cat(parts, 3)
}
