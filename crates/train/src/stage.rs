//! The folder of one training stage, with a lock.
//!
//! ```text
//! runs/NAME/STAGE/
//!     metrics.jsonl  samples.jsonl  events.out.tfevents.…
//!     checkpoints/step-000200/     a Hugging Face model directory, with the state for resuming in trainer/
//!     DONE                         written last: the stage's summary
//!     lock                         held while a run uses the folder
//! ```

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use fireclay_model::huggingface::SamplingDefaults;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::trainable::ADAPTER;
use crate::{Inherited, TrainError};

/// A stage's folder, locked against other runs until this is dropped.
#[derive(Debug)]
pub struct StageDir {
    path: PathBuf,
    _lock: File,
    /// Inherited files of the model that the stage begins with.
    inherited: Inherited,
    /// The model that the stage begins with.
    base: Option<PathBuf>,
}

impl StageDir {
    /// Opens the folder, creating it if necessary, and removes files that a crash left unfinished.
    ///
    /// # Errors
    /// [`TrainError::Locked`] when another run works in it, [`TrainError::Io`] when it cannot be written.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let path = path.into();
        let checkpoints = path.join("checkpoints");
        fs::create_dir_all(&checkpoints).map_err(TrainError::write(&checkpoints))?;
        let lock_file = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_file);
        let lock = lock.map_err(TrainError::write(&lock_file))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TrainError::Locked { dir: path }),
            Err(TryLockError::Error(error)) => return Err(TrainError::write(&lock_file)(error)),
        }
        let left_behind = entries(&path)?.into_iter().chain(entries(&checkpoints)?);
        for left in left_behind.filter(|path| is_unfinished(path)) {
            let removed = if left.is_dir() { fs::remove_dir_all(&left) } else { fs::remove_file(&left) };
            removed.map_err(TrainError::write(&left))?;
        }
        Ok(Self { path, _lock: lock, inherited: Inherited::default(), base: None })
    }

    /// Writes these sampling settings into the `generation_config.json` of checkpoints. Call it before
    /// [`inheriting`](Self::inheriting), so that they take precedence over inherited settings.
    #[must_use]
    pub fn with_sampling(mut self, sampling: &SamplingDefaults) -> Self {
        self.inherited = self.inherited.with_sampling(sampling);
        self
    }

    /// Copies settings of the directory `base` to checkpoints, where these do not have them; see [`Inherited::of`]. The
    /// weights of a checkpoint are f32 in any stated number format, so that it resumes exactly.
    #[must_use]
    pub fn inheriting(mut self, base: &Path) -> Self {
        self.base = Some(fs::canonicalize(base).unwrap_or_else(|_| base.to_path_buf()));
        self.inherited = self.inherited.of(base);
        self
    }

    /// Adds the inherited settings to the files of a checkpoint that is being written.
    pub(crate) fn write_inherited(&self, checkpoint: &Path) -> std::io::Result<()> {
        self.inherited.write_into(checkpoint)?;
        self.name_base(checkpoint)
    }

    /// Writes the path of the starting model to the adapter's `adapter_config.json`, if there is one.
    fn name_base(&self, checkpoint: &Path) -> std::io::Result<()> {
        let file = checkpoint.join(ADAPTER).join("adapter_config.json");
        let (Some(base), Ok(text)) = (&self.base, fs::read(&file)) else { return Ok(()) };
        let mut config: Map<String, Value> = serde_json::from_slice(&text)?;
        config.insert("base_model_name_or_path".into(), base.display().to_string().into());
        fs::write(&file, serde_json::to_string_pretty(&config)? + "\n")
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of checkpoints.
    #[must_use]
    pub fn checkpoints_dir(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Marks the stage as finished, with its summary.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn mark_done(&self, summary: &impl Serialize) -> Result<(), TrainError> {
        let file = self.path.join("DONE");
        let text = serde_json::to_string_pretty(summary).map_err(|error| TrainError::write(&file)(error.into()))?;
        write_atomically(&file, text.as_bytes()).map_err(TrainError::write(&file))
    }
}

/// The summary of a finished stage; `None` if it is not finished.
///
/// # Errors
/// [`TrainError::Io`] when the file cannot be read, [`TrainError::Damaged`] when it holds something else.
pub fn done<T: DeserializeOwned>(stage: &Path) -> Result<Option<T>, TrainError> {
    let file = stage.join("DONE");
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

/// The complete checkpoints of a stage with their steps, oldest first. Needs no lock: an unfinished one has another
/// name.
///
/// # Errors
/// [`TrainError::Io`] when the folder is there but cannot be read.
pub fn checkpoints(stage: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let folder = stage.join("checkpoints");
    if !folder.exists() {
        return Ok(vec![]);
    }
    let step = |path: &Path| path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok();
    let mut found: Vec<_> = entries(&folder)?.into_iter().filter_map(|path| Some((step(&path)?, path))).collect();
    found.sort();
    Ok(found)
}

/// The newest complete checkpoint of a stage.
///
/// # Errors
/// As [`checkpoints`].
pub fn latest_checkpoint(stage: &Path) -> Result<Option<PathBuf>, TrainError> {
    Ok(checkpoints(stage)?.pop().map(|(_, path)| path))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let list = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    list.map_err(TrainError::read(folder))
}

/// The name of a folder while it is written or removed.
pub(crate) fn unfinished_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.unfinished"))
}

fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "unfinished")
}

/// Writes a small file atomically: after a crash, or while another process writes it, the file has either its old or
/// its new contents.
///
/// # Errors
/// Errors of the operating system; no temporary file is left.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let temporary = file.with_file_name(format!(".{name}.{}.unfinished", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut out = File::create(&temporary)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        fs::rename(&temporary, file)?;
        sync_folder(file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    };
    // The error to report is the first one.
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Syncs a folder, so that renames in it survive a crash. Only Unix can open a folder for that.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_in_one_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = StageDir::open(folder.path()).unwrap();
        let error = StageDir::open(folder.path()).unwrap_err();
        assert!(error.is_user_error());
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
        drop(first);
        StageDir::open(folder.path()).unwrap();
    }

    #[test]
    fn what_a_crash_left_is_never_seen_and_then_removed() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = unfinished_name(&folder.path().join("checkpoints/step-000300"));
        let half_a_file = folder.path().join(".DONE.4711.unfinished");
        fs::write(&half_a_file, "{").unwrap();
        for path in [folder.path().join("checkpoints/step-000200"), unfinished.clone()] {
            fs::create_dir_all(path).unwrap();
        }
        let steps = |path: &Path| checkpoints(path).unwrap().into_iter().map(|(step, _)| step).collect::<Vec<_>>();
        assert_eq!(steps(folder.path()), [200]);
        StageDir::open(folder.path()).unwrap();
        assert!(!unfinished.exists() && !half_a_file.exists());
        assert_eq!(steps(folder.path()), [200]);
    }

    #[test]
    fn a_stage_is_done_once_it_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let stage = StageDir::open(folder.path()).unwrap();
        assert_eq!(done::<u64>(stage.path()).unwrap(), None);
        stage.mark_done(&7u64).unwrap();
        assert_eq!(done::<u64>(stage.path()).unwrap(), Some(7));
    }
}
