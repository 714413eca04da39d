//! Splits of a data set by the names of its files, as data sets of the Hugging Face hub have them: a folder with
//! several is no set of examples, since training would learn the test too.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use crate::DataError;

/// Names of splits, and the words for them.
const SPLITS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "val", "dev", "eval", "evaluation"]),
    ("test", &["test", "testing"]),
];

/// Refuses files of several splits, by their names below `folder`.
///
/// # Errors
/// [`DataError::Splits`] names them.
pub(super) fn refuse_several<'a>(folder: &Path, names: impl Iterator<Item = &'a Path>) -> Result<(), DataError> {
    let mut found: BTreeMap<String, &Path> = BTreeMap::new();
    for name in names {
        if let Some(split) = split_of(name) {
            found.entry(split).or_insert(name);
        }
    }
    if found.len() < 2 {
        return Ok(());
    }
    let splits = found.iter().map(|(split, first)| format!("{split} ({})", first.display()));
    Err(DataError::Splits { path: folder.into(), splits: splits.collect::<Vec<_>>().join(", ") })
}

/// The split that a file is of: by a folder, `test/0.parquet`, or by the first or last word of its name, `test.jsonl`.
/// The parts of a split have its whole name, as in `train_sft-00000-of-00003.parquet`.
fn split_of(name: &Path) -> Option<String> {
    let folders = name.parent().into_iter().flat_map(Path::components).filter_map(|part| match part {
        Component::Normal(part) => part.to_str(),
        _ => None,
    });
    if let Some(split) = folders.filter_map(split_by_word).next_back() {
        return Some(split.to_owned());
    }
    let stem = name.file_name()?.to_str()?.split('.').next()?;
    let whole = whole_of_parts(stem);
    let mut words = whole.unwrap_or(stem).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next();
    let last = words.next_back();
    let split = first.and_then(split_by_word).or_else(|| last.and_then(split_by_word))?;
    Some(whole.filter(|whole| split_by_word(whole).is_none()).unwrap_or(split).to_owned())
}

fn split_by_word(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    SPLITS.into_iter().find(|(_, words)| words.contains(&word.as_str())).map(|(split, _)| split)
}

/// What `WHOLE-00000-of-00003` is a part of.
fn whole_of_parts(stem: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, total) = stem.rsplit_once("-of-")?;
    let (whole, part) = rest.rsplit_once('-')?;
    (is_number(total) && is_number(part)).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], splits: Option<&str>) {
        let found = refuse_several(Path::new("set"), names.iter().map(Path::new));
        let found = found.err().map(|error| match error {
            DataError::Splits { splits, .. } => splits,
            other => panic!("{other}"),
        });
        assert_eq!(found.as_deref(), splits, "{names:?}");
    }

    #[test]
    fn files_of_several_splits_are_told_by_their_names() {
        check(&["train.jsonl", "test.jsonl"], Some("test (test.jsonl), train (train.jsonl)"));
        check(&["train/0.parquet", "dev/0.parquet"], Some("train (train/0.parquet), validation (dev/0.parquet)"));
        check(
            &["data/train_sft-00000-of-00002.parquet", "data/train_gen-00000-of-00001.parquet"],
            Some(
                "train_gen (data/train_gen-00000-of-00001.parquet), train_sft (data/train_sft-00000-of-00002.parquet)",
            ),
        );
        check(
            &["chats_train.jsonl.gz", "chats-eval.jsonl"],
            Some("train (chats_train.jsonl.gz), validation (chats-eval.jsonl)"),
        );
    }

    #[test]
    fn one_split_and_other_files_are_a_set_of_examples() {
        check(&["train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "train.jsonl"], None);
        check(&["train_1.jsonl", "train_2.jsonl", "more.jsonl"], None);
        check(&["a-00000-of-00001.parquet", "b-00000-of-00001.parquet"], None);
        check(&["main/train-00000-of-00001.parquet", "other/train-00000-of-00001.parquet"], None);
        check(&["contest.jsonl", "training-camp.jsonl", "latest.jsonl"], None);
        check(&["test/train.jsonl", "test/more.jsonl"], None);
    }
}
