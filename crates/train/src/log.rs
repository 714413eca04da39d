//! All outputs of a step: metrics, samples, `TensorBoard`, the progress line.

use crate::metrics::JsonLinesLog;
use crate::progress::Progress;
use crate::tensorboard::EventWriter;
use crate::{Sample, StageDir, StepMetrics, TrainError};

/// The logs of one stage.
#[derive(Debug)]
pub struct Log {
    metrics: JsonLinesLog,
    samples: JsonLinesLog,
    events: EventWriter,
    /// The progress line.
    pub progress: Progress,
}

impl Log {
    /// Opens the logs of a stage, truncated after the step `from` from which the run resumes.
    ///
    /// # Errors
    /// [`TrainError::Io`] when a file cannot be written.
    pub fn open(stage: &StageDir, from: Option<u64>, progress: Progress) -> Result<Self, TrainError> {
        Ok(Self {
            metrics: JsonLinesLog::open(stage.files().metrics(), from)?,
            samples: JsonLinesLog::open(stage.files().samples(), from)?,
            events: EventWriter::create(stage.path(), from)?,
            progress,
        })
    }

    /// Reports a step, or with step 0 the evaluation before the first.
    ///
    /// # Errors
    /// [`TrainError::Io`] when a file cannot be written.
    pub fn step(&mut self, line: &StepMetrics) -> Result<(), TrainError> {
        if line.step > 0 {
            self.progress.step(line);
        }
        self.metrics.write(line)?;
        self.events.step(line)
    }

    /// Stores samples, and shows them except those of the last step.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn samples(&mut self, samples: &[Sample]) -> Result<(), TrainError> {
        for sample in samples {
            self.progress.sample(sample);
            self.samples.write(sample)?;
        }
        Ok(())
    }
}
