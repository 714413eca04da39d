//! The stages that learn from preferences: `reward`, `dpo` and `kto`.

use anyhow::Result;
use fireclay_data::chat::{EncodedPair, EncodedRating, Shuffled};
use fireclay_model::ScoreModel;
use fireclay_rlhf::{Preferring, RewardModel, RewardTraining, dpo as train_dpo, kto as train_kto, train_reward_model};
use fireclay_train::{Exam, Outcome, StageDir};

use super::battery::stage_battery;
use super::context::Context;
use super::examples::{pairs, ratings};
use crate::error::user;
use crate::recipe::Stage;

/// The reference set of a reward model's scale has at most this many answers.
const REFERENCE_ANSWERS: usize = 512;

/// Runs or resumes the training of a reward model in `RUN/reward`.
///
/// # Errors
/// When there is no model to begin with, preferences are wrong, a checkpoint is damaged, training diverges, or the disk is full.
pub fn reward(context: &Context) -> Result<Outcome> {
    if let Some(summary) = context.done(Stage::Reward)? {
        return Ok(Outcome::Finished(summary));
    }
    context.check_chat_template(Stage::Reward)?;
    let section = &context.recipe.reward;
    let config = &section.train;
    let mut stage = StageDir::open(context.run.folder(Stage::Reward.name()))?.inheriting(&context.base(Stage::Reward)?);
    let decoder = context.decoder(Stage::Reward, None, config)?;
    let (train_set, validation) = pairs(&section.data, context.tokenizer, config.context, Stage::Reward)?;
    let reference_set: Vec<Vec<u32>> =
        train_set.iter().flat_map(|pair| [&pair.chosen, &pair.rejected]).take(REFERENCE_ANSWERS).cloned().collect();
    let mut source = Shuffled::new("examples", train_set, config.batch, config.seed)?;
    // transformers reads a text's score before its padding, which must not be the token that the text ends with.
    let tokenizer = context.tokenizer.with_distinct_padding().ok_or_else(|| {
        user(
            "the tokenizer pads with the token that ends an answer, where others would read a reward model's score one \
             token early, and it has no other special token; add one and name it as `pad_token`",
        )
    })?;
    let outcome = train_reward_model(
        RewardModel::new(ScoreModel::new(decoder, config.seed)),
        RewardTraining {
            config,
            reward: &section.loss,
            settings: context.settings(Stage::Reward, &section.loss)?,
            source: &mut source,
            validation: &validation,
            reference_set: &reference_set,
            tokenizer: &tokenizer,
            stage: &mut stage,
            interrupt: context.interrupt,
            quiet: context.quiet,
        },
    )?;
    Ok(outcome)
}

/// Runs or resumes direct preference optimisation in `RUN/dpo`.
///
/// # Errors
/// As [`reward`].
pub fn dpo(context: &Context) -> Result<Outcome> {
    if let Some(summary) = context.done(Stage::Dpo)? {
        return Ok(Outcome::Finished(summary));
    }
    context.check_chat_template(Stage::Dpo)?;
    let section = &context.recipe.dpo;
    let config = &section.train;
    let mut stage = StageDir::open(context.run.folder(Stage::Dpo.name()))?.inheriting(&context.base(Stage::Dpo)?);
    let policy = context.decoder(Stage::Dpo, section.adapters.lora.as_ref(), config)?;
    let reference = policy.clone();
    let (train_set, validation) = pairs(&section.data, context.tokenizer, config.context, Stage::Dpo)?;
    let mut source = Shuffled::new("examples", train_set, config.batch, config.seed)?;
    let settings = context.settings(Stage::Dpo, &section.algorithm)?;
    let battery = stage_battery(context, Stage::Dpo, config)?;
    let run = Preferring::<EncodedPair> {
        config,
        settings,
        source: &mut source,
        validation: &validation,
        battery: battery.as_ref().map(|battery| battery as &dyn Exam<_>),
        sample: &|_, _| Ok(vec![]),
        tokenizer: context.tokenizer,
        stage: &mut stage,
        interrupt: context.interrupt,
        quiet: context.quiet,
    };
    Ok(train_dpo(policy, reference, &section.algorithm, run)?)
}

/// Runs or resumes Kahneman–Tversky optimisation in `RUN/kto`.
///
/// # Errors
/// As [`reward`].
pub fn kto(context: &Context) -> Result<Outcome> {
    if let Some(summary) = context.done(Stage::Kto)? {
        return Ok(Outcome::Finished(summary));
    }
    context.check_chat_template(Stage::Kto)?;
    let section = &context.recipe.kto;
    let config = &section.train;
    let mut stage = StageDir::open(context.run.folder(Stage::Kto.name()))?.inheriting(&context.base(Stage::Kto)?);
    let policy = context.decoder(Stage::Kto, section.adapters.lora.as_ref(), config)?;
    let reference = policy.clone();
    let (train_set, validation) = ratings(&section.data, context.tokenizer, config.context)?;
    let mut source = Shuffled::new("examples", train_set, config.batch, config.seed)?;
    let battery = stage_battery(context, Stage::Kto, config)?;
    let run = Preferring::<EncodedRating> {
        config,
        settings: context.settings(Stage::Kto, &section.algorithm)?,
        source: &mut source,
        validation: &validation,
        battery: battery.as_ref().map(|battery| battery as &dyn Exam<_>),
        sample: &|_, _| Ok(vec![]),
        tokenizer: context.tokenizer,
        stage: &mut stage,
        interrupt: context.interrupt,
        quiet: context.quiet,
    };
    Ok(train_kto(policy, reference, &section.algorithm, run)?)
}
