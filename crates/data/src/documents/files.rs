//! Paths as typed → the files behind them, in reading order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::hub;
use crate::DataError;

/// Folders nested deeper than this are taken for a loop of links.
const DEEPEST: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    JsonLines,
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// A file that will be read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size on disk.
    pub bytes: u64,
    /// When it last changed: nanoseconds since 1970.
    pub modified: u128,
    pub(super) format: Format,
    pub(super) compression: Compression,
}

/// The files behind the paths that were named.
#[derive(Debug, Clone, Default)]
pub struct SourceFiles {
    /// In reading order.
    pub files: Vec<SourceFile>,
    /// Files in folders that were passed over: an unknown extension, or no content.
    pub skipped: usize,
}

impl SourceFiles {
    /// Finds the files behind `paths`; folders are searched, `hf://` addresses downloaded.
    ///
    /// # Errors
    /// When a path is missing, empty, of an unknown kind, or a folder without any text.
    pub fn find(paths: &[String]) -> Result<Self, DataError> {
        if paths.is_empty() {
            return Err(DataError::NoPaths);
        }
        let mut found = Self::default();
        for path in paths {
            if path.starts_with("hf://") {
                for file in hub::download(path)? {
                    found.add_file(&file)?;
                }
            } else {
                found.add(Path::new(path))?;
            }
        }
        Ok(found)
    }

    /// Bytes on disk, all together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn add(&mut self, path: &Path) -> Result<(), DataError> {
        let metadata = fs::metadata(path).map_err(|error| DataError::read(path, error))?;
        if !metadata.is_dir() {
            return self.add_file(path);
        }
        let (files_before, skipped_before) = (self.files.len(), self.skipped);
        self.add_folder(path, 0)?;
        if self.files.len() == files_before {
            let skipped = self.skipped - skipped_before;
            return Err(DataError::NothingInFolder { path: path.into(), skipped });
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), DataError> {
        let Some((format, compression)) = format_of(path) else {
            return Err(DataError::UnknownFormat { path: path.into() });
        };
        let file = describe(path, format, compression)?;
        if file.bytes == 0 {
            return Err(DataError::Empty { path: path.into() });
        }
        self.files.push(file);
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path, depth: usize) -> Result<(), DataError> {
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
                self.add_folder(&path, depth + 1)?;
            } else if let Some((format, compression)) = format_of(&path) {
                let file = describe(&path, format, compression)?;
                if file.bytes > 0 {
                    self.files.push(file);
                } else {
                    self.skipped += 1;
                }
            } else {
                self.skipped += 1;
            }
        }
        Ok(())
    }
}

fn describe(path: &Path, format: Format, compression: Compression) -> Result<SourceFile, DataError> {
    let failed = |error| DataError::read(path, error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        // Long documents are read twice (once to count), which a pipe does not allow.
        return Err(failed(std::io::Error::other("not a regular file: write it to a file first")));
    }
    let modified = metadata.modified().map_err(failed)?;
    let modified = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Ok(SourceFile { path: path.into(), bytes: metadata.len(), modified, format, compression })
}

/// What a file's name says it is; `None` when it says nothing to us.
pub(super) fn format_of(path: &Path) -> Option<(Format, Compression)> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (name, compression) = if let Some(name) = name.strip_suffix(".gz") {
        (name, Compression::Gzip)
    } else if let Some(name) = name.strip_suffix(".zst") {
        (name, Compression::Zstd)
    } else {
        (name.as_str(), Compression::None)
    };
    match name.rsplit_once('.')?.1 {
        "txt" => Some((Format::Text, compression)),
        "jsonl" => Some((Format::JsonLines, compression)),
        "parquet" if compression == Compression::None => Some((Format::Parquet, compression)),
        _ => None,
    }
}
