//! The stage `ppo`: proximal policy optimisation, with a critic and optional pretraining text.

use anyhow::Result;
use fireclay_data::{PackedSource, ShardSet, Source, Split};
use fireclay_model::ScoreModel;
use fireclay_rlhf::{ActorCritic, Ppo, PpoConfig, RewardModel};
use fireclay_train::{Outcome, StageRun, TrainConfig, TrainError};

use super::Context;
use super::online::{OnlineAlgorithm, OnlineSection};
use super::rewards::{check_context, has_reward_model};
use crate::error::user;

/// `[ppo]`
pub type PpoSection = OnlineSection<PpoConfig>;

impl OnlineAlgorithm for PpoConfig {
    const PROMPTS: usize = 32;
    const COMPARES_ANSWERS: bool = false;
    const HAS_CRITIC: bool = true;

    fn validate(&self) -> Result<(), TrainError> {
        self.validate()
    }

    fn epochs(&self) -> u64 {
        self.epochs
    }

    fn minibatch(&self) -> usize {
        self.minibatch
    }

    fn run(section: &OnlineSection<Self>, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let config = &section.train;
        let policy = section.policy(context)?;
        let critic = match has_reward_model(context, &section.data) {
            true => {
                let dir = context.reward_model_dir(&section.data)?;
                let RewardModel { model, scale } = RewardModel::load(&dir, context.device)?;
                check_context(context, &dir, &model, config)?;
                // It predicts rewards, which are in units of the scores' standard deviation.
                model.divided_by(scale.std)
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
        section.learn(context, run, model, &policy, &mut algorithm)
    }
}

fn pretraining_text(context: &Context, config: &TrainConfig) -> Result<PackedSource> {
    let folder = context.run.files().data();
    if !folder.exists() {
        return Err(user(format!(
            "{}: ppo.pretrain_coefficient mixes in pretraining text, and this run has none; set it to 0, or run the \
             stage `pretrain` here",
            folder.display()
        )));
    }
    let shards = ShardSet::open(&folder, context.tokenizer)?;
    Ok(PackedSource::new(&shards, Split::Train, config.batch, config.context, config.seed)?)
}
