//! Arguments that all training stages share.

use fireclay_tokenizer::Tokenizer;
use serde_json::Value;

use crate::{Interrupt, StageDir, TrainConfig};

/// Arguments that all training stages share.
pub struct StageRun<'a> {
    /// Training configuration.
    pub config: &'a TrainConfig,
    /// Further settings that must not change when the stage is resumed; `Null` if there are none.
    pub settings: Value,
    /// Saved with every checkpoint; turns samples into text.
    pub tokenizer: &'a Tokenizer,
    /// The folder that everything is written to.
    pub stage: &'a mut StageDir,
    /// Says when to save and exit early.
    pub interrupt: &'a Interrupt,
    /// Whether to show no progress line.
    pub quiet: bool,
}
