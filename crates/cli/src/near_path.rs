//! Suggestions for a path where nothing is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::user;
use crate::nearest::{SIMILAR, similarity};

/// The folder where runs are by default.
const RUNS: &str = "runs";

/// The error of a path where nothing is: the path that was probably meant, else what is `taken` there.
pub fn nothing_there(path: &Path, taken: &str) -> anyhow::Error {
    let remedy = near_path(path).map_or_else(|| taken.to_owned(), |near| format!("did you mean {}?", near.display()));
    user(format!("{}: nothing there; {remedy}", path.display()))
}

/// An existing path whose first wrong part has a similar name: beside it, or among the runs.
fn near_path(path: &Path) -> Option<PathBuf> {
    let folder_of = |path: &Path| path.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_path_buf);
    let exists_beside = |path: &&Path| folder_of(path).is_none_or(|folder| folder.is_dir());
    let wrong = path.ancestors().filter(|part| !part.as_os_str().is_empty()).find(exists_beside)?;
    let (name, rest) = (wrong.file_name()?.to_str()?, path.strip_prefix(wrong).ok()?);
    let runs = Some(PathBuf::from(RUNS)).filter(|_| path.is_relative() && !wrong.starts_with(RUNS));
    let folders = [Some(folder_of(wrong).unwrap_or_default()), runs].into_iter().flatten();
    let similar = folders.flat_map(|folder| {
        let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let names = fs::read_dir(listed).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let similar = names.map(|other| (similarity(name, &other), with_rest(folder.join(other), rest)));
        similar.filter(|(score, path)| *score >= SIMILAR && path.exists()).collect::<Vec<_>>()
    });
    let (_, near) = similar.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(near)
}

/// The path followed by the rest; without a slash at the end if there is none, since no file has that.
fn with_rest(path: PathBuf, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { path } else { path.join(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_typing_error_has_a_near_one() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("tiny/sft/checkpoints")).unwrap();
        fs::write(root.path().join("tiny-q8.gguf"), "").unwrap();
        let check = |typed: &str, expect: Option<&str>| {
            let near = near_path(&root.path().join(typed));
            assert_eq!(near, expect.map(|path| root.path().join(path)), "{typed}");
        };
        check("tinny", Some("tiny"));
        check("tiyn/sft", Some("tiny/sft"));
        check("tiny/stf", Some("tiny/sft"));
        check("tiny-q9.gguf", Some("tiny-q8.gguf"));
        check("tinny/grpo", None);
        check("elsewhere", None);
        let message = nothing_there(&root.path().join("elsewhere"), "give a run").to_string();
        assert!(message.ends_with("/elsewhere: nothing there; give a run"), "{message}");
        let message = nothing_there(&root.path().join("tiyn"), "give a run").to_string();
        assert!(message.ends_with("/tiny?") && message.contains("nothing there; did you mean "), "{message}");
    }
}
