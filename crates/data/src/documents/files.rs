//! Resolves paths as typed to files, in reading order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::format::{Compression, Format, Known};
use super::{archive, hub, splits};
use crate::DataError;

/// Deepest nesting of folders; more is taken for a loop of links.
const DEEPEST: usize = 64;

/// A file that will be read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its path.
    pub path: PathBuf,
    /// Its size on disk.
    pub bytes: u64,
    /// When it last changed: nanoseconds since 1970.
    pub modified: u128,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
}

/// The files that the given paths resolve to.
#[derive(Debug, Clone, Default)]
pub struct SourceFiles {
    /// In reading order.
    pub files: Vec<SourceFile>,
    /// Number of skipped files in folders: with an unknown extension, or empty.
    pub skipped: usize,
}

impl SourceFiles {
    /// Finds the files of `paths`; folders are searched, `hf://` addresses downloaded.
    ///
    /// # Errors
    /// When a path is missing, empty, of an unknown kind, or a folder without any text.
    pub fn find(paths: &[String]) -> Result<Self, DataError> {
        Self::find_known(paths, Known::DOCUMENTS)
    }

    /// [`find`](Self::find) for a reader of other formats.
    pub(crate) fn find_known(paths: &[String], known: Known) -> Result<Self, DataError> {
        if paths.is_empty() {
            return Err(DataError::NoPaths);
        }
        let mut found = Self::default();
        for path in paths {
            if path.starts_with("hf://") {
                for file in hub::download(path, known)? {
                    found.add_file(&file, known)?;
                }
            } else {
                found.add(Path::new(path), known)?;
            }
        }
        Ok(found)
    }

    /// Total size on disk in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn add(&mut self, path: &Path, known: Known) -> Result<(), DataError> {
        let metadata = fs::metadata(path).map_err(|error| DataError::read(path, error))?;
        if !metadata.is_dir() {
            return self.add_file(path, known);
        }
        let (files_before, skipped_before) = (self.files.len(), self.skipped);
        self.add_folder(path, known, 0)?;
        if self.files.len() == files_before {
            let skipped = self.skipped - skipped_before;
            return Err(DataError::NothingInFolder { path: path.into(), skipped, known: known.names });
        }
        self.check_splits(path, known, files_before)
    }

    /// Refuses several splits among the files from `start` on, which lie below `folder`.
    fn check_splits(&self, folder: &Path, known: Known, start: usize) -> Result<(), DataError> {
        if !known.is_one_set() {
            return Ok(());
        }
        let names = self.files[start..].iter().map(|file| file.path.strip_prefix(folder).unwrap_or(&file.path));
        splits::refuse_several(folder, names)
    }

    fn add_file(&mut self, path: &Path, known: Known) -> Result<(), DataError> {
        if is_archive(path) {
            let files_before = self.files.len();
            let found = self.add_archive(path, known)?;
            return match found {
                0 => Err(DataError::NothingInFolder { path: path.into(), skipped: self.skipped, known: known.names }),
                _ => self.check_splits(path, known, files_before),
            };
        }
        let Some((format, compression)) = known.format_of(path) else {
            return Err(DataError::UnknownFormat { path: path.into(), known: known.names });
        };
        let file = describe(path, format, compression)?;
        if file.bytes == 0 {
            return Err(DataError::Empty { path: path.into() });
        }
        self.files.push(file);
        Ok(())
    }

    /// Adds the readable members of an archive, and returns their number.
    fn add_archive(&mut self, path: &Path, known: Known) -> Result<usize, DataError> {
        let archive = archive::members(path)?;
        let of_archive = describe(path, Format::Text, Compression::None)?;
        let before = self.files.len();
        for member in archive {
            let named = path.join(&member.name);
            match known.format_of(&named) {
                Some((format, Compression::None)) if format != Format::Parquet && member.length > 0 => {
                    let archive::Member { start, length, deflated, .. } = member;
                    let compression = Compression::Member { start, length, deflated };
                    let modified = of_archive.modified;
                    self.files.push(SourceFile { path: named, bytes: length, modified, format, compression });
                }
                None if has_extension(&named, "zip") || has_extension(&named, "arrow") => {
                    let why = "an archive or a table inside an archive is not supported; unpack the archive";
                    return Err(DataError::read(&named, std::io::Error::other(why)));
                }
                // Empty files, and files of other kinds beside the data, are skipped.
                None => self.skipped += 1,
                Some(_) if member.length == 0 => self.skipped += 1,
                Some(_) => {
                    let why = "a packed or parquet file inside an archive is not supported; unpack the archive";
                    return Err(DataError::read(&named, std::io::Error::other(why)));
                }
            }
        }
        Ok(self.files.len() - before)
    }

    fn add_folder(&mut self, folder: &Path, known: Known, depth: usize) -> Result<(), DataError> {
        let failed = |error| DataError::read(folder, error);
        if depth > DEEPEST {
            return Err(failed(std::io::Error::other("folders nested too deep, or a loop of links")));
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                entries.push(entry.path());
            }
        }
        entries.sort();
        for path in entries {
            if path.is_dir() {
                self.add_folder(&path, known, depth + 1)?;
            } else if is_archive(&path) {
                self.add_archive(&path, known)?;
            } else if let Some((format, compression)) = known.format_of(&path) {
                let file = describe(&path, format, compression)?;
                if file.bytes > 0 {
                    self.files.push(file);
                } else {
                    self.skipped += 1;
                }
            } else if is_saved_table(&path) {
                let why = "a table of `save_to_disk`, which is not read; write the data set with `to_json` or \
                           `to_parquet`";
                return Err(DataError::read(&path, std::io::Error::other(why)));
            } else {
                self.skipped += 1;
            }
        }
        Ok(())
    }
}

/// Pointers of Git LFS have fewer bytes.
const LFS_POINTER: u64 = 1024;

fn is_lfs_pointer(path: &Path) -> std::io::Result<bool> {
    Ok(fs::read(path)?.starts_with(b"version https://git-lfs"))
}

fn is_archive(path: &Path) -> bool {
    has_extension(path, "zip") && path.is_file()
}

/// Whether this is a table of a data set that was written with `save_to_disk`.
fn is_saved_table(path: &Path) -> bool {
    let has = |name: &str| path.with_file_name(name).exists();
    has_extension(path, "arrow") && (has("dataset_info.json") || has("state.json"))
}

fn has_extension(path: &Path, expected: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(expected))
}

fn describe(path: &Path, format: Format, compression: Compression) -> Result<SourceFile, DataError> {
    let failed = |error| DataError::read(path, error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        // Long documents are read twice (once to count), which a pipe does not allow.
        return Err(failed(std::io::Error::other("not a regular file: write it to a file first")));
    }
    if metadata.len() < LFS_POINTER && is_lfs_pointer(path).map_err(failed)? {
        let why = "a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`";
        return Err(failed(std::io::Error::other(why)));
    }
    let modified = metadata.modified().map_err(failed)?;
    let modified = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Ok(SourceFile { path: path.into(), bytes: metadata.len(), modified, format, compression })
}
