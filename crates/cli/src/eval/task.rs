//! Values of `--task`: names, and files whose kind follows from their keys.

use std::path::Path;

use anyhow::Result;
use fireclay_data::examples::file_kind;

use super::kinds::{Ask, FileAfter, NAMED, QuestionSource, TaskKind, of_file};
use crate::error::user;
use crate::nearest::most_similar;
use crate::recipe::Recipe;

/// A requested task.
#[derive(Clone, Debug)]
pub struct EvalTask {
    /// Its kind.
    pub kind: &'static TaskKind,
    /// Its file, if it has one.
    file: Option<String>,
}

impl EvalTask {
    /// Its name in tables: its own, or its file's without folders and extensions, or both if its file is only one of
    /// those that it may have.
    #[must_use]
    pub fn name(&self) -> String {
        let own = self.kind.names.first().copied().unwrap_or_default();
        match &self.file {
            None => own.into(),
            Some(path) if matches!(self.kind.file, FileAfter::Maybe(_)) => format!("{own} {}", stem(path)),
            Some(path) => stem(path),
        }
    }

    /// Reads or generates its questions, at most `limit`. A run's recipe configures its embedded corpus.
    ///
    /// # Errors
    /// When a file is damaged; the message names the line.
    pub fn read(&self, recipe: Option<&Recipe>, limit: Option<usize>) -> Result<Ask> {
        (self.kind.read)(&QuestionSource { name: &self.name(), file: self.file.as_deref(), recipe, limit })
    }
}

fn stem(path: &str) -> String {
    let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default().to_owned();
    if stem.is_empty() { path.to_owned() } else { stem }
}

/// Parses the words of `--task`: names, some with a file after them, and files.
///
/// # Errors
/// When a word is neither a name nor a file, or a file holds nothing that can be asked.
pub fn parse_tasks(words: &[String]) -> Result<Vec<EvalTask>> {
    let mut asked = vec![];
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(kind) = NAMED.into_iter().find(|kind| kind.names.contains(&word.as_str())) else {
            let path = existing(word)?;
            asked.push(EvalTask { kind: of_file(file_kind(&path)?), file: Some(path) });
            continue;
        };
        let file = match kind.file {
            FileAfter::Never => None,
            FileAfter::Maybe(of) => {
                words.next_if(|next| is_path(next) && file_kind(next).is_ok_and(|kind| kind == of)).cloned()
            }
            FileAfter::Always => match words.next() {
                Some(path) => Some(existing(path)?),
                None => {
                    return Err(user(format!("--task {word}: give a file after it, as in --task {word} held-out.txt")));
                }
            },
        };
        asked.push(EvalTask { kind, file });
    }
    Ok(asked)
}

/// The tasks with names, for the help.
#[must_use]
pub fn named_tasks() -> String {
    let shown = |kind: &TaskKind| match (kind.names[0], kind.help) {
        (name, "") => format!("{name} FILE"),
        (name, help) => format!("{name} ({help})"),
    };
    NAMED.map(shown).join(", ")
}

fn is_path(word: &str) -> bool {
    word.contains("://") || Path::new(word).exists()
}

/// An existing path, or the known name that was probably meant.
fn existing(word: &str) -> Result<String> {
    if is_path(word) {
        return Ok(word.to_owned());
    }
    let meant = word.to_lowercase();
    let names: Vec<&str> = NAMED.iter().flat_map(|kind| kind.names).copied().collect();
    let nearest = most_similar(&meant, names.iter().copied()).unwrap_or_default();
    Err(user(format!(
        "--task {word}: no such file, and no task of that name; did you mean `{nearest}`? The tasks are {}, and files \
         of text, tasks, preferences or multiple choice",
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use fireclay_data::examples::FileKind;

    use super::*;

    /// Reads words, of which those with a `/` are files in a folder that has some.
    #[track_caller]
    fn check(words: &[&str], expect: Result<&[&str], &str>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("choices.jsonl", "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": 0}"),
            ("sums.jsonl", "{\"question\": \"q\", \"answer\": \"#### 1\"}"),
            ("pairs.json", "[{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}]"),
            ("book.txt", "text"),
        ] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let root = folder.path().to_string_lossy();
        let words: Vec<String> = words.iter().map(|word| word.replace("./", &format!("{root}/"))).collect();
        match (parse_tasks(&words), expect) {
            (Ok(found), Ok(expect)) => {
                let shown = |task: &EvalTask| task.file.as_ref().map(|file| file.replace(&*root, "."));
                let names = |task: &EvalTask| task.kind.names.first().copied().unwrap_or("file");
                let found: Vec<String> =
                    found.iter().map(|task| [names(task), &shown(task).unwrap_or_default()].join(" ")).collect();
                assert_eq!(found, expect);
            }
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
            (found, expect) => panic!("{found:?}, not {expect:?}"),
        }
    }

    #[test]
    fn names_and_files_are_told_apart() {
        check(
            &["battery", "world", "arithmetic", "preferences"],
            Ok(&["battery ", "world ", "arithmetic ", "preferences "]),
        );
        check(
            &["./choices.jsonl", "./sums.jsonl", "./pairs.json", "./book.txt"],
            Ok(&["file ./choices.jsonl", "file ./sums.jsonl", "preferences ./pairs.json", "text ./book.txt"]),
        );
        check(&["text", "./sums.jsonl"], Ok(&["text ./sums.jsonl"]));
        check(&["wins", "./sums.jsonl"], Ok(&["wins ./sums.jsonl"]));
        check(&["win-rate", "./book.txt"], Ok(&["wins ", "text ./book.txt"]));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        check(&["wrold"], Err("did you mean `world`? The tasks are battery, world, arithmetic"));
        check(&["Arithmetics"], Err("did you mean `arithmetic`?"));
        check(&["./no-such.jsonl"], Err("no-such.jsonl: no such file"));
        check(&["world", "text"], Err("give a file"));
    }

    #[test]
    fn tables_have_short_names() {
        let name = |kind, file: &str| EvalTask { kind, file: Some(file.into()) }.name();
        assert_eq!(name(of_file(FileKind::Benchmark), "data/eval/copa.jsonl.gz"), "copa");
        assert_eq!(name(NAMED[4], "sums.jsonl"), "wins sums");
    }
}
