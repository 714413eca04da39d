//! The stage `sft`: next-token prediction on conversations, of which the assistant's words count.

use anyhow::Result;
use fireclay_data::chat::{ChatSource, EncodedChats, chat_validation};
use fireclay_data::examples::Conversation;
use fireclay_rlhf::{Sft, sft as train};
use fireclay_train::{Exam, Outcome, StageDir};

use super::battery::stage_battery;
use super::context::Context;
use super::examples::{conversations, held_out, report_chats, sample_tasks};
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
    let mut stage = StageDir::open(context.run.folder(Stage::Sft.name()))?.inheriting(&context.base(Stage::Sft)?);
    let decoder = context.decoder(Stage::Sft, section.adapters.lora.as_ref(), config)?;
    let (train_set, validation_set) = conversations(&section.data)?;
    let encode = |set: &[Conversation]| -> Result<EncodedChats> {
        let chats = EncodedChats::new(set, context.tokenizer, config.context)?;
        report_chats("sft", &chats, config.context);
        Ok(chats)
    };
    let mut source = ChatSource::new(encode(&train_set)?, config.batch, config.seed)?;
    let validation = held_out("sft", &validation_set, |set| Ok(chat_validation(&encode(set)?, config.batch)));
    let prompts = sample_tasks(&validation_set, context.tokenizer, config.context);
    let battery = stage_battery(context, Stage::Sft, config)?;
    let outcome = train(
        decoder,
        Sft {
            config,
            settings: context.settings(Stage::Sft, &section.adapters)?,
            source: &mut source,
            validation: &validation,
            battery: battery.as_ref().map(|battery| battery as &dyn Exam<_>),
            prompts: &prompts,
            tokenizer: context.tokenizer,
            stage: &mut stage,
            interrupt: context.interrupt,
            quiet: context.quiet,
        },
    )?;
    Ok(outcome)
}
