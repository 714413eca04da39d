//! A model as a GGUF file for llama.cpp, where the user brings none.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use anyhow::{Context, Result};

use super::program;
use super::work::Requests;

/// A file in a folder of its own, which is removed with it.
#[derive(Debug)]
pub struct ExportedFile {
    folder: PathBuf,
    path: PathBuf,
}

impl ExportedFile {
    /// Has fireclay write the model in the format that has as many bits as the weights asked for.
    ///
    /// # Errors
    /// When there is no such model, it cannot be written as GGUF, or the disk refuses.
    pub fn write(binary: &Path, requests: &Requests) -> Result<Self> {
        let format = requests.gguf_format();
        let folder = env::temp_dir().join(format!("fireclay-peer-{}", process::id()));
        fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let path = folder.join(format!("{}-{format}.gguf", requests.model_name()));
        let file = Self { folder, path };
        eprintln!("no --gguf: writing {} as {format}, which is removed at the end", file.path.display());
        let mut export = Command::new(binary);
        export.arg("export").arg("--model").arg(&requests.model).args(["--gguf", format, "--out"]).arg(&file.path);
        program::run(&mut export)?;
        Ok(file)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ExportedFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} cannot be removed: {error}", self.folder.display());
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::arguments::tests::requests;
    use super::*;

    #[test]
    fn fireclay_writes_the_file_and_it_is_removed_in_the_end() {
        let fireclay = env::temp_dir().join(format!("fireclay-stand-in-{}", process::id()));
        // The seventh word is the file.
        let script = "#!/bin/sh\n[ $3 != none ] || { echo 'error: none: no model' >&2; exit 2; }\necho $* > $7\n";
        fs::write(&fireclay, script).unwrap();
        fs::set_permissions(&fireclay, fs::Permissions::from_mode(0o755)).unwrap();
        let requests = requests("--model models/m --weights int4");
        let file = ExportedFile::write(&fireclay, &requests).unwrap();
        let path = file.path().to_owned();
        assert_eq!(path.file_name().unwrap(), "m-q4_0.gguf");
        let words = format!("export --model models/m --gguf q4_0 --out {}\n", path.display());
        assert_eq!(fs::read_to_string(&path).unwrap(), words);
        drop(file);
        assert!(!path.parent().unwrap().exists());
        let error = ExportedFile::write(&fireclay, &Requests { model: "none".into(), ..requests }).unwrap_err();
        assert_eq!((error.to_string().as_str(), crate::error::exit_code(&error)), ("none: no model", 2));
        assert!(!path.parent().unwrap().exists());
        fs::remove_file(fireclay).unwrap();
    }
}
