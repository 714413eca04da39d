//! Flags that say how a token is chosen, shared by the commands that let a model write.

use clap::Args;
use fireclay_infer::SamplingConfig;

/// What narrows the choice, and its seed. Each command has its own defaults for length and temperature.
#[derive(Args, Clone, Debug)]
pub struct SamplingArgs {
    /// Choose among the K most probable tokens only
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Choose among the fewest tokens whose probabilities reach P together
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// Choose among tokens at least P times as probable as the most probable one
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub min_p: Option<f32>,
    /// Make tokens that are there already less probable; 1 changes nothing
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    pub repetition_penalty: f32,
    /// Seed of the choices
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl SamplingArgs {
    /// The settings that these flags mean, not validated yet.
    pub fn config(&self, max_tokens: usize, temperature: f32) -> SamplingConfig {
        SamplingConfig {
            repetition_penalty: self.repetition_penalty,
            temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            max_tokens,
            seed: self.seed,
            ..SamplingConfig::default()
        }
    }
}
