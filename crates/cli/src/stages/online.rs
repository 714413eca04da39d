//! The stages whose policy answers prompts: `reinforce`, `rloo`, `ppo` and `grpo`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fireclay_data::chat::Shuffled;
use fireclay_data::{PackedSource, ShardSet, Source, Split};
use fireclay_model::{Decoder, ScoreModel};
use fireclay_rlhf::rewards::{Correctness, LearnedReward, LengthPenalty, RepetitionPenalty, Unfinished, WeightedSum};
use fireclay_rlhf::{
    ActorCritic, Grpo, Online, PolicyGradient, Ppo, Reinforce, RewardModel, Rloo, RolloutConfig, online,
};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::{Exam, Outcome, StageDir, TrainConfig, Trainable};

use super::battery::stage_battery;
use super::context::Context;
use super::examples::tasks;
use crate::error::user;
use crate::model_dir;
use crate::recipe::{PromptData, Stage};

/// Answers that a reward model judges at once.
const JUDGED_AT_ONCE: usize = 64;

/// Runs or resumes an online stage in the folder of its name.
///
/// # Errors
/// When a model or reward model that it needs is missing, prompts are wrong, a checkpoint is damaged, training diverges, or the disk is full.
///
/// # Panics
/// When the stage is no online one.
pub fn policy_gradient(context: &Context, stage: Stage) -> Result<Outcome> {
    if let Some(summary) = context.done(stage)? {
        return Ok(Outcome::Finished(summary));
    }
    context.check_chat_template(stage)?;
    let recipe = context.recipe;
    match stage {
        Stage::Reinforce => {
            let section = &recipe.reinforce;
            let policy = context.decoder(stage, section.adapters.lora.as_ref(), &section.train)?;
            let mut algorithm = Reinforce::new(section.algorithm.clone());
            learn(context, stage, &section.train, &section.rollouts, policy.clone(), &policy, &mut algorithm)
        }
        Stage::Rloo => {
            let section = &recipe.rloo;
            let policy = context.decoder(stage, section.adapters.lora.as_ref(), &section.train)?;
            let mut algorithm = Rloo { config: section.algorithm.clone() };
            learn(context, stage, &section.train, &section.rollouts, policy.clone(), &policy, &mut algorithm)
        }
        Stage::Grpo => {
            let section = &recipe.grpo;
            let policy = context.decoder(stage, section.adapters.lora.as_ref(), &section.train)?;
            let mut algorithm = Grpo { config: section.algorithm.clone(), max_tokens: section.rollouts.max_tokens };
            learn(context, stage, &section.train, &section.rollouts, policy.clone(), &policy, &mut algorithm)
        }
        Stage::Ppo => ppo(context),
        other => panic!("{} is no online stage", other.name()),
    }
}

/// PPO has a critic, which begins as the reward model where there is one, and may mix pretraining text in.
fn ppo(context: &Context) -> Result<Outcome> {
    let section = &context.recipe.ppo;
    let config = &section.train;
    let policy = context.decoder(Stage::Ppo, section.adapters.lora.as_ref(), config)?;
    let critic = match has_reward_model(context, &section.data) {
        true => {
            let dir = reward_model_dir(context, &section.data)?;
            let RewardModel { model, scale } = RewardModel::load(&dir, context.device)?;
            check_context(&dir, &model, Stage::Ppo, config)?;
            // It predicts rewards, which are in units of the scores' deviation.
            model.in_units_of(scale.std)
        }
        false => ScoreModel::new(policy.merged(), config.seed),
    };
    let mut text = match section.algorithm.pretrain_coefficient {
        0.0 => None,
        _ => Some(pretraining_text(context, config)?),
    };
    let text = text.as_mut().map(|source| source as &mut dyn Source);
    let mut algorithm = Ppo::new(section.algorithm.clone(), text);
    let model = ActorCritic::new(policy.clone(), critic, section.algorithm.ema_decay > 0.0);
    learn(context, Stage::Ppo, config, &section.rollouts, model, &policy, &mut algorithm)
}

fn pretraining_text(context: &Context, config: &TrainConfig) -> Result<PackedSource> {
    let folder = context.run.folder("data");
    if !folder.exists() {
        return Err(user(format!(
            "{}: ppo.pretrain_coefficient mixes in pretraining text, and this run has none; set it to 0, or run the stage `pretrain` here",
            folder.display()
        )));
    }
    let shards = ShardSet::open(&folder, context.tokenizer)?;
    Ok(PackedSource::new(&shards, Split::Train, config.batch, config.context, config.seed)?)
}

