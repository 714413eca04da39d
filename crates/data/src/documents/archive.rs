//! Members of a `.zip` archive.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use zip::{CompressionMethod, ZipArchive};

use crate::DataError;

/// Largest number of members of an archive.
const MOST_MEMBERS: usize = 1 << 20;

/// A file in an archive.
pub(super) struct Member {
    pub name: PathBuf,
    /// Offset of its bytes in the archive.
    pub start: u64,
    /// Number of its bytes in the archive.
    pub length: u64,
    pub deflated: bool,
}

/// The files in an archive, by name. Hidden ones are left out.
///
/// # Errors
/// When it cannot be read as a whole: it is damaged, or two files have one name, or a file would lie outside of it.
pub(super) fn members(path: &Path) -> Result<Vec<Member>, DataError> {
    let failed = |reason: String| DataError::read(path, io::Error::new(io::ErrorKind::InvalidData, reason));
    let file = File::open(path).map_err(|error| DataError::read(path, error))?;
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|error| failed(format!("not a complete zip archive ({error}); copy it again")))?;
    if archive.len() > MOST_MEMBERS {
        return Err(failed(format!("an archive of {} files, more than {MOST_MEMBERS}; unpack it", archive.len())));
    }
    if archive.has_duplicate_names() {
        let why = "two files in it have the same name, of which only one would be read; unpack it and rename one";
        return Err(failed(why.into()));
    }
    let mut members = vec![];
    for index in 0..archive.len() {
        let file = archive
            .by_index_raw(index)
            .map_err(|error| failed(format!("file {index} in it is damaged ({error}); copy the archive again")))?;
        if !file.is_file() {
            continue;
        }
        let Some(name) = file.enclosed_name() else {
            let why = "a file in it lies outside of the archive by its name";
            return Err(failed(format!("{why} ({}); unpack it", file.name().unwrap_or_default().escape_default())));
        };
        let hidden = name.components().any(|part| {
            let part = part.as_os_str().as_encoded_bytes();
            part.starts_with(b".") || part == b"__MACOSX"
        });
        if hidden {
            continue;
        }
        let deflated = match file.compression() {
            CompressionMethod::STORE => false,
            CompressionMethod::DEFLATE => true,
            other => {
                return Err(failed(format!(
                    "{}: packed by {other}, which is not supported; unpack it",
                    name.display()
                )));
            }
        };
        if file.encrypted() {
            return Err(failed(format!("{}: encrypted; unpack it", name.display())));
        }
        let start = file.data_start().ok_or_else(|| failed(format!("{}: not found in it", name.display())))?;
        members.push(Member { length: file.compressed_size(), start, deflated, name });
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}
