#![doc = include_str!("../README.md")]
//!
//! # In detail
//!
//! An unfinished file has a name of its own, `.NAME….unfinished`: [`unfinished_name`], [`is_unfinished`].

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// Writes a file atomically: `fill` writes its contents to a temporary file beside `path`, which is synced and renamed,
/// and then the folder is synced.
///
/// # Errors
/// Errors of `fill` and of the operating system; no temporary file is left.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    // Two processes that write the same file do not write the same temporary one.
    let temporary = unfinished(path, &format!(".{}", std::process::id()));
    let write = || {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&temporary)?);
        fill(&mut file)?;
        file.into_inner()?.sync_all()?;
        rename(&temporary, path)
    };
    // The error to report is the first one.
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Renames a file or folder that is synced itself, so that its new name survives a crash.
///
/// # Errors
/// Errors of the operating system.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Syncs a folder, so that new, renamed and removed entries of it survive a crash. Only Unix can open a folder for
/// that; elsewhere nothing is done.
///
/// # Errors
/// Errors of the operating system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The name beside `path` of a file or folder that is being written or removed.
#[must_use]
pub fn unfinished_name(path: &Path) -> PathBuf {
    unfinished(path, "")
}

fn unfinished(path: &Path, writer: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{writer}.unfinished"))
}

/// Whether a path is the name of something that was being written or removed. After a crash it can be deleted.
#[must_use]
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && name.ends_with(".unfinished")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_could_not_be_filled_keeps_its_contents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, |file| file.write_all(b"old")).unwrap();
        let full = |file: &mut BufWriter<File>| {
            file.write_all(b"ne")?;
            Err(io::Error::other("full"))
        };
        assert_eq!(write_atomically(&path, full).unwrap_err().to_string(), "full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn names_of_unfinished_files_are_known() {
        let name = unfinished_name(Path::new("run/DONE"));
        assert_eq!(name, Path::new("run/.DONE.unfinished"));
        assert!(is_unfinished(&name));
        assert!(!is_unfinished(Path::new("run/DONE")) && !is_unfinished(Path::new("run/notes.unfinished")));
    }
}