fn learn<M: Trainable>(
    context: &Context,
    stage: Stage,
    config: &TrainConfig,
    rollouts: &RolloutConfig,
    model: M,
    reference: &Decoder,
    algorithm: &mut dyn PolicyGradient<M>,
) -> Result<Outcome> {
    let data = context.recipe.prompt_data(stage);
    let mut stage_dir = StageDir::open(context.run.folder(stage.name()))?.inheriting(&context.base(stage)?);
    let longest = config.context.checked_sub(rollouts.max_tokens).filter(|&longest| longest > 0).ok_or_else(|| {
        user(format!(
            "{name}.max_tokens = {} leaves no room for a prompt in {name}.context = {}; make one of them fit",
            rollouts.max_tokens,
            config.context,
            name = stage.name()
        ))
    })?;
    let reward = reward(context, stage, data)?;
    let (tasks, held_out) = tasks(data, context.tokenizer, longest, stage)?;
    let mut source = Shuffled::new("prompts", tasks, config.batch, config.seed)?;
    let battery = stage_battery(context, stage, config)?;
    let outcome = online(
        model,
        algorithm,
        Online {
            config,
            rollouts,
            settings: context.settings(stage, serde_json::json!({ "rewards": data.rewards }))?,
            reference,
            reward: &reward,
            source: &mut source,
            held_out: &held_out,
            battery: battery.as_ref().map(|battery| battery as &dyn Exam<_>),
            tokenizer: context.tokenizer,
            stage: &mut stage_dir,
            interrupt: context.interrupt,
            quiet: context.quiet,
        },
    )?;
    Ok(outcome)
}

/// The weighted sum that the recipe describes.
fn reward(context: &Context, stage: Stage, data: &PromptData) -> Result<WeightedSum> {
    let weights = &data.rewards;
    let mut sum = WeightedSum::new()
        .with(weights.correct, Correctness)
        .with(weights.unfinished, Unfinished)
        .with(weights.repetition, RepetitionPenalty { n: weights.repetition_run })
        .with(weights.length, LengthPenalty { most: weights.most_tokens });
    if weights.learned != 0.0 {
        let dir = reward_model_dir(context, data).map_err(|error| {
            user(format!(
                "the stage `{name}` needs a reward model: {error}; or set {name}.rewards.learned = 0",
                name = stage.name()
            ))
        })?;
        check_same_tokenizer(&dir, context.tokenizer)?;
        let model = RewardModel::load(&dir, context.device)?;
        let (_, config) = context.recipe.training().into_iter().find(|(one, _)| *one == stage).expect("it trains");
        check_context(&dir, &model.model, stage, config)?;
        sum = sum.with(weights.learned, LearnedReward { model, batch: JUDGED_AT_ONCE });
    }
    if sum.is_empty() {
        return Err(user(format!("{}.rewards: every weight is 0; give at least one another number", stage.name())));
    }
    Ok(sum)
}

/// Whether the recipe names a reward model, or this run has one.
fn has_reward_model(context: &Context, data: &PromptData) -> bool {
    data.rewards.model.is_some() || context.run.folder(Stage::Reward.name()).join("DONE").exists()
}

/// The folder of the reward model: the recipe's, or that of this run's stage `reward`.
fn reward_model_dir(context: &Context, data: &PromptData) -> Result<PathBuf> {
    if let Some(path) = &data.rewards.model {
        return model_dir::resolve_reward(Path::new(path));
    }
    let folder = context.run.folder(Stage::Reward.name());
    if !folder.join("DONE").exists() {
        return Err(user(format!("{}: the stage `reward` is not finished; run it first", folder.display())));
    }
    model_dir::resolve(&folder)
}

/// A reward model reads prompts and answers whole.
fn check_context(dir: &Path, model: &ScoreModel, stage: Stage, config: &TrainConfig) -> Result<()> {
    let longest = model.config().context;
    if config.context <= longest {
        return Ok(());
    }
    Err(user(format!(
        "{name}.context = {} is longer than that of the reward model {}, {longest}; set {name}.context = {longest} or less",
        config.context,
        dir.display(),
        name = stage.name()
    )))
}

/// A reward model reads ids: another tokenizer's mean other words.
fn check_same_tokenizer(dir: &Path, tokenizer: &Tokenizer) -> Result<()> {
    let other = Tokenizer::load(dir)?;
    match other.hash() == tokenizer.hash() {
        true => Ok(()),
        false => Err(user(format!(
            "{}: this reward model has another tokenizer than the policy; train one on this policy's tokenizer (the stage `reward`)",
            dir.display()
        ))),
    }
}
