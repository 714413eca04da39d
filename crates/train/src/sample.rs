//! Samples of the decoder during training.

use std::ops::ControlFlow;
use std::path::Path;

use fireclay_infer::{Completion, Engine, EngineConfig, Request, SamplingConfig};
use fireclay_model::Decoder;
use fireclay_tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::{TrainConfig, TrainError};

/// One line of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Step after which it was generated.
    pub step: u64,
    /// The prompt; empty for text without one.
    #[serde(default)]
    pub prompt: String,
    /// The generated text, without the prompt.
    pub text: String,
}

/// The lines of a `samples.jsonl`.
///
/// # Errors
/// [`TrainError::Io`] when the file cannot be read.
pub fn read_samples(file: &Path) -> Result<Vec<Sample>, TrainError> {
    crate::metrics::read_lines(file)
}

/// Completes each prompt with `config.sample_tokens` tokens, at temperature 0.8 and from the 50 most probable tokens.
/// The same seed and step give the same random numbers. Special tokens written in a prompt are encoded as such.
///
/// # Errors
/// [`TrainError::Infer`] when a prompt is longer than the model's context.
pub fn sample(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    prompts: &[String],
    config: &TrainConfig,
    step: u64,
) -> Result<Vec<Sample>, TrainError> {
    let request = |(row, prompt): (usize, &String)| {
        let mut ids = tokenizer.encode_with_specials(prompt);
        if ids.is_empty() {
            ids.push(tokenizer.end_of_text_id().unwrap_or(0));
        }
        let sampling = SamplingConfig {
            temperature: 0.8,
            top_k: Some(50),
            max_tokens: config.sample_tokens,
            stop: tokenizer.stop_ids().into_iter().map(|id| vec![id]).collect(),
            slide: true,
            seed: config.seed.wrapping_add(step),
            stream: row as u64,
            ..SamplingConfig::default()
        };
        Request::new(ids, sampling)
    };
    let requests = prompts.iter().enumerate().map(request).collect();
    let completions = Engine::new(decoder.into(), EngineConfig::default())?
        .complete_requests(requests, &mut |_, _, _| ControlFlow::Continue(()))?;
    let sample = |(prompt, completion): (&String, Completion)| Sample {
        step,
        prompt: prompt.clone(),
        text: tokenizer.decode(completion.ids_before_stop()),
    };
    Ok(prompts.iter().zip(completions).map(sample).collect())
}
