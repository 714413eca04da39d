//! Values of `--task`: names, and files whose kind follows from their keys.

use std::path::Path;

use anyhow::Result;
use fireclay_data::examples::{FileKind, file_kind};

use crate::error::user;

/// Known names, as messages list them.
const NAMES: [&str; 7] = ["battery", "world", "arithmetic", "preferences", "wins", "win-rate", "text"];

/// A requested task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvalTask {
    /// Common first messages.
    Battery,
    /// Questions about the held-out people of the embedded world.
    World,
    /// Held-out problems.
    Arithmetic,
    /// The embedded corpus' held-out pairs, or those of a file.
    Preferences(Option<String>),
    /// Answers against those of another model, to the embedded corpus' held-out prompts or to those of a file.
    Wins(Option<String>),
    /// Choices, schemas or completions.
    Benchmark(String),
    /// Questions whose answers can be checked.
    Tasks(String),
    /// Documents.
    Text(String),
}

impl EvalTask {
    /// Its name in tables: its own, or its file's without folders and extensions.
    #[must_use]
    pub fn name(&self) -> String {
        let stem = |path: &str| {
            let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let stem = name.split('.').next().unwrap_or_default().to_owned();
            if stem.is_empty() { path.to_owned() } else { stem }
        };
        match self {
            Self::Battery => "battery".into(),
            Self::World => "world".into(),
            Self::Arithmetic => "arithmetic".into(),
            Self::Preferences(None) => "preferences".into(),
            Self::Wins(None) => "wins".into(),
            Self::Wins(Some(path)) => format!("wins {}", stem(path)),
            Self::Preferences(Some(path)) | Self::Benchmark(path) | Self::Tasks(path) | Self::Text(path) => stem(path),
        }
    }
}

/// Parses the words of `--task`: names and files. `text` treats the next file as text, and `wins`
/// reads its prompts from the next file, if it is a file of tasks.
///
/// # Errors
/// When a word is neither a name nor a file, or a file holds nothing that can be asked.
pub fn parse_tasks(words: &[String]) -> Result<Vec<EvalTask>> {
    let mut asked = vec![];
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        asked.push(match word.as_str() {
            "battery" => EvalTask::Battery,
            "world" => EvalTask::World,
            "arithmetic" => EvalTask::Arithmetic,
            "preferences" => EvalTask::Preferences(None),
            "wins" | "win-rate" => {
                let prompts = words.next_if(|next| is_path(next) && matches!(file_kind(next), Ok(FileKind::Tasks)));
                EvalTask::Wins(prompts.cloned())
            }
            "text" => match words.next() {
                Some(path) => EvalTask::Text(existing(path)?),
                None => return Err(user("--task text: give a file after it, as in --task text held-out.txt")),
            },
            path => of_file(path)?,
        });
    }
    Ok(asked)
}

fn of_file(path: &str) -> Result<EvalTask> {
    let path = existing(path)?;
    Ok(match file_kind(&path)? {
        FileKind::Benchmark => EvalTask::Benchmark(path),
        FileKind::Preferences => EvalTask::Preferences(Some(path)),
        FileKind::Tasks => EvalTask::Tasks(path),
        FileKind::Text => EvalTask::Text(path),
    })
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
    let nearness = |name: &&str| strsim::jaro_winkler(&meant, name);
    let nearest = NAMES.into_iter().max_by(|a, b| nearness(a).total_cmp(&nearness(b))).unwrap_or_default();
    Err(user(format!(
        "--task {word}: no such file, and no task of that name; did you mean `{nearest}`? The tasks are {}, and files \
         of text, tasks, preferences or multiple choice",
        NAMES.join(", ")
    )))
}

#[cfg(test)]
mod tests {
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
                let found: Vec<String> = found.iter().map(|one| format!("{one:?}").replace(&*root, ".")).collect();
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
            Ok(&["Battery", "World", "Arithmetic", "Preferences(None)"]),
        );
        check(
            &["./choices.jsonl", "./sums.jsonl", "./pairs.json", "./book.txt"],
            Ok(&[
                "Benchmark(\"./choices.jsonl\")",
                "Tasks(\"./sums.jsonl\")",
                "Preferences(Some(\"./pairs.json\"))",
                "Text(\"./book.txt\")",
            ]),
        );
        check(&["text", "./sums.jsonl"], Ok(&["Text(\"./sums.jsonl\")"]));
        check(&["wins", "./sums.jsonl"], Ok(&["Wins(Some(\"./sums.jsonl\"))"]));
        check(&["win-rate", "./book.txt"], Ok(&["Wins(None)", "Text(\"./book.txt\")"]));
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
        assert_eq!(EvalTask::Benchmark("data/eval/copa.jsonl.gz".into()).name(), "copa");
        assert_eq!(EvalTask::Wins(Some("sums.jsonl".into())).name(), "wins sums");
    }
}
