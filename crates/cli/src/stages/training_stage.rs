//! The trait of a stage that trains a network.

use anyhow::Result;
use fireclay_model::LoraConfig;
use fireclay_rlhf::RolloutConfig;
use fireclay_train::metrics::names;
use fireclay_train::{Outcome, StageRun, StepLoad, Summary, TrainConfig};
use serde_json::Value;

use super::{Context, LearnsFrom};

/// A stage that trains a network, implemented by its section of the recipe. With its row in the [table](super::table)
/// this is everything that the program needs to know about a stage.
pub trait TrainingStage {
    /// The keys that all training stages share.
    fn train(&self) -> &TrainConfig;

    /// The examples from which it learns.
    fn learns_from(&self) -> LearnsFrom<'_>;

    /// The stage's own settings as a JSON object, which must not change when it is resumed; `Null` if it has none.
    fn settings(&self) -> Value {
        Value::Null
    }

    /// Whether it begins with a model that another stage left: that model, and the battery that compares the two, must
    /// not change either when it is resumed.
    fn begins_with_model(&self) -> bool {
        true
    }

    /// Runs or resumes the stage in its folder, which is open and has no `DONE`.
    ///
    /// # Errors
    /// When there is no model to begin with, examples are wrong, a checkpoint is damaged, training
    /// diverges, or the disk is full.
    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome>;

    /// Checks the stage's own numbers; shared keys and examples are checked for all stages. `name` is the stage's name,
    /// `runs` says whether the recipe runs it.
    ///
    /// # Errors
    /// Key, value and its valid range.
    fn validate(&self, _name: &str, _runs: bool) -> Result<(), String> {
        Ok(())
    }

    /// Paths among its keys, which are made absolute.
    fn paths(&mut self) -> Vec<&mut String> {
        vec![]
    }

    /// Whether a key may change when the stage is resumed, because no step's result depends on it.
    fn is_free(&self, key: &str) -> bool {
        TrainConfig::is_free(key)
    }

    /// Work and memory of a step, for the plan.
    fn load(&self) -> StepLoad {
        StepLoad::of_batches(self.train())
    }

    /// The adapters that it trains, if it does not train the weights themselves.
    fn lora(&self) -> Option<&LoraConfig> {
        None
    }

    /// Configuration of rollouts, if its policy answers prompts.
    fn rollouts(&self) -> Option<&RolloutConfig> {
        None
    }

    /// Results of a finished stage, in a few words each.
    fn reached(&self, summary: &Summary) -> Vec<String> {
        reached(summary)
    }

    /// Remedy for a stage of this `name` that made the model worse.
    fn remedy(&self, name: &str) -> String {
        format!("lower {name}.learning_rate, make fewer steps, or give it more to learn from")
    }
}

/// The validation loss, and the share of held-out pairs that are ranked correctly, if there are any.
#[must_use]
pub fn reached(summary: &Summary) -> Vec<String> {
    let loss = match (summary.val_loss, summary.val_bits_per_byte) {
        (Some(loss), Some(bits)) => Some(format!("validation loss {loss:.4} ({bits:.3} bits per byte)")),
        (Some(loss), None) => Some(format!("validation loss {loss:.4}")),
        _ => None,
    };
    let accuracy = percent(summary, names::ACCURACY).map(|share| format!("accuracy {share} on held-out pairs"));
    loss.into_iter().chain(accuracy).collect()
}

/// A metric of the last evaluation that is a share.
#[must_use]
pub fn percent(summary: &Summary, metric: &str) -> Option<String> {
    summary.metrics.get(metric).map(|share| format!("{:.1} %", 100.0 * share))
}
