//! Kind of examples in a file, by the keys of its first object.

use super::read;
use super::record::Record;
use crate::DataError;
use crate::documents::{Format, Known, SourceFiles};

/// Use of a file in an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// For [`read_benchmark`](super::read_benchmark).
    Benchmark,
    /// For [`read_preferences`](super::read_preferences).
    Preferences,
    /// For [`read_tasks`](super::read_tasks).
    Tasks,
    /// For [`open_documents`](crate::open_documents).
    Text,
}

const EXPECTED: &str = "a benchmark (`choices`, `context_options`, or `context` and `continuation`), preferences \
     (`chosen` and `rejected`), tasks (`question` and `answer`, `prompt` or `messages`), or `text`";

/// Determines the kind of `path` from its first file, by the file's name or its first object.
///
/// # Errors
/// When the path is missing or of an unknown kind, or the first object is damaged or has keys of no kind; the message
/// tells the line.
pub fn file_kind(path: &str) -> Result<FileKind, DataError> {
    let mut files = SourceFiles::find_known(&[path.to_owned()], Known::ANYTHING)?.files.into_iter();
    let file = files.next().ok_or_else(|| DataError::Empty { path: path.into() })?;
    match file.format {
        Format::Text => Ok(FileKind::Text),
        Format::JsonLines | Format::Json | Format::Yaml | Format::Parquet => kind_of(&read::first_record(&file)?),
    }
}

fn kind_of(record: &Record) -> Result<FileKind, DataError> {
    let has = |keys: &[&str]| keys.iter().all(|key| record.has(key));
    if has(&["choices"]) || has(&["context_options"]) || has(&["context", "continuation"]) {
        Ok(FileKind::Benchmark)
    } else if has(&["chosen", "rejected"]) || has(&["message_tree_id"]) {
        Ok(FileKind::Preferences)
    } else if has(&["question", "answer"]) || has(&["prompt"]) || has(&["messages"]) {
        Ok(FileKind::Tasks)
    } else if has(&["text"]) {
        Ok(FileKind::Text)
    } else {
        Err(record.unknown(EXPECTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of a file of this name and content, or a part of the message that refuses it.
    #[track_caller]
    fn check(name: &str, content: &str, expect: Result<FileKind, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        match (file_kind(&path.to_string_lossy()), expect) {
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
            (found, expect) => assert_eq!(found.ok(), expect.ok(), "{name} {content}"),
        }
    }

    #[test]
    fn the_keys_of_the_first_object_tell() {
        check("a.jsonl", "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": 0}\n", Ok(FileKind::Benchmark));
        check("a.jsonl", "{\"context_options\": [], \"continuation\": \"c\", \"gold\": 0}", Ok(FileKind::Benchmark));
        check("a.json", "[{\"context\": \"a\", \"continuation\": \"b\"}]", Ok(FileKind::Benchmark));
        check("a.jsonl", "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}", Ok(FileKind::Preferences));
        check("a.jsonl", "{\"question\": \"q\", \"answer\": \"#### 1\"}", Ok(FileKind::Tasks));
        check("a.jsonl", "\n{\"prompt\": \"q\", \"regex\": \"1\"}", Ok(FileKind::Tasks));
        check("a.jsonl", "{\"text\": \"t\"}", Ok(FileKind::Text));
        check("a.txt", "{\"prompt\": 1}", Ok(FileKind::Text));
    }

    #[test]
    fn what_is_none_of_them_is_refused_with_its_line() {
        check("a.jsonl", "{\"txet\": \"t\"}", Err("a.jsonl:1: expected a benchmark"));
        check("a.jsonl", "\n{\"text\": ", Err("a.jsonl:2: not a JSON object"));
        check("a.jsonl", "", Err("no text"));
        check("a.png", "x", Err("unknown extension"));
        assert!(file_kind("no/such.jsonl").unwrap_err().to_string().contains("no such file"));
    }
}
