//! The stage `reward`: a model of preferences, which judges the answers of later stages.

use anyhow::Result;
use fireclay_data::chat::Shuffled;
use fireclay_model::ScoreModel;
use fireclay_rlhf::{RewardConfig, RewardModel, RewardTraining, train_reward_model};
use fireclay_train::{Outcome, StageRun, StepLoad, TrainConfig};
use serde_json::{Value, json};

use super::examples::pairs;
use super::section::{fine_tuning, stage_section};
use super::{Context, LearnsFrom, TrainingStage};
use crate::error::user;
use crate::recipe::PreferenceData;

/// Largest number of answers in the reference set of a reward model's scale.
const REFERENCE_ANSWERS: usize = 512;

stage_section!(
    /// `[reward]`
    RewardSection {
        train: fine_tuning(5e-5, 200, 16),
        /// The loss.
        loss: RewardConfig,
        /// Pairs.
        data: PreferenceData,
    }
);

impl TrainingStage for RewardSection {
    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn learns_from(&self) -> LearnsFrom<'_> {
        LearnsFrom::Pairs(&self.data)
    }

    fn settings(&self) -> Value {
        json!(self.loss)
    }

    fn validate(&self, name: &str, _runs: bool) -> Result<(), String> {
        self.loss.validate().map_err(|error| format!("{name}.{error}"))
    }

    fn paths(&mut self) -> Vec<&mut String> {
        self.data.data.iter_mut().collect()
    }

    /// Both answers of each pair are scored.
    fn load(&self) -> StepLoad {
        let answers = 2 * self.train.batch;
        StepLoad { consumed: answers, computed: answers, at_once: answers, ..StepLoad::of_batches(&self.train) }
    }

    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let config = &self.train;
        let decoder = context.decoder(None, config)?;
        let (train_set, validation) = pairs(&self.data, context.tokenizer, config.context, context.stage)?;
        let answers = train_set.iter().flat_map(|pair| [&pair.chosen, &pair.rejected]);
        let reference_set: Vec<Vec<u32>> = answers.take(REFERENCE_ANSWERS).cloned().collect();
        let mut source = Shuffled::new("examples", train_set, config.batch, config.seed)?;
        // transformers reads a text's score before its padding, which must not be the token that the text ends with.
        let tokenizer = context.tokenizer.with_distinct_padding().ok_or_else(|| {
            user(
                "the tokenizer pads with the token that ends an answer, where others would read a reward model's score \
                 one token early, and it has no other special token; add one and name it as `pad_token`",
            )
        })?;
        let model = RewardModel::new(ScoreModel::new(decoder, config.seed));
        let training = RewardTraining {
            run: StageRun { tokenizer: &tokenizer, ..run },
            reward: &self.loss,
            source: &mut source,
            validation: &validation,
            reference_set: &reference_set,
        };
        Ok(train_reward_model(model, training)?)
    }
}
