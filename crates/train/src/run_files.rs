//! Names of the files of a run, and which of its stages have begun and ended. Who reads or writes a run asks here.
//!
//! ```text
//! runs/NAME/
//!     recipe.toml  machine.json  eval.json  report.html  suggestions.txt
//!     data/                        the text as token ids
//!     lock                         held while a run uses the folder
//!     STAGE/
//!         metrics.jsonl  samples.jsonl  battery.jsonl  events.out.tfevents.…
//!         checkpoints/step-000200/     see [`checkpoint`](crate::checkpoint)
//!         DONE                         written last: the stage's summary; the tokenizer's has the time of its end
//!         lock                         held while a run uses the stage
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::TrainError;

/// Defines a method for the path of each file of a folder.
macro_rules! files {
    ($($(#[$doc:meta])* $method:ident = $name:literal;)*) => {
        $($(#[$doc])* #[must_use] pub fn $method(&self) -> PathBuf { self.folder.join($name) })*
    };
}

/// The files of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFiles {
    folder: PathBuf,
}

impl RunFiles {
    /// Of the run directory `folder`, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Of the run that contains the checkpoint `dir`, if its path has as many folders: `RUN/STAGE/checkpoints/STEP`.
    #[must_use]
    pub fn of_checkpoint(dir: &Path) -> Option<Self> {
        dir.ancestors().nth(3).map(Self::new)
    }

    files! {
        /// The resolved recipe. It marks the folder as a run.
        recipe = "recipe.toml";
        /// The machine.
        machine = "machine.json";
        /// Results of `fireclay eval`.
        evaluation = "eval.json";
        /// The report.
        report = "report.html";
        /// Questions that the model can answer, one a line.
        suggestions = "suggestions.txt";
        /// The folder of the text's tokens.
        data = "data";
        /// The file that is locked while a run uses the folder.
        lock = "lock";
    }

    /// The run directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder is a run.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.recipe().is_file()
    }

    /// The files of the stage of this name, which need not have begun.
    #[must_use]
    pub fn stage(&self, name: &str) -> StageFiles {
        StageFiles::new(self.folder.join(name))
    }

    /// The stages that have begun, by name; none if the folder cannot be read.
    #[must_use]
    pub fn begun(&self) -> Vec<StageFiles> {
        let folders = entries(&self.folder).unwrap_or_default().into_iter().filter(|path| path.is_dir());
        let mut begun: Vec<_> = folders.map(StageFiles::new).filter(StageFiles::has_begun).collect();
        begun.sort_by(|one, other| one.folder.cmp(&other.folder));
        begun
    }
}

/// The files of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFiles {
    folder: PathBuf,
}

impl StageFiles {
    /// Of the stage in `folder`, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    files! {
        /// One line of numbers a step; its existence says that training has begun.
        metrics = "metrics.jsonl";
        /// Samples.
        samples = "samples.jsonl";
        /// The final checkpoint's replies to the battery.
        battery = "battery.jsonl";
        /// The folder of checkpoints.
        checkpoints_dir = "checkpoints";
        /// The summary of the finished stage; its existence says that the stage is finished.
        done = "DONE";
        /// The file that is locked while a run uses the folder.
        lock = "lock";
    }

    /// The stage's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The stage's name: that of its folder.
    #[must_use]
    pub fn name(&self) -> String {
        self.folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Whether training has logged something.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.metrics().is_file()
    }

    /// Whether the stage is finished.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done().exists()
    }

    /// Whether `TensorBoard` events lie beside the metrics.
    #[must_use]
    pub fn has_events(&self) -> bool {
        let is_events = |path: PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(EVENTS));
        entries(&self.folder).unwrap_or_default().into_iter().any(is_events)
    }

    /// The summary of the finished stage; `None` if it is not finished.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be read, [`TrainError::Damaged`] when it holds something else.
    pub fn summary<T: DeserializeOwned>(&self) -> Result<Option<T>, TrainError> {
        let file = self.done();
        let text = match fs::read(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(TrainError::read(&file))?,
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| TrainError::Damaged {
            file,
            problem: error.to_string(),
            remedy: "delete it, and the stage finishes again".into(),
        })
    }

    /// The checkpoint of a step.
    #[must_use]
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.checkpoints_dir().join(format!("step-{step:06}"))
    }

    /// The complete checkpoints with their steps, oldest first. Needs no lock: an unfinished one has another name.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the folder is there but cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>, TrainError> {
        let folder = self.checkpoints_dir();
        if !folder.exists() {
            return Ok(vec![]);
        }
        let step = |path: &Path| path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok();
        let mut found: Vec<_> = entries(&folder)?.into_iter().filter_map(|path| Some((step(&path)?, path))).collect();
        found.sort();
        Ok(found)
    }
}

/// Prefix of the names of `TensorBoard`'s files.
pub(crate) const EVENTS: &str = "events.out.tfevents";

/// The contents of a folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let list = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    list.map_err(TrainError::read(folder))
}
