//! The stage `kto`: Kahneman–Tversky optimisation on answers that are each good or bad.

use anyhow::Result;
use fireclay_data::chat::Shuffled;
use fireclay_model::LoraConfig;
use fireclay_rlhf::{KtoConfig, PreferenceTraining, kto};
use fireclay_train::{Exam, Outcome, StageRun, TrainConfig};
use serde_json::{Value, json};

use super::battery::stage_battery;
use super::examples::ratings;
use super::section::{fine_tuning, stage_section};
use super::{Context, LearnsFrom, Load, TrainingStage};
use crate::recipe::{Adapters, PreferenceData};

stage_section!(
    /// `[kto]`
    KtoSection {
        train: fine_tuning(1e-5, 200, 16),
        /// The loss.
        algorithm: KtoConfig,
        /// Low-rank adapters.
        adapters: Adapters,
        /// Ratings, or pairs that give two each.
        data: PreferenceData,
    }
);

impl TrainingStage for KtoSection {
    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn learns_from(&self) -> LearnsFrom<'_> {
        LearnsFrom::Ratings(&self.data)
    }

    fn lora(&self) -> Option<&LoraConfig> {
        self.adapters.lora.as_ref()
    }

    fn settings(&self) -> Value {
        json!(self.algorithm)
    }

    fn validate(&self, name: &str, runs: bool) -> Result<(), String> {
        if self.train.batch == 1 && runs {
            return Err(format!(
                "{name}.batch = 1: {name} compares a prompt with the answers to others; give 2 or more"
            ));
        }
        self.algorithm.validate().map_err(|error| format!("{name}.{error}"))
    }

    fn paths(&mut self) -> Vec<&mut String> {
        self.data.data.iter_mut().collect()
    }

    /// Policy and reference also read each prompt with another's answer, forwards only.
    fn load(&self) -> Load {
        let (batch, computed) = (self.train.batch, 2 * self.train.batch);
        Load { consumed: batch, computed, at_once: batch, models_beside: 1, trained_beside: 0 }
    }

    fn remedy(&self, name: &str) -> String {
        format!("lower {name}.learning_rate, raise {name}.beta, or make fewer steps")
    }

    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let config = &self.train;
        let policy = context.decoder(self.adapters.lora.as_ref(), config)?;
        let reference = policy.clone();
        let (train_set, validation) = ratings(&self.data, context.tokenizer, config.context, context.stage)?;
        let mut source = Shuffled::new("examples", train_set, config.batch, config.seed)?;
        let battery = stage_battery(context, config)?;
        let battery = battery.as_ref().map(|battery| battery as &dyn Exam<_>);
        let training = PreferenceTraining { run, source: &mut source, validation: &validation, battery };
        Ok(kto(policy, reference, &self.algorithm, training)?)
    }
}
