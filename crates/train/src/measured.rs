//! Results of measuring a model at one step.

use std::collections::BTreeMap;

use crate::metrics::names::validation;
use crate::{Evaluation, StepMetrics};

/// Result of an examination.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examined {
    /// Score by which checkpoints are compared: higher is better.
    pub score: f64,
    /// Numbers for the log, by their names.
    pub numbers: Vec<(String, f64)>,
}

/// Results of evaluation and exam at one step: numbers for the log and for the summary of the stage, and the scores by
/// which checkpoints are compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Loss on the validation split; of next tokens, nats a token.
    pub val_loss: Option<f64>,
    /// The same in bits per byte of text.
    pub val_bits_per_byte: Option<f64>,
    /// The other numbers, by their names in the log.
    pub logged: Vec<(String, f64)>,
    /// The other numbers, by their names in the summary.
    pub metrics: BTreeMap<String, f64>,
    /// Score of the exam: higher is better.
    pub score: Option<f64>,
}

impl Measured {
    /// Numbers that have the same names in log and summary.
    #[must_use]
    pub fn numbers(numbers: Vec<(String, f64)>) -> Self {
        Self { metrics: numbers.iter().cloned().collect(), logged: numbers, ..Self::default() }
    }

    /// An evaluation, if there was one: its numbers are logged as `val_NAME`.
    #[must_use]
    pub fn evaluation(evaluation: Option<Evaluation>) -> Self {
        let Some(Evaluation { loss, bits_per_byte, metrics, .. }) = evaluation else { return Self::default() };
        let logged = metrics.iter().map(|(name, &value)| (validation(name), value)).collect();
        Self { val_loss: Some(loss), val_bits_per_byte: bits_per_byte, logged, metrics, score: None }
    }

    /// Adds the results of an exam, if there was one.
    #[must_use]
    pub fn with_exam(mut self, examined: Option<Examined>) -> Self {
        let Some(Examined { score, numbers }) = examined else { return self };
        self.metrics.extend(numbers.iter().cloned());
        self.logged.extend(numbers);
        Self { score: Some(score), ..self }
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.val_loss.is_none() && self.score.is_none() && self.logged.is_empty()
    }

    /// Adds the results to a line of metrics.
    #[must_use]
    pub fn on(&self, mut line: StepMetrics) -> StepMetrics {
        line.extra.extend(self.logged.iter().cloned());
        StepMetrics { val_loss: self.val_loss, val_bits_per_byte: self.val_bits_per_byte, ..line }
    }
}
