//! The run directory: the resolved recipe, the machine, and one folder per stage.

mod recipe;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use fireclay_train::stage::write_atomically;

use crate::error::user;

/// An opened run directory.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held against other runs in this folder until the last clone is dropped.
    _lock: Arc<File>,
}

impl RunDir {
    /// The run's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A stage's folder, or another by that name.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes the folder where there is none, and locks it.
fn lock(path: &Path) -> Result<File> {
    std::fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
    let file = path.join("lock");
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

/// [`write_atomically`], with the file and the remedy in its error.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, text.as_bytes())
        .with_context(|| format!("{}: cannot be written; free some space or check the permissions", path.display()))
}
