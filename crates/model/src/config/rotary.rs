//! Scaling of rotary frequencies for longer contexts.

use serde::{Deserialize, Serialize};

/// Scaling of rotary frequencies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotaryScaling {
    /// Frequencies are not scaled.
    #[default]
    None,
    /// Every position divided by `factor` (position interpolation, Chen et al. 2023).
    Linear {
        /// Factor by which the context grows.
        factor: f64,
    },
    /// Llama 3.1's: short wavelengths kept, long ones divided by `factor`, and a smooth transition between them.
    Llama3 {
        /// Factor by which the context grows.
        factor: f64,
        /// Wavelengths over `original_context / low_freq_factor` are divided by `factor`.
        low_freq_factor: f64,
        /// Wavelengths under `original_context / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context of pretraining, in tokens.
        original_context: usize,
    },
    /// `YaRN` (Peng et al. 2023): planes that rotate fast are kept, slow ones are divided by `factor`, with a linear
    /// ramp between them.
    Yarn {
        /// Factor by which the context grows.
        factor: f64,
        /// Context of pretraining, in tokens.
        original_context: usize,
        /// Planes that make more turns within the original context are kept.
        beta_fast: f64,
        /// Planes that make fewer turns are divided by `factor`.
        beta_slow: f64,
        /// Factor of cosines and sines; `None`: the paper's, `0.1·ln(factor) + 1`.
        attention_factor: Option<f64>,
        /// Whether the ends of the ramp are rounded to whole planes.
        truncate: bool,
    },
    /// `LongRoPE` (Ding et al. 2024): divisors for each plane, one for texts within the original context, one for
    /// longer texts.
    LongRope {
        /// Divisors for short texts, one per plane.
        short_factor: Vec<f64>,
        /// Divisors for long texts, one per plane.
        long_factor: Vec<f64>,
        /// Context of pretraining, in tokens.
        original_context: usize,
        /// Factor by which the context grows; `None`: the context divided by the original one.
        factor: Option<f64>,
        /// Factor of cosines and sines; `None`: `√(1 + ln(factor) / ln(original_context))`.
        attention_factor: Option<f64>,
    },
    /// Dynamic NTK: a base that grows with texts longer than the context.
    Dynamic {
        /// Factor by which the context grows.
        factor: f64,
        /// The context beyond which the base grows, in tokens.
        original_context: usize,
    },
}
