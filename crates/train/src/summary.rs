//! Outcome and summary of a stage.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Best, Measured, StageFiles, TrainerState};

/// Outcome of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All steps are done; the stage is marked as done.
    Finished(Summary),
    /// An interrupt was requested, and the state was saved. The next run resumes from it.
    Interrupted(Summary),
}

/// Summary of a stage. [`DONE`](crate::StageFiles::summary) holds it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps made.
    pub step: u64,
    /// Tokens consumed.
    pub tokens: u64,
    /// Seconds spent, over all runs.
    pub seconds: f64,
    /// Loss on the validation split at the last evaluation, nats a token.
    pub val_loss: Option<f64>,
    /// The same in bits per byte of text.
    pub val_bits_per_byte: Option<f64>,
    /// The other numbers of the last evaluation.
    #[serde(default)]
    pub metrics: std::collections::BTreeMap<String, f64>,
    /// The best checkpoint, and its measure.
    pub best: Option<Best>,
    /// Steps skipped because something was not finite.
    pub skipped: u64,
    /// The newest checkpoint, relative to the stage's folder.
    pub checkpoint: PathBuf,
}

impl Summary {
    /// Summary of a stage in which `last` was measured last.
    #[must_use]
    pub fn new(state: &TrainerState, last: Measured) -> Self {
        let Measured { val_loss, val_bits_per_byte, metrics, .. } = last;
        Self {
            step: state.step,
            tokens: state.tokens,
            seconds: state.seconds,
            val_loss: val_loss.or(state.val_loss),
            val_bits_per_byte,
            metrics,
            best: state.best,
            skipped: state.skipped,
            checkpoint: StageFiles::new("").checkpoint(state.step),
        }
    }
}
