//! The surroundings of a training stage.

use fireclay_tokenizer::Tokenizer;
use serde_json::Value;

use crate::{Interrupt, StageDir, TrainConfig};

/// The surroundings of a training stage, whatever it learns from.
pub struct StageRun<'a> {
    /// Training configuration.
    pub config: &'a TrainConfig,
    /// Settings beside `config` that must not change when the stage is resumed; `Null` where there are none.
    pub settings: Value,
    /// Saved with every checkpoint; turns samples into text.
    pub tokenizer: &'a Tokenizer,
    /// The folder that everything is written to.
    pub stage: &'a mut StageDir,
    /// Says when to save and leave early.
    pub interrupt: &'a Interrupt,
    /// No progress line.
    pub quiet: bool,
}
