//! Examinations of a model's answers, which decide which checkpoint is best where the validation loss does not.

use std::path::{Path, PathBuf};

use crate::checkpoint::left;
use crate::{StageDir, Summary, TrainError, TrainerState};

/// Asks a model, and judges what it answers.
pub trait Exam<M> {
    /// Examines a model, without gradients, after a step.
    ///
    /// # Errors
    /// [`TrainError::Infer`] when the model cannot answer.
    fn examine(&self, model: &M, step: u64) -> Result<Examined, TrainError>;

    /// Examines the checkpoint that the stage leaves, before the stage is declared finished; numbers by their names.
    ///
    /// # Errors
    /// As [`examine`](Self::examine), and when the checkpoint cannot be read or what was answered cannot be written.
    fn conclude(&self, checkpoint: &Path) -> Result<Vec<(String, f64)>, TrainError>;
}

/// Result of an examination.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examined {
    /// Score by which checkpoints are compared: higher is better.
    pub score: f64,
    /// Numbers for the log, by their names.
    pub numbers: Vec<(String, f64)>,
}

/// Examines the model of this step, where there is an exam: the state takes the score, the numbers are for the log.
///
/// # Errors
/// As [`Exam::examine`].
pub fn examine<M>(
    exam: Option<&dyn Exam<M>>,
    model: &M,
    state: &mut TrainerState,
) -> Result<Vec<(String, f64)>, TrainError> {
    let Some(exam) = exam else { return Ok(vec![]) };
    let Examined { score, numbers } = exam.examine(model, state.step)?;
    state.battery = Some(score);
    Ok(numbers)
}

/// Examines the checkpoint that the stage leaves, and lays what was found over the numbers of its summary.
///
/// # Errors
/// As [`Exam::conclude`].
pub fn conclude<M>(exam: Option<&dyn Exam<M>>, stage: &StageDir, mut summary: Summary) -> Result<Summary, TrainError> {
    let Some(exam) = exam else { return Ok(summary) };
    let checkpoint: PathBuf = left(stage.path())?.unwrap_or_else(|| stage.path().join(&summary.checkpoint));
    summary.metrics.extend(exam.conclude(&checkpoint)?);
    Ok(summary)
}
