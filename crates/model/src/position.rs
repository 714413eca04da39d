//! Positions: the sinusoidal table and the rotation of queries and keys.
//!
//! Both are computed on the host for just the positions a forward pass needs: that is `T·K/2` sines, nothing beside the
//! products.

use fireclay_kernels::Angles;

use crate::config::RotaryScaling;

/// `PE(pos, 2i) = sin(pos / 10000^(2i/D))`, `PE(pos, 2i+1) = cos(pos / 10000^(2i/D))` (Vaswani et al. 2017, section
/// 3.5).
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

/// Cosines and sines of the tokens' positions, shared by all layers of a forward pass.
#[must_use]
pub fn angles(frequencies: &[f64], positions: &(impl Iterator<Item = usize> + Clone)) -> Angles {
    let table = |f: fn(f64) -> f64| {
        positions.clone().flat_map(|p| frequencies.iter().map(move |w| f(p as f64 * w) as f32)).collect()
    };
    Angles { time: positions.clone().count(), planes: frequencies.len(), cos: table(f64::cos), sin: table(f64::sin) }
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
