//! Supervised fine-tuning: next-token prediction on conversations, with a loss only on the assistant's turns.
//!
//! Conversations are packed into rows in which they do not see each other ([`ChatSource`]); the loop and the loss are
//! those of pretraining.

use fireclay_data::Batch;
use fireclay_data::chat::{ChatSource, EncodedTask};
use fireclay_model::Decoder;
use fireclay_tokenizer::Tokenizer;
use fireclay_train::metrics::names;
use fireclay_train::{
    Exam, Fit, NextToken, Outcome, Sample, StageRun, TrainConfig, TrainError, check_fit, evaluate_objective, fit,
};

use crate::rollout::{RolloutConfig, rollout};

/// Arguments of [`sft`] beside the decoder, which may have adapters.
pub struct Sft<'a> {
    /// Settings, folder, interrupt.
    pub run: StageRun<'a>,
    /// Conversations to learn from.
    pub source: &'a mut ChatSource,
    /// Conversations that are never learned from.
    pub validation: &'a [Batch],
    /// Selects the best checkpoint; `None`: the validation loss does.
    pub battery: Option<&'a dyn Exam<Decoder>>,
    /// Prompts of samples.
    pub prompts: &'a [EncodedTask],
}

/// Fine-tunes `decoder`, or resumes exactly; see [`fit()`].
///
/// # Errors
/// [`TrainError`] when the settings do not fit the model or the checkpoint, the disk fails, or losses stay non-finite.
pub fn sft(decoder: Decoder, sft: Sft<'_>) -> Result<Outcome, TrainError> {
    let Sft { run, source, validation, battery, prompts } = sft;
    let (config, tokenizer) = (run.config, run.tokenizer);
    config.validate()?;
    check_fit(config, &decoder, tokenizer)?;
    fit(
        decoder,
        Fit {
            run,
            objective: &NextToken,
            source,
            evaluate: &|decoder| {
                let batches = validation.iter().take(limit(config)).cloned();
                Ok((!validation.is_empty()).then(|| evaluate_objective(decoder, &NextToken, batches)))
            },
            exam: battery,
            sample: &|decoder, step| answers(decoder, prompts, tokenizer, config, step),
            finish: &Ok,
            shows: &[names::BATTERY],
        },
    )
}

/// Number of batches of an evaluation.
pub(crate) fn limit(config: &TrainConfig) -> usize {
    if config.eval_batches == 0 { usize::MAX } else { config.eval_batches }
}

/// Answers of a decoder, without gradients, to prompts at temperature 0.8, as samples.
///
/// # Errors
/// [`TrainError::Infer`] when a prompt does not fit the context.
pub fn answers(
    decoder: &Decoder,
    prompts: &[EncodedTask],
    tokenizer: &Tokenizer,
    config: &TrainConfig,
    step: u64,
) -> Result<Vec<Sample>, TrainError> {
    if prompts.is_empty() {
        return Ok(vec![]);
    }
    let asking = RolloutConfig { max_tokens: config.sample_tokens, temperature: 0.8, ..RolloutConfig::default() };
    let groups = rollout(decoder, prompts, tokenizer, &asking, config.seed, step)?;
    Ok(groups.iter().map(|group| crate::online::sample(group, step)).collect())
}
