//! The rewards of an online stage: a weighted sum, with a reward model in it if the recipe says so.

use std::path::Path;

use anyhow::Result;
use fireclay_model::ScoreModel;
use fireclay_rlhf::RewardModel;
use fireclay_rlhf::rewards::WeightedSum;
use fireclay_tokenizer::Tokenizer;
use fireclay_train::TrainConfig;

use super::{Context, Stage};
use crate::error::user;
use crate::recipe::PromptData;

/// The weighted sum that the recipe describes.
///
/// # Errors
/// When every weight is 0, or the reward model is missing, has another tokenizer or a shorter context.
pub fn reward(context: &Context, data: &PromptData, config: &TrainConfig) -> Result<WeightedSum> {
    let (weights, name) = (&data.rewards, context.stage.name());
    let mut judge = None;
    if weights.learned != 0.0 {
        let dir = context.reward_model_dir(data).map_err(|error| {
            user(format!("the stage `{name}` needs a reward model: {error}; or set {name}.rewards.learned = 0"))
        })?;
        check_same_tokenizer(&dir, context.tokenizer)?;
        let model = RewardModel::load(&dir, context.device)?;
        check_context(context, &dir, &model.model, config)?;
        judge = Some(model);
    }
    let sum = weights.sum(judge);
    if sum.is_empty() {
        return Err(user(format!("{name}.rewards: every weight is 0; give at least one another number")));
    }
    Ok(sum)
}

/// Whether the recipe names a reward model, or this run has one.
#[must_use]
pub fn has_reward_model(context: &Context, data: &PromptData) -> bool {
    data.rewards.model.is_some() || context.run.stage(Stage::Reward).is_done()
}

/// Checks that a reward model can read whole prompts and answers.
///
/// # Errors
/// When its context is shorter than the stage's.
pub fn check_context(context: &Context, dir: &Path, model: &ScoreModel, config: &TrainConfig) -> Result<()> {
    let longest = model.config().context;
    if config.context <= longest {
        return Ok(());
    }
    Err(user(format!(
        "{name}.context = {} is longer than that of the reward model {}, {longest}; set {name}.context = {longest} or \
         less",
        config.context,
        dir.display(),
        name = context.stage.name()
    )))
}

/// Checks that the tokenizers are equal, because a reward model reads ids.
fn check_same_tokenizer(dir: &Path, tokenizer: &Tokenizer) -> Result<()> {
    let other = Tokenizer::load(dir)?;
    match other.hash() == tokenizer.hash() {
        true => Ok(()),
        false => Err(user(format!(
            "{}: this reward model has another tokenizer than the policy; train one on this policy's tokenizer (the \
             stage `reward`)",
            dir.display()
        ))),
    }
}
