//! The run directory: the resolved recipe, the machine, and one folder per stage.

mod recipe;

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use fireclay_train::{RunFiles, StageFiles};

use crate::error::user;
use crate::stages::Stage;

/// An opened run directory.
#[derive(Clone, Debug)]
pub struct RunDir {
    files: RunFiles,
    /// Held against other runs in this folder until the last clone is dropped.
    _lock: Arc<File>,
}

impl RunDir {
    /// The run's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.files.folder()
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &RunFiles {
        &self.files
    }

    /// The files of a stage.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> StageFiles {
        self.files.stage(stage.name())
    }
}

/// Makes the folder where there is none, and locks it.
fn lock(files: &RunFiles) -> Result<File> {
    let path = files.folder();
    std::fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
    let file = files.lock();
    let lock = File::create(&file).with_context(|| format!("{}: cannot be written", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(user(format!(
            "{}: another run is working in this folder; wait for it or stop it, or choose another folder with --out",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{}: cannot be locked", file.display())),
    }
}

/// [`fireclay_files::write_atomically`], with the file and the remedy in its error.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    fireclay_files::write_atomically(path, |file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{}: cannot be written; free some space or check the permissions", path.display()))
}
