//! The folder of one training stage, locked for the run that writes it.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use fireclay_files::{is_unfinished, write_atomically};
use fireclay_model::huggingface::SamplingDefaults;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::run_files::{StageFiles, entries};
use crate::trainable::ADAPTER;
use crate::{Inherited, TrainError};

/// A stage's folder, locked against other runs until this is dropped.
#[derive(Debug)]
pub struct StageDir {
    files: StageFiles,
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
        let files = StageFiles::new(path);
        let checkpoints = files.checkpoints_dir();
        fs::create_dir_all(&checkpoints).map_err(TrainError::write(&checkpoints))?;
        let lock_file = files.lock();
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_file);
        let lock = lock.map_err(TrainError::write(&lock_file))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TrainError::Locked { dir: files.folder().into() }),
            Err(TryLockError::Error(error)) => return Err(TrainError::write(&lock_file)(error)),
        }
        let left_behind = entries(files.folder())?.into_iter().chain(entries(&checkpoints)?);
        for left in left_behind.filter(|path| is_unfinished(path)) {
            let removed = if left.is_dir() { fs::remove_dir_all(&left) } else { fs::remove_file(&left) };
            removed.map_err(TrainError::write(&left))?;
        }
        Ok(Self { files, _lock: lock, inherited: Inherited::default(), base: None })
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
        self.files.folder()
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &StageFiles {
        &self.files
    }

    /// Marks the stage as finished, with its summary.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn mark_done(&self, summary: &impl Serialize) -> Result<(), TrainError> {
        let file = self.files.done();
        let text = serde_json::to_string_pretty(summary).map_err(|error| TrainError::write(&file)(error.into()))?;
        write_atomically(&file, |out| out.write_all(text.as_bytes())).map_err(TrainError::write(&file))
    }
}

#[cfg(test)]
mod tests {
    use fireclay_files::unfinished_name;

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
        let files = StageFiles::new(folder.path());
        let steps = || files.checkpoints().unwrap().into_iter().map(|(step, _)| step).collect::<Vec<_>>();
        assert_eq!(steps(), [200]);
        StageDir::open(folder.path()).unwrap();
        assert!(!unfinished.exists() && !half_a_file.exists());
        assert_eq!(steps(), [200]);
    }

    #[test]
    fn a_stage_is_done_once_it_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let stage = StageDir::open(folder.path()).unwrap();
        assert_eq!(stage.files().summary::<u64>().unwrap(), None);
        stage.mark_done(&7u64).unwrap();
        assert_eq!(stage.files().summary::<u64>().unwrap(), Some(7));
    }
}
