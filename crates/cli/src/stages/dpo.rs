//! The stage `dpo`: direct preference optimisation on pairs.

use anyhow::Result;
use fireclay_data::chat::Shuffled;
use fireclay_model::LoraConfig;
use fireclay_rlhf::{DpoConfig, PreferenceTraining, dpo};
use fireclay_train::{Exam, Outcome, StageRun, TrainConfig};
use serde_json::{Value, json};

use super::battery::stage_battery;
use super::examples::pairs;
use super::section::{fine_tuning, stage_section};
use super::{Context, LearnsFrom, Load, TrainingStage};
use crate::recipe::{Adapters, PreferenceData};

stage_section!(
    /// `[dpo]`
    DpoSection {
        train: fine_tuning(1e-5, 200, 8),
        /// The loss.
        algorithm: DpoConfig,
        /// Low-rank adapters.
        adapters: Adapters,
        /// Pairs.
        data: PreferenceData,
    }
);

impl TrainingStage for DpoSection {
    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn learns_from(&self) -> LearnsFrom<'_> {
        LearnsFrom::Pairs(&self.data)
    }

    fn lora(&self) -> Option<&LoraConfig> {
        self.adapters.lora.as_ref()
    }

    fn settings(&self) -> Value {
        json!(self.algorithm)
    }

    fn validate(&self, name: &str, _runs: bool) -> Result<(), String> {
        self.algorithm.validate().map_err(|error| format!("{name}.{error}"))
    }

    fn paths(&mut self) -> Vec<&mut String> {
        self.data.data.iter_mut().collect()
    }

    /// The reference reads both answers too, forwards only.
    fn load(&self) -> Load {
        let (answers, computed) = (2 * self.train.batch, 3 * self.train.batch);
        Load { consumed: answers, computed, at_once: answers, models_beside: 1, trained_beside: 0 }
    }

    fn remedy(&self, name: &str) -> String {
        format!("lower {name}.learning_rate, raise {name}.beta, or make fewer steps")
    }

    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let config = &self.train;
        let policy = context.decoder(self.adapters.lora.as_ref(), config)?;
        let reference = policy.clone();
        let (train_set, validation) = pairs(&self.data, context.tokenizer, config.context, context.stage)?;
        let mut source = Shuffled::new("examples", train_set, config.batch, config.seed)?;
        let battery = stage_battery(context, config)?;
        let battery = battery.as_ref().map(|battery| battery as &dyn Exam<_>);
        let training = PreferenceTraining { run, source: &mut source, validation: &validation, battery };
        Ok(dpo(policy, reference, &self.algorithm, training)?)
    }
}
