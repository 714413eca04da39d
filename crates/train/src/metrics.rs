//! `metrics.jsonl`: one JSON object a step.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::TrainError;

mod columns;
pub mod names;

pub use columns::{MetricColumns, Point};

/// One line of `metrics.jsonl`. Step 0 has only the evaluation before training. A step with a non-finite loss or
/// gradient has `skipped`, and `null` for the non-finite numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// The step, from 1.
    pub step: u64,
    /// Tokens consumed up to here.
    pub tokens: u64,
    /// Loss on this step's batch before its update; of next tokens, nats a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Learning rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Global norm of the gradient before clipping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// Tokens a second in this step, evaluation and saving not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_s: Option<f64>,
    /// Model-flops utilisation: achieved over measured matrix-product peak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfu: Option<f64>,
    /// Seconds since the stage began, over all its runs.
    pub seconds: f64,
    /// Loss on the validation split; of next tokens, nats a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f64>,
    /// The same in bits per byte of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_bits_per_byte: Option<f64>,
    /// Number of steps skipped so far, on the lines of skipped steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<u64>,
    /// Further metrics of the stage.
    #[serde(flatten)]
    pub extra: BTreeMap<String, f64>,
}

/// The lines of a `metrics.jsonl`. A last line that a crash cut short is left out.
///
/// # Errors
/// [`TrainError::Io`] when the file cannot be read.
pub fn read_metrics(file: &Path) -> Result<Vec<StepMetrics>, TrainError> {
    read_lines(file)
}

pub(crate) fn read_lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, TrainError> {
    let text = fs::read_to_string(file).map_err(TrainError::read(file))?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// A file of JSON lines, each with a `step`, that is truncated after the step from which a run resumes.
#[derive(Debug)]
pub(crate) struct JsonLinesLog {
    path: PathBuf,
    file: File,
}

impl JsonLinesLog {
    /// Opens the file for appending, after truncating it after the last complete line of a step up to `last`; `None`
    /// removes all lines. A damaged line before that is kept.
    pub(crate) fn open(path: PathBuf, last: Option<u64>) -> Result<Self, TrainError> {
        #[derive(Deserialize)]
        struct LoggedStep {
            step: u64,
        }
        let open = || -> std::io::Result<File> {
            let mut file = File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
            let (mut keep, mut end) = (0, 0);
            let mut lines = BufReader::new(&file);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line)? > 0 {
                end += line.len() as u64;
                let step = serde_json::from_slice(&line).map(|LoggedStep { step }| step).ok();
                if line.ends_with(b"\n") && step.is_some_and(|step| last.is_some_and(|last| step <= last)) {
                    keep = end;
                }
                line.clear();
            }
            file.set_len(keep)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(TrainError::write(&path))?;
        Ok(Self { path, file })
    }

    /// Appends a line immediately, so that little is lost in a crash.
    pub(crate) fn write(&mut self, value: &impl Serialize) -> Result<(), TrainError> {
        let mut line = serde_json::to_vec(value).expect("metrics are JSON");
        line.push(b'\n');
        self.file.write_all(&line).map_err(TrainError::write(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resuming_cuts_off_later_steps_and_half_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let line = |step| StepMetrics { step, loss: Some(0.1 * step as f64), ..StepMetrics::default() };
        let mut log = JsonLinesLog::open(path.clone(), None).unwrap();
        (1..=5).for_each(|step| log.write(&line(step)).unwrap());
        drop(log);
        let mut log = JsonLinesLog::open(path.clone(), Some(3)).unwrap();
        log.write(&line(4)).unwrap();
        assert_eq!(read_metrics(&path).unwrap(), (1..=4).map(line).collect::<Vec<_>>());
        fs::write(&path, [fs::read(&path).unwrap(), b"{\"step\":5,\"lo".to_vec()].concat()).unwrap();
        assert_eq!(read_metrics(&path).unwrap().len(), 4);
        drop(JsonLinesLog::open(path.clone(), Some(9)).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
        drop(JsonLinesLog::open(path.clone(), None).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_damaged_line_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let line = |step| StepMetrics { step, loss: Some(0.5), ..StepMetrics::default() };
        let mut log = JsonLinesLog::open(path.clone(), None).unwrap();
        (1..=5).for_each(|step| log.write(&line(step)).unwrap());
        let text = fs::read_to_string(&path).unwrap().replace("{\"step\":2", "{\"st\0\0p\":2");
        fs::write(&path, &text).unwrap();
        let steps = || read_metrics(&path).unwrap().into_iter().map(|line| line.step).collect::<Vec<_>>();
        assert_eq!(steps(), [1, 3, 4, 5]);
        drop(JsonLinesLog::open(path.clone(), Some(4)).unwrap());
        assert_eq!(steps(), [1, 3, 4]);
        let kept: String = text.split_inclusive('\n').take(4).collect();
        assert_eq!(fs::read_to_string(&path).unwrap(), kept);
    }

    #[test]
    fn what_is_not_finite_is_null() {
        let line = StepMetrics { step: 1, loss: Some(f64::NAN), skipped: Some(1), ..StepMetrics::default() };
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.contains("\"loss\":null"), "{text}");
        assert_eq!(serde_json::from_str::<StepMetrics>(&text).unwrap().loss, None);
    }
}
