//! `metrics.jsonl` read as columns: one series of (step, value) for each numeric key.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use super::names;

/// (step, value); the value may be non-finite.
pub type Point = (f64, f64);

/// The columns of one `metrics.jsonl`.
#[derive(Debug, Default)]
pub struct MetricColumns {
    columns: BTreeMap<String, Vec<Point>>,
    /// Numbers of the lines (from 1) that are not JSON objects, without a truncated last line.
    pub unreadable: Vec<usize>,
    /// Whether the file ends in the middle of a line, as after a crash or while training runs.
    pub cut_off: bool,
}

impl MetricColumns {
    /// Reads the file line by line, so that memory holds only the numbers and not the text.
    ///
    /// # Errors
    /// Only when the file cannot be opened or read. Lines that cannot be parsed are skipped and listed in
    /// [`MetricColumns::unreadable`].
    pub fn read(path: &Path) -> std::io::Result<Self> {
        Self::parse(BufReader::new(File::open(path)?))
    }

    fn parse(mut lines: impl BufRead) -> std::io::Result<Self> {
        let mut metrics = Self::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if lines.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let whole = line.ends_with(b"\n");
            let text = String::from_utf8_lossy(&line);
            match parse_object(text.trim()) {
                _ if text.trim().is_empty() => {}
                Some(object) => metrics.push(&object, number),
                None if whole => metrics.unreadable.push(number),
                None => metrics.cut_off = true,
            }
        }
        Ok(metrics)
    }

    fn push(&mut self, object: &Map<String, Value>, line: usize) {
        let step = object.get(names::STEP).and_then(Value::as_f64).unwrap_or(line as f64);
        // A run resumed from an older checkpoint repeats steps: the last line of a step counts.
        for column in self.columns.values_mut() {
            while column.last().is_some_and(|&(last, _)| last > step) {
                column.pop();
            }
        }
        for (key, value) in object {
            let Some(value) = number(value) else { continue };
            let column = self.columns.entry(key.clone()).or_default();
            if column.last().is_some_and(|&(last, _)| last >= step) {
                column.pop();
            }
            column.push((step, value));
        }
    }

    /// The series of a key; empty when the key never occurs.
    #[must_use]
    pub fn column(&self, key: &str) -> &[Point] {
        self.columns.get(key).map_or(&[], Vec::as_slice)
    }

    /// The keys that have a number at any step, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|(_, column)| !column.is_empty()).map(|(key, _)| key.as_str())
    }

    /// The last finite value of a key, with its step.
    #[must_use]
    pub fn last(&self, key: &str) -> Option<Point> {
        self.column(key).iter().rev().find(|(_, value)| value.is_finite()).copied()
    }

    /// The smallest finite value of a key, with the first step that reached it.
    #[must_use]
    pub fn lowest(&self, key: &str) -> Option<Point> {
        let finite = self.column(key).iter().filter(|(_, value)| value.is_finite());
        finite.copied().min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The last step on record, or `None` before the first.
    #[must_use]
    pub fn last_step(&self) -> Option<f64> {
        self.columns.values().filter_map(|column| column.last()).map(|&(step, _)| step).reduce(f64::max)
    }
}

/// JSON has no NaN, so trainers write `null`, a string, or (Python) a bare word: each is read as non-finite.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Null => Some(f64::NAN),
        Value::String(text) if text.eq_ignore_ascii_case("nan") => Some(f64::NAN),
        Value::String(text) if text.trim_start_matches('-').to_ascii_lowercase().starts_with("inf") => {
            Some(f64::INFINITY)
        }
        _ => None,
    }
}

fn parse_object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok().or_else(|| {
        let mended = text.replace("NaN", "null").replace("-Infinity", "null").replace("Infinity", "null");
        serde_json::from_str(&mended).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> MetricColumns {
        MetricColumns::parse(text.as_bytes()).expect("memory reads")
    }

    #[test]
    fn each_numeric_key_becomes_a_column() {
        let metrics =
            parse("{\"step\":1,\"loss\":2.5,\"note\":\"warm\"}\n{\"step\":2,\"loss\":2.0,\"val_loss\":2.2}\n");
        assert_eq!(metrics.column("loss"), [(1.0, 2.5), (2.0, 2.0)]);
        assert_eq!(metrics.column("val_loss"), [(2.0, 2.2)]);
        assert_eq!(metrics.keys().collect::<Vec<_>>(), ["loss", "step", "val_loss"]);
        assert_eq!(metrics.last_step(), Some(2.0));
    }

    #[test]
    fn a_cut_off_last_line_is_ignored() {
        let metrics = parse("{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"lo");
        assert_eq!(metrics.column("loss"), [(1.0, 2.5)]);
        assert!(metrics.cut_off && metrics.unreadable.is_empty());
    }

    #[test]
    fn a_broken_line_in_the_middle_is_listed() {
        let metrics = parse("{\"step\":1,\"loss\":2.5}\n\u{0}\u{0}\n\n[1]\n{\"step\":3,\"loss\":2.0}\n");
        assert_eq!(metrics.unreadable, [2, 4]);
        assert_eq!(metrics.column("loss").len(), 2);
    }

    #[test]
    fn every_spelling_of_nan_is_kept_as_non_finite() {
        let metrics = parse(
            "{\"step\":1,\"loss\":1.0}\n{\"step\":2,\"loss\":NaN}\n{\"step\":3,\"loss\":null}\n\
             {\"step\":4,\"loss\":-Infinity}\n{\"step\":5,\"loss\":\"nan\"}\n",
        );
        let finite: Vec<bool> = metrics.column("loss").iter().map(|point| point.1.is_finite()).collect();
        assert_eq!(finite, [true, false, false, false, false]);
        assert_eq!(metrics.last("loss"), Some((1.0, 1.0)));
        assert_eq!(metrics.last_step(), Some(5.0));
    }

    #[test]
    fn steps_repeated_after_a_resume_replace_the_earlier_ones() {
        let metrics = parse(
            "{\"step\":1,\"loss\":3}\n{\"step\":2,\"loss\":2,\"val_loss\":9}\n{\"step\":3,\"loss\":1}\n\
             {\"step\":2,\"loss\":7}\n",
        );
        assert_eq!(metrics.column("loss"), [(1.0, 3.0), (2.0, 7.0)]);
    }

    #[test]
    fn an_evaluation_on_its_own_line_joins_its_step() {
        let metrics = parse("{\"step\":5,\"loss\":3}\n{\"step\":5,\"val_loss\":3.5}\n");
        assert_eq!(metrics.column("loss"), [(5.0, 3.0)]);
        assert_eq!(metrics.column("val_loss"), [(5.0, 3.5)]);
    }
}
