//! Flags that say how a token is chosen, shared by the commands that let a model write.

use clap::Args;
use fireclay_text::Asked;

/// How freely to choose, what narrows the choice, and its seed. What is not given is the model's, or the command's
/// default: see [`Sampling`](fireclay_text::Sampling).
#[derive(Args, Clone, Debug)]
pub struct SamplingArgs {
    /// How freely to choose: 0 always takes the most probable token, 1 draws as the model predicts [default: the
    /// model's generation_config.json, else 0.7 in chat, 0.8 in generate]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub temperature: Option<f32>,
    /// Choose among the K most probable tokens only [default: the model's generation_config.json, else all]
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Choose among the fewest tokens whose probabilities reach P together [default: the model's
    /// generation_config.json, else 1]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// Choose among tokens at least P times as probable as the most probable one
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub min_p: Option<f32>,
    /// Make tokens that are there already less probable; 1 changes nothing [default: the model's
    /// generation_config.json, else 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub repetition_penalty: Option<f32>,
    /// Seed of the choices
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl SamplingArgs {
    /// The flags that were given.
    pub fn asked(&self) -> Asked {
        let Self { temperature, top_k, top_p, min_p, repetition_penalty, seed } = *self;
        Asked { temperature, top_k, top_p, min_p, repetition_penalty, seed }
    }
}
