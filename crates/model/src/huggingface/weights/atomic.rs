//! Atomic replacement of files.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::ModelError;

/// Writes a file under a temporary name beside `path`, syncs it to the disk, and renames it: a crash at any moment
/// leaves the previous contents.
pub(crate) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), ModelError> {
    let mut name = path.file_name().expect("a file name").to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&temporary)?);
        fill(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        drop(file);
        fs::rename(&temporary, path)?;
        // The folder stores the rename, so it is synced too. Windows cannot open folders, and needs no such step.
        #[cfg(unix)]
        File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    })();
    written.map_err(|source| {
        // Half a file is of no use. If it cannot be removed either, the first error is the one to report.
        let _ = fs::remove_file(&temporary);
        ModelError::Io {
            path: path.to_owned(),
            source,
            hint: "check that the folder is writable and the disk has room",
        }
    })
}
