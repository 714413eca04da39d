//! The stages of a recipe. Each reads the output of earlier ones in the run directory.
//!
//! A stage is a row of the [`table`] and a section of the recipe that implements [`TrainingStage`]; everything else
//! about stages is derived from these two. `docs/add-a-stage.md` is a guide.

pub mod table;
mod learns_from;
mod training_stage;
mod section;
mod context;
mod settings;
mod corpus;
mod documents;
mod mixture;
mod battery;
mod lengths;
mod verdict;
mod tokenizer;
mod pretrain;
mod sft;
mod reward;
mod preference;
mod dpo;
mod kto;
mod online;
mod rewards;
mod reinforce;
mod rloo;
mod grpo;
mod ppo;
pub mod examples;
#[cfg(test)]
mod motto;
#[cfg(test)]
mod toy;

use anyhow::Result;
use fireclay_train::{Outcome, StageDir, StageRun, Summary};

pub use battery::verdict;
pub use context::Context;
pub use corpus::describe_data;
pub use documents::embedded;
pub use dpo::DpoSection;
pub use grpo::GrpoSection;
pub use kto::KtoSection;
pub use learns_from::LearnsFrom;
pub use mixture::train_documents as mixed_documents;
#[cfg(test)]
pub use motto::MottoSection;
pub use ppo::PpoSection;
pub use pretrain::PretrainSection;
pub use reinforce::ReinforceSection;
pub use reward::RewardSection;
pub use rloo::RlooSection;
pub use sft::SftSection;
pub use table::{Leaves, Stage};
pub use tokenizer::{tokenizer, vocab_size, with_start_time};
pub use training_stage::TrainingStage;
pub use verdict::keeps_start;

/// Runs or resumes a stage in the folder of its name; a finished one is only reported.
///
/// # Errors
/// As [`TrainingStage::run`], and when another run works in the folder.
pub fn train(context: &Context, training: &dyn TrainingStage) -> Result<Outcome> {
    let files = context.run.stage(context.stage);
    if let Some(summary) = files.summary::<Summary>()?.filter(|done| done.step >= training.train().steps) {
        return Ok(Outcome::Finished(summary));
    }
    if !training.learns_from().is_text() {
        context.check_chat_template()?;
    }
    // Locked before anything is read, so that a second run in the same folder is refused at once.
    let mut stage = StageDir::open(files.folder())?;
    if training.begins_with_model() {
        stage = stage.with_sampling(&context.recipe.chat.sampling()).inheriting(&context.base()?);
    }
    let run = StageRun {
        config: training.train(),
        settings: settings::settings(context, training)?,
        tokenizer: context.tokenizer,
        stage: &mut stage,
        interrupt: context.interrupt,
        quiet: context.quiet,
    };
    let outcome = training.run(context, run);
    context.interrupt.set_saving(false);
    outcome
}
