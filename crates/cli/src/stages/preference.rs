//! The section of `dpo` and `kto`, the stages that learn from judged answers. Each adds a loss in a
//! separate file.

use anyhow::Result;
use fireclay_data::chat::Shuffled;
use fireclay_model::{Decoder, LoraConfig};
use fireclay_rlhf::PreferenceTraining;
use fireclay_tokenizer::Tokenizer;
use fireclay_train::{Exam, Outcome, StageRun, StepLoad, TrainConfig, TrainError};
use serde::Serialize;
use serde_json::{Value, json};

use super::battery::stage_battery;
use super::section::{fine_tuning, stage_section};
use super::{Context, LearnsFrom, Stage, TrainingStage};
use crate::recipe::{Adapters, Part, PreferenceData};

stage_section!(
    /// The section of a stage that learns from judged answers, by the configuration of its loss.
    PreferenceSection<L: PreferenceLoss> {
        train: fine_tuning(1e-5, 200, L::BATCH),
        /// The loss.
        loss: L,
        /// Low-rank adapters.
        adapters: Adapters,
        /// Judged answers.
        data: PreferenceData,
    }
);

/// A loss on judged answers, implemented by its configuration.
pub trait PreferenceLoss: Part {
    /// Default number of examples of a step.
    const BATCH: usize;
    /// Smallest number of examples of a step.
    const SMALLEST_BATCH: usize;

    /// Checks that every number is valid.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first invalid key.
    fn validate(&self) -> Result<(), TrainError>;

    /// The kind of examples that `data` describes.
    fn learns_from(data: &PreferenceData) -> LearnsFrom<'_>;

    /// Work and memory of a step of `batch` examples.
    fn load(batch: usize) -> StepLoad;

    /// Trains with this loss; see [`PreferenceSection::learn`].
    ///
    /// # Errors
    /// As [`TrainingStage::run`].
    fn run(section: &PreferenceSection<Self>, context: &Context, run: StageRun<'_>) -> Result<Outcome>;
}

impl<L: PreferenceLoss> TrainingStage for PreferenceSection<L> {
    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn learns_from(&self) -> LearnsFrom<'_> {
        L::learns_from(&self.data)
    }

    fn lora(&self) -> Option<&LoraConfig> {
        self.adapters.lora.as_ref()
    }

    fn settings(&self) -> Value {
        json!(self.loss)
    }

    fn validate(&self, name: &str, runs: bool) -> Result<(), String> {
        let (batch, smallest) = (self.train.batch, L::SMALLEST_BATCH);
        if batch < smallest && runs {
            return Err(format!(
                "{name}.batch = {batch}: {name} compares a prompt with the answers to others; give {smallest} or more"
            ));
        }
        self.loss.validate().map_err(|error| format!("{name}.{error}"))
    }

    fn paths(&mut self) -> Vec<&mut String> {
        self.data.data.iter_mut().collect()
    }

    fn load(&self) -> StepLoad {
        L::load(self.train.batch)
    }

    fn remedy(&self, name: &str) -> String {
        format!("lower {name}.learning_rate, raise {name}.beta, or make fewer steps")
    }

    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        L::run(self, context, run)
    }
}

/// Training and validation examples of a section, of at most the given number of tokens.
type Examples<T> = fn(&PreferenceData, &Tokenizer, usize, Stage) -> Result<(Vec<T>, Vec<T>)>;

impl<L: PreferenceLoss> PreferenceSection<L> {
    /// Calls `train` with the starting model twice, as the policy and as its reference, and with the examples.
    ///
    /// # Errors
    /// When there is no model, examples are wrong, or training fails.
    pub fn learn<T: Clone + Send + Serialize>(
        &self,
        context: &Context,
        run: StageRun<'_>,
        examples: Examples<T>,
        train: impl FnOnce(Decoder, Decoder, PreferenceTraining<'_, T>) -> Result<Outcome, TrainError>,
    ) -> Result<Outcome> {
        let config = &self.train;
        let policy = context.decoder(self.lora(), config)?;
        let reference = policy.clone();
        let (train_set, validation) = examples(&self.data, context.tokenizer, config.context, context.stage)?;
        let mut source = Shuffled::new("examples", train_set, config.batch, config.seed)?;
        let battery = stage_battery(context, config)?;
        let battery = battery.as_ref().map(|battery| battery as &dyn Exam<_>);
        let training = PreferenceTraining { run, source: &mut source, validation: &validation, battery };
        Ok(train(policy, reference, training)?)
    }
}
