//! Positions: the sinusoidal table and the rotation of queries and keys.
//!
//! Both are computed on the host, only for the positions of a forward pass: `T·K/2` sines, a negligible cost.

use std::f64::consts::TAU;
use std::rc::Rc;

use fireclay_kernels::Angles;

use crate::config::{DecoderConfig, PositionEncoding, RotaryScaling};

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

/// The text length that selects a token's frequencies, for scalings that depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lengths {
    /// All tokens use this length, in tokens.
    All(usize),
    /// Each token uses the length of its text up to it.
    UpToEach,
}

/// Cosines and sines of the tokens' positions, shared by all layers of a forward pass, and those of the layers with a
/// sliding window, if they differ.
pub(crate) fn rotary_angles(
    config: &DecoderConfig,
    positions: &(impl Iterator<Item = usize> + Clone),
    lengths: impl Fn() -> Lengths,
) -> [Option<Angles>; 2] {
    let dims = config.variant.rotary_dims.unwrap_or(config.head_dim);
    let of_position = |position: &PositionEncoding| {
        let PositionEncoding::Rotary { theta, scaling } = position else { return None };
        let of = |length: usize| Rc::from(rotary_frequencies(dims, *theta, scaling, length));
        let factor = attention_factor(scaling, config.context);
        let lengths = if scaling.depends_on_length() { lengths() } else { Lengths::All(0) };
        Some(match lengths {
            Lengths::All(length) => {
                let frequencies: Rc<[f64]> = of(length);
                angles(dims / 2, factor, positions, |_| frequencies.clone())
            }
            Lengths::UpToEach => angles(dims / 2, factor, positions, |position| of(position + 1)),
        })
    };
    let full = of_position(&config.position);
    let windowed = match &config.variant.window_position {
        Some(position) => of_position(position),
        None => full.clone(),
    };
    [full, windowed]
}

/// Cosines and sines, times `factor`, of the angles at each position.
fn angles(
    planes: usize,
    factor: f64,
    positions: &(impl Iterator<Item = usize> + Clone),
    frequencies: impl Fn(usize) -> Rc<[f64]>,
) -> Angles {
    let time = positions.clone().count();
    let (mut cos, mut sin) = (Vec::with_capacity(time * planes), Vec::with_capacity(time * planes));
    for position in positions.clone() {
        for frequency in frequencies(position).iter() {
            let angle = position as f64 * frequency;
            cos.push((factor * angle.cos()) as f32);
            sin.push((factor * angle.sin()) as f32);
        }
    }
    Angles { time, planes, cos: cos.into(), sin: sin.into() }
}

impl RotaryScaling {
    /// Whether frequencies differ between short and long texts.
    fn depends_on_length(&self) -> bool {
        matches!(self, Self::LongRope { .. } | Self::Dynamic { .. })
    }
}

/// Factor of cosines and sines.
pub(crate) fn attention_factor(scaling: &RotaryScaling, context: usize) -> f64 {
    match *scaling {
        RotaryScaling::Yarn { factor, attention_factor, .. } => {
            attention_factor.unwrap_or(if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 })
        }
        RotaryScaling::LongRope { original_context, factor, attention_factor, .. } => {
            let factor = factor.unwrap_or(context as f64 / original_context as f64);
            let advised = || (1.0 + factor.ln() / (original_context as f64).ln()).sqrt();
            attention_factor.unwrap_or_else(|| if factor > 1.0 { advised() } else { 1.0 })
        }
        _ => 1.0,
    }
}

/// Angle per position of each of the `dims / 2` planes: `θ_i = theta^(−2i/dims)`, modified by `scaling` for texts of
/// `length` tokens.
#[must_use]
pub fn rotary_frequencies(dims: usize, theta: f64, scaling: &RotaryScaling, length: usize) -> Vec<f64> {
    let theta = match *scaling {
        RotaryScaling::Dynamic { factor, original_context } => {
            let stretch = factor * length.max(original_context) as f64 / original_context as f64 - (factor - 1.0);
            theta * stretch.powf(dims as f64 / (dims as f64 - 2.0))
        }
        _ => theta,
    };
    (0..dims / 2)
        .map(|plane| stretched(plane, theta.powf(-(2.0 * plane as f64) / dims as f64), dims, theta, scaling, length))
        .collect()
}

/// The scaled frequency of one plane.
fn stretched(plane: usize, frequency: f64, dims: usize, theta: f64, scaling: &RotaryScaling, length: usize) -> f64 {
    match *scaling {
        RotaryScaling::None | RotaryScaling::Dynamic { .. } => frequency,
        RotaryScaling::Linear { factor } => frequency / factor,
        RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
            let turns = original_context as f64 * frequency / TAU;
            // 0 for wavelengths that are divided by the factor, 1 for those that are kept.
            let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
            (1.0 - kept) * frequency / factor + kept * frequency
        }
        RotaryScaling::Yarn { factor, original_context, beta_fast, beta_slow, truncate, .. } => {
            // The (fractional) plane that makes this number of turns within the original context.
            let plane_of =
                |turns: f64| dims as f64 * (original_context as f64 / (turns * TAU)).ln() / (2.0 * theta.ln());
            let (mut first, mut last) = (plane_of(beta_fast), plane_of(beta_slow));
            if truncate {
                (first, last) = (first.floor(), last.ceil());
            }
            (first, last) = (first.max(0.0), last.min(dims as f64 - 1.0));
            if (last - first).abs() < f64::EPSILON {
                last += 0.001;
            }
            let divided = ((plane as f64 - first) / (last - first)).clamp(0.0, 1.0);
            divided * frequency / factor + (1.0 - divided) * frequency
        }
        RotaryScaling::LongRope { ref short_factor, ref long_factor, original_context, .. } => {
            frequency / if length > original_context { long_factor[plane] } else { short_factor[plane] }
        }
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
        let plain = rotary_frequencies(8, 10_000.0, &RotaryScaling::None, 0);
        let scaled = rotary_frequencies(8, 10_000.0, &RotaryScaling::Linear { factor: 4.0 }, 0);
        for (a, b) in plain.iter().zip(scaled) {
            assert!((a / 4.0 - b).abs() < 1e-12);
        }
    }
}
