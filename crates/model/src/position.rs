//! Positions: the sinusoidal table and the rotation of queries and keys.
//!
//! Both are computed on the host for just the positions a forward pass needs: that is `T·K/2` sines, nothing beside the products.

use burn::tensor::{Device, Tensor, TensorData};

use crate::config::RotaryScaling;

/// `PE(pos, 2i) = sin(pos / 10000^(2i/D))`, `PE(pos, 2i+1) = cos(pos / 10000^(2i/D))` (Vaswani et al. 2017, section 3.5).
///
/// Returns the rows of `positions`, each of `width` numbers, one after another.
#[must_use]
pub fn sinusoids(positions: &[usize], width: usize) -> Vec<f32> {
    let mut table = Vec::with_capacity(positions.len() * width);
    for &position in positions {
        for column in 0..width {
            let angle = position as f64 / 10_000f64.powf((column / 2 * 2) as f64 / width as f64);
            table.push(if column % 2 == 0 { angle.sin() } else { angle.cos() } as f32);
        }
    }
    table
}

/// Angle per position of each of the `head_dim / 2` planes: `θ_i = theta^(−2i/K)`, stretched by `scaling`.
#[must_use]
pub fn rotary_frequencies(head_dim: usize, theta: f64, scaling: &RotaryScaling) -> Vec<f64> {
    (0..head_dim / 2)
        .map(|i| {
            let frequency = theta.powf(-(2.0 * i as f64) / head_dim as f64);
            match *scaling {
                RotaryScaling::None => frequency,
                RotaryScaling::Linear { factor } => frequency / factor,
                RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                    let turns = original_context as f64 * frequency / std::f64::consts::TAU;
                    // 0 for wavelengths that are divided by the factor, 1 for those that are kept.
                    let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                    (1.0 - kept) * frequency / factor + kept * frequency
                }
            }
        })
        .collect()
}

/// Cosines and sines of one forward pass, shared by all its layers.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// `[1, 1, T, K/2]`
    cos: Tensor<4>,
    /// `[1, 1, T, K/2]`
    sin: Tensor<4>,
}

impl Rotation {
    /// The rotation of positions `start .. start + length`.
    #[must_use]
    pub fn new(frequencies: &[f64], start: usize, length: usize, device: &Device) -> Self {
        let half = frequencies.len();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> =
                (start..start + length).flat_map(|p| frequencies.iter().map(move |w| f(p as f64 * w) as f32)).collect();
            Tensor::<4>::from_data(TensorData::new(values, [1, 1, length, half]), device)
        };
        Self { cos: table(f64::cos), sin: table(f64::sin) }
    }

    /// Rotates the plane of numbers `i` and `i + K/2` of every head by `position · θ_i` (Su et al. 2021, in the half-split order
    /// of `transformers`).
    ///
    /// # Shapes
    /// `[B, H, T, K]` → `[B, H, T, K]`
    #[must_use]
    pub fn apply(&self, x_bhtk: Tensor<4>) -> Tensor<4> {
        let half = x_bhtk.dims()[3] / 2;
        let first = x_bhtk.clone().narrow(3, 0, half);
        let second = x_bhtk.narrow(3, half, half);
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        Tensor::cat(vec![first.clone() * cos.clone() - second.clone() * sin.clone(), second * cos + first * sin], 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinusoids_follow_the_paper() {
        let table = sinusoids(&[0, 3], 4);
        assert_eq!(table[..4], [0.0, 1.0, 0.0, 1.0]);
        let expect = [3f64.sin(), 3f64.cos(), (3.0 / 100f64).sin(), (3.0 / 100f64).cos()];
        for (value, expect) in table[4..].iter().zip(expect) {
            assert!((f64::from(*value) - expect).abs() < 1e-7);
        }
    }

    #[test]
    fn linear_scaling_is_position_interpolation() {
        let plain = rotary_frequencies(8, 10_000.0, &RotaryScaling::None);
        let scaled = rotary_frequencies(8, 10_000.0, &RotaryScaling::Linear { factor: 4.0 });
        for (a, b) in plain.iter().zip(scaled) {
            assert!((a / 4.0 - b).abs() < 1e-12);
        }
    }
}
