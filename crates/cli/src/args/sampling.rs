//! Sampling flags, shared by the commands that generate text.

use clap::Args;
use fireclay_text::RequestedSampling;

/// Temperature, filters and seed. A missing value is the model's, or the command's default: see
/// [`Sampling`](fireclay_text::Sampling).
#[derive(Args, Clone, Debug)]
pub struct SamplingArgs {
    /// Sampling temperature: 0 always takes the most probable token, 1 draws as the model predicts [default: the
    /// model's generation_config.json, else 0.7 in chat, 0.8 in generate]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub temperature: Option<f32>,
    /// Sample among the K most probable tokens only [default: the model's generation_config.json, else all]
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Sample among the fewest tokens whose probabilities sum to at least P [default: the model's
    /// generation_config.json, else 1]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// Sample among tokens at least P times as probable as the most probable one
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub min_p: Option<f32>,
    /// Penalty of tokens that already occurred; 1 changes nothing [default: the model's
    /// generation_config.json, else 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub repetition_penalty: Option<f32>,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl SamplingArgs {
    /// The flags that were given.
    pub fn requested(&self) -> RequestedSampling {
        let Self { temperature, top_k, top_p, min_p, repetition_penalty, seed } = *self;
        RequestedSampling { temperature, top_k, top_p, min_p, repetition_penalty, seed }
    }
}
