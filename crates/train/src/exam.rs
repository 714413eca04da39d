//! Exams of a model's answers, which select the best checkpoint if the validation loss does not.

use std::path::{Path, PathBuf};

use crate::checkpoint::final_checkpoint;
use crate::{Examined, StageDir, Summary, TrainError};

/// Asks a model questions and judges its answers.
pub trait Exam<M> {
    /// Examines a model, without gradients, after step `step`.
    ///
    /// # Errors
    /// [`TrainError::Infer`] when the model cannot answer.
    fn examine(&self, model: &M, step: u64) -> Result<Examined, TrainError>;

    /// Examines the final checkpoint of the stage, before the stage is marked as finished. Returns numbers by name.
    ///
    /// # Errors
    /// As [`examine`](Self::examine), and when the checkpoint cannot be read or the answers cannot be written.
    fn examine_final(&self, checkpoint: &Path) -> Result<Vec<(String, f64)>, TrainError>;
}

/// Examines the final checkpoint of the stage; the results replace the numbers of the same name in its summary.
///
/// # Errors
/// As [`Exam::examine_final`].
pub fn examine_final<M>(
    exam: Option<&dyn Exam<M>>,
    stage: &StageDir,
    mut summary: Summary,
) -> Result<Summary, TrainError> {
    let Some(exam) = exam else { return Ok(summary) };
    let checkpoint: PathBuf =
        final_checkpoint(stage.files())?.unwrap_or_else(|| stage.path().join(&summary.checkpoint));
    summary.metrics.extend(exam.examine_final(&checkpoint)?);
    Ok(summary)
}
