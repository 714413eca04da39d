//! The stages of a recipe, each reading what the one before left in the run directory.

mod context;
mod corpus;
mod battery;
mod tokenizer;
mod pretrain;
mod sft;
mod preferences;
mod online;
pub mod examples;

use anyhow::Result;
use fireclay_train::Outcome;

pub use battery::verdict;
pub use context::Context;
pub use corpus::{describe_data, embedded};
pub use tokenizer::{at_its_moment, tokenizer, vocab_size};

use crate::recipe::Stage;

/// Runs or resumes a stage that trains; one that is done already is only told of.
///
/// # Errors
/// When what it needs is missing, its data is wrong, a checkpoint is damaged, training diverges, or the disk is full.
///
/// # Panics
/// When the stage is the tokenizer's, which trains no network.
pub fn train(context: &Context, stage: Stage) -> Result<Outcome> {
    match stage {
        Stage::Tokenizer => panic!("the tokenizer is trained before any network"),
        Stage::Pretrain => pretrain::pretrain(context),
        Stage::Sft => sft::sft(context),
        Stage::Reward => preferences::reward(context),
        Stage::Dpo => preferences::dpo(context),
        Stage::Kto => preferences::kto(context),
        Stage::Reinforce | Stage::Rloo | Stage::Ppo | Stage::Grpo => online::policy_gradient(context, stage),
    }
}
