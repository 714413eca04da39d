//! The parts of a run directory that the report needs.

use std::fs;
use std::path::{Path, PathBuf};

use fireclay_eval::battery::{self, StageReplies};
use fireclay_train::metrics::MetricColumns;
use fireclay_train::{RunFiles, StageFiles, Summary};
use serde_json::{Map, Value};

use super::architecture::{self, Architecture};
use super::evaluation::{self, RunEvaluation};
use super::format::label;
use super::format::shell_word;
use super::samples::{self, ByPrompt};
use super::{KnownStage, ReportError};

/// Everything the report shows.
pub struct Run {
    /// Its files; the directory as the user gave it, for the commands on the page.
    pub files: RunFiles,
    /// Its last component.
    pub name: String,
    /// The text of recipe.toml; `None` when there is none.
    pub recipe: Option<String>,
    /// machine.json with all its keys; empty when there is none.
    pub machine: Map<String, Value>,
    /// Shape of the newest checkpoint's model.
    pub architecture: Option<Architecture>,
    /// The stages that logged at least one step, in the recipe's order.
    pub stages: Vec<RunStage>,
    /// Replies of the stages to the battery; empty if there was none.
    pub battery: Vec<StageReplies>,
    /// Results of `fireclay eval`, if there are any.
    pub evaluation: Option<RunEvaluation>,
    /// The stages of the recipe that have not begun.
    pub pending: Vec<String>,
}

/// A stage of the run, read from its folder.
pub struct RunStage {
    /// Its files.
    pub files: StageFiles,
    /// Name of the folder: pretrain, sft, …
    pub name: String,
    /// Its name in words.
    pub title: String,
    /// Whether it holds `DONE`.
    pub done: bool,
    /// Whether it leaves the model that it began with, because no checkpoint was better.
    pub keeps_start: bool,
    /// Whether its model answers messages.
    pub chats: bool,
    /// Steps that the recipe asks for.
    pub planned_steps: Option<f64>,
    /// The series of metrics.jsonl.
    pub metrics: MetricColumns,
    /// The texts of samples.jsonl.
    pub samples: ByPrompt,
    /// Folders in checkpoints/, oldest first.
    pub checkpoints: Vec<PathBuf>,
}

impl Run {
    /// Reads a run directory, also during training or after an interruption. `known` has the stages' titles and usual
    /// order.
    ///
    /// # Errors
    /// One line with the problem and the remedy, when the folder is missing, is not a run, or holds no
    /// step yet.
    pub fn read(path: &Path, known: &[KnownStage]) -> Result<Self, ReportError> {
        check_is_run(path)?;
        let files = RunFiles::new(path);
        let recipe = fs::read(files.recipe()).ok();
        let recipe = recipe.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let parsed = recipe.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut stages = Vec::new();
        for stage in begun_stages(&files, &parsed, known) {
            stages.push(RunStage::read(stage, &parsed, known)?);
        }
        let logged = files.stage(stages.first().map_or("*", |stage| &stage.name)).metrics();
        stages.retain(|stage| stage.metrics.last_step().is_some());
        if stages.is_empty() {
            return Err(ReportError::NoStep { file: logged });
        }
        let machine = fs::read(files.machine()).ok();
        let mut pending = listed_stages(&parsed).unwrap_or_default();
        let logs = |name: &str| known.iter().find(|stage| stage.name == name).is_none_or(|stage| stage.logs);
        pending.retain(|name| logs(name) && stages.iter().all(|stage| stage.name != *name));
        let newest = stages.iter().rev().flat_map(|stage| stage.checkpoints.iter().rev());
        Ok(Self {
            name: name_of(path),
            recipe,
            machine: machine.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default(),
            architecture: newest.map(PathBuf::as_path).find_map(architecture::read),
            battery: battery::read(&files, stages.iter().map(|stage| stage.name.as_str())),
            evaluation: evaluation::read(&files),
            stages,
            pending,
            files,
        })
    }

