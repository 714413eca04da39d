//! The stage `sft`: next-token prediction on conversations, of which the assistant's words count.

use anyhow::Result;
use fireclay_data::{ChatSource, chat_validation};
use fireclay_rlhf::{Sft, sft as train};
use fireclay_train::{Outcome, StageDir};

use super::context::Context;
use super::examples::{conversations, report, sample_tasks};
use crate::recipe::Stage;

/// Runs or resumes fine-tuning in `RUN/sft`.
///
/// # Errors
/// When there is no model to begin with, conversations are wrong, a checkpoint is damaged, training diverges, or the disk is full.
pub fn sft(context: &Context) -> Result<Outcome> {
    if let Some(summary) = context.done(Stage::Sft)? {
        return Ok(Outcome::Finished(summary));
    }
    context.check_chat_template(Stage::Sft)?;
    let section = &context.recipe.sft;
    let config = &section.train;
    let mut stage = StageDir::open(context.run.folder(Stage::Sft.name()))?;
    let decoder = context.decoder(Stage::Sft, section.data.lora.as_ref(), config.seed)?;
    let (train_set, validation_set) = conversations(&section.data)?;
    let mut source = ChatSource::new(&train_set, context.tokenizer, config.batch, config.context, config.seed)?;
    report("sft", source.skips(), train_set.len());
    let validation = chat_validation(&validation_set, context.tokenizer, config.batch, config.context)?;
    let prompts = sample_tasks(&section.data, &validation_set, context.tokenizer, config.context)?;
    let outcome = train(
        decoder,
        Sft {
            config,
            settings: serde_json::to_value(&section.data)?,
            source: &mut source,
            validation: &validation,
            prompts: &prompts,
            tokenizer: context.tokenizer,
            stage: &mut stage,
            interrupt: context.interrupt,
            quiet: context.quiet,
        },
    )?;
    Ok(outcome)
}