    /// Whether every stage has ended.
    pub fn is_done(&self) -> bool {
        self.pending.is_empty() && self.stages.iter().all(|stage| stage.done)
    }
}

impl RunStage {
    fn read(files: StageFiles, recipe: &toml::Table, known: &[KnownStage]) -> Result<Self, ReportError> {
        let (file, name) = (files.metrics(), files.name());
        let planned = recipe.get(&name).and_then(|section| section.get("steps"));
        let checkpoints = files.checkpoints().unwrap_or_default();
        let known = known.iter().find(|stage| stage.name == name);
        let summary = files.summary::<Summary>().ok().flatten();
        Ok(Self {
            title: known.map_or_else(|| label(&name), |stage| stage.title.to_owned()),
            done: files.is_done(),
            keeps_start: summary.is_some_and(|done| done.step > 0 && done.best.is_some_and(|best| best.step == 0)),
            chats: known.is_some_and(|stage| stage.chats),
            planned_steps: planned.and_then(toml::Value::as_integer).map(|steps| steps as f64),
            metrics: MetricColumns::read(&file).map_err(|source| ReportError::Read { path: file.clone(), source })?,
            samples: samples::read(&files.samples()),
            checkpoints: checkpoints.into_iter().map(|(_, folder)| folder).collect(),
            name,
            files,
        })
    }
}

/// Refuses a folder that is not a run, with the command that makes or names one.
fn check_is_run(path: &Path) -> Result<(), ReportError> {
    let shown = path.display();
    let word = shell_word(&shown.to_string());
    let message = if !path.exists() {
        match runs_in(path.parent().unwrap_or(path)) {
            Some(known) => format!("{shown}: no such run folder; there are: {known}"),
            None => format!("{shown}: no such run folder; `fireclay train --out {word}` makes one"),
        }
    } else if !path.is_dir() {
        format!("{shown}: a file, not a run folder; name the folder that holds recipe.toml, as in runs/tiny")
    } else if has_stage(path) {
        return Ok(());
    } else if StageFiles::new(path).has_begun() {
        let absolute = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let run = shell_word(&absolute.parent().unwrap_or(path).display().to_string());
        format!("{shown}: one stage of a run; its run has the report: `fireclay report {run}`")
    } else if let Some(known) = runs_in(path) {
        format!("{shown}: a folder of runs; name one of them: {known}")
    } else {
        format!(
            "{shown}: no stage in it (looked for {shown}/*/metrics.jsonl); `fireclay train --out {word}` writes one"
        )
    };
    Err(ReportError::NotARun(message))
}

/// The first few runs in a folder, for a message.
fn runs_in(folder: &Path) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let runs = subfolders(folder).into_iter().filter(|folder| has_stage(folder)).take(5);
    let runs: Vec<String> = runs.map(|run| run.display().to_string()).collect();
    (!runs.is_empty()).then(|| runs.join(", "))
}

fn has_stage(path: &Path) -> bool {
    !RunFiles::new(path).begun().is_empty()
}

/// The stages that have begun: in the order of the recipe's `stages`, else as they usually follow each other.
fn begun_stages(run: &RunFiles, recipe: &toml::Table, known: &[KnownStage]) -> Vec<StageFiles> {
    let usual = || known.iter().map(|stage| stage.name.to_owned()).collect();
    let order: Vec<String> = listed_stages(recipe).unwrap_or_else(usual);
    let mut begun = run.begun();
    begun.sort_by_key(|stage| {
        let name = stage.name();
        (order.iter().position(|stage| *stage == name).unwrap_or(order.len()), name)
    });
    begun
}

fn listed_stages(recipe: &toml::Table) -> Option<Vec<String>> {
    let stages = recipe.get("stages")?.as_array()?;
    Some(stages.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect())
}

/// The folders in a folder, by name; none where it cannot be read.
fn subfolders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The last component of a path, also of `.` and `runs/tiny/..`.
fn name_of(path: &Path) -> String {
    let named = if path.file_name().is_some() { path.to_owned() } else { fs::canonicalize(path).unwrap_or_default() };
    named.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}
