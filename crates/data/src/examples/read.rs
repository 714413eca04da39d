//! Files of examples, object by object.

use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::chatterbot;
use super::record::Record;
use super::skips::Skips;
use super::turn::MARKS;
use super::{media, reason, wrapped};
use crate::DataError;
use crate::documents::input::{self, mark_length, valid_text};
use crate::documents::json_lines::{json_error, json_line_error, kind};
use crate::documents::json_value::{self, Parsed};
use crate::documents::lines::Lines;
use crate::documents::python_json;
use crate::documents::{Format, Known, SourceFile, SourceFiles};

/// The most bytes of one line of JSON.
const LONGEST_LINE: usize = 256 << 20;

/// Examples of one kind, and the counts of those left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples<T> {
    /// In the order of the files.
    pub examples: Vec<T>,
    /// Skipped examples by reason.
    pub skips: Skips,
    /// Unread keys and unknown roles, each with the number of examples that have it.
    pub ignored: Skips,
}

/// Reads the files at `paths`; `parse` appends the examples of an object, or counts the reason why it cannot be
/// used.
///
/// # Errors
/// Errors of finding, decompressing and parsing; a file without any object, or of which everything was skipped.
pub(super) fn read<T>(
    paths: &[String],
    known: Known,
    parse: impl Fn(&Record, &mut Examples<T>) -> Result<(), DataError>,
) -> Result<Examples<T>, DataError> {
    let mut all = Examples { examples: Vec::new(), skips: Skips::default(), ignored: Skips::default() };
    for file in SourceFiles::find_known(paths, known)?.files {
        let mut of_file = Examples { examples: Vec::new(), skips: Skips::default(), ignored: Skips::default() };
        let mut any = false;
        for_each_record(&file, |record| {
            any = true;
            for key in &record.left_out {
                of_file.ignored.add(format!("the key `{key}` beside the examples is ignored"), record.origin());
            }
            if let Some(reason) = media::beside(&record.object).or_else(|| switched_off(&record)) {
                of_file.skips.add(reason, record.origin());
                return Ok(());
            }
            let before = of_file.examples.len();
            let parsed = parse(&record, &mut of_file);
            if record.fault().is_none()
                && let Some((key, what)) = record.foreign()
            {
                return Err(record.wrong(format!("text under `{key}`"), what));
            }
            parsed?;
            if let Some(reason) = record.fault().filter(|_| of_file.examples.len() > before) {
                of_file.examples.truncate(before);
                of_file.skips.add(reason, record.origin());
                return Ok(());
            }
            if record.is_rounded() {
                of_file.ignored.add("a whole number of more than 64 bits is rounded", record.origin());
            }
            if record.no_numbers {
                of_file.ignored.add("NaN or Infinity, which JSON does not have, is read as null", record.origin());
            }
            for key in record.unread() {
                of_file.ignored.add(format!("the key `{key}` is ignored"), record.origin());
            }
            Ok(())
        })?;
        if !any {
            return Err(DataError::Empty { path: file.path });
        }
        if of_file.examples.is_empty()
            && let Some(reason) = of_file.skips.main_reason()
        {
            return Err(DataError::NothingUsable {
                what: file.path.display().to_string(),
                count: of_file.skips.total(),
                reason,
            });
        }
        all.examples.append(&mut of_file.examples);
        all.skips.extend(of_file.skips);
        all.ignored.extend(of_file.ignored);
    }
    Ok(all)
}

/// The reason that an example is switched off by a mark beside its messages, which may also be a column of numbers.
fn switched_off(record: &Record) -> Option<String> {
    let off = |key: &&str| match record.object.get(*key) {
        Some(Value::Bool(on)) => Some(!on),
        // A `loss` in numbers is a measurement.
        Some(Value::Number(number)) if *key != "loss" => match number.as_f64() {
            Some(0.0) => Some(true),
            Some(1.0) => Some(false),
            _ => None,
        },
        _ => None,
    };
    let marks = MARKS.into_iter().filter_map(|key| Some((key, off(&key)?)));
    let mut off = None;
    for (key, is_off) in marks {
        record.value(key);
        if is_off {
            off.get_or_insert(key);
        }
    }
    off.map(|key| format!("it is switched off by `{key}`"))
}

/// The objects of one file, in order.
pub(super) fn for_each_record(
    file: &SourceFile,
    mut each: impl FnMut(Record) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let path: Arc<Path> = file.path.as_path().into();
    let input = input::open(&path, file.compression, None)?;
    if file.format == Format::JsonLines {
        let mut lines = Lines::new(input, Arc::clone(&path), LONGEST_LINE);
        while let Some((line, text)) = lines.next_line()? {
            each(record(&path, line, text)?)?;
        }
        return Ok(());
    }
    if file.format == Format::Parquet {
        return parquet_rows(file, &mut |line, object| each(Record::new(Arc::clone(&path), line, object)));
    }
    let mut input = input;
    let mut bytes = Vec::new();
    input.fill(&mut bytes, usize::MAX, &path, 0)?;
    let mark = mark_length(&bytes);
    let text = valid_text(&bytes[mark..], true, &path, 1, mark as u64)?;
    match file.format {
        Format::Json => {
            let repaired;
            let mut no_numbers = false;
            let (values, mut left_out) = match values(&path, text) {
                Ok(values) => values,
                Err(error) => {
                    // Halves of characters are found example by example.
                    repaired = python_json::with_numbers_repaired(text).ok_or(error)?;
                    no_numbers = true;
                    values(&path, &repaired)?
                }
            };
            for (line, text) in values {
                let mut record = record(&path, line, text)?;
                record.left_out = std::mem::take(&mut left_out);
                record.no_numbers |= std::mem::take(&mut no_numbers);
                each(record)?;
            }
        }
        Format::Yaml => {
            let (dialogues, mut left_out) = chatterbot::dialogues(&path, text)?;
            for (line, object) in dialogues {
                let mut record = Record::new(Arc::clone(&path), line, object);
                record.left_out = std::mem::take(&mut left_out);
                each(record)?;
            }
        }
        Format::JsonLines | Format::Text | Format::Parquet => unreachable!("no reader of examples takes these"),
    }
    Ok(())
}

/// The first object of a file.
///
/// # Errors
/// As [`for_each_record`], and when there is none.
pub(super) fn first_record(file: &SourceFile) -> Result<Record, DataError> {
    let mut first = None;
    if file.format == Format::JsonLines {
        let path: Arc<Path> = file.path.as_path().into();
        let input = input::open(&path, file.compression, None)?;
        if let Some((line, text)) = Lines::new(input, Arc::clone(&path), LONGEST_LINE).next_line()? {
            first = Some(record(&path, line, text)?);
        }
    } else {
        for_each_record(file, |record| {
            first.get_or_insert(record);
            Ok(())
        })?;
    }
    first.ok_or_else(|| DataError::Empty { path: file.path.clone() })
}

fn record(path: &Arc<Path>, line: u64, text: &str) -> Result<Record, DataError> {
    let failed = |error: &serde_json::Error| json_line_error(path, line + error.line().max(1) as u64 - 1, text, error);
    let (parsed, repaired) = match json_value::parse(text) {
        Ok(parsed) => (parsed, None),
        Err(error) => {
            let repaired = python_json::repaired(text).ok_or_else(|| failed(&error))?;
            (json_value::parse(&repaired.text).map_err(|_| failed(&error))?, Some(repaired))
        }
    };
    let Parsed { value, rounded } = parsed;
    let object = match value {
        Value::Object(object) => wrapped::row(path, line, object)?,
        // A bare conversation.
        Value::Array(messages) if !messages.is_empty() && messages.iter().all(wrapped::is_message) => {
            Map::from_iter([("messages".to_owned(), Value::Array(messages))])
        }
        other => {
            let reason = format!("found {}", kind(&other));
            return Err(DataError::Json { path: path.as_ref().into(), line, reason });
        }
    };
    let mut record = Record::new(Arc::clone(path), line, object);
    record.report_rounded(rounded);
    if let Some(repaired) = repaired {
        record.no_numbers = repaired.numbers;
        if repaired.halves {
            record.spoil(reason::HALF_CHARACTER);
        }
    }
    Ok(record)
}

/// The rows of a `.parquet` file as objects, with their numbers from 1.
fn parquet_rows(
    file: &SourceFile,
    each: &mut dyn FnMut(u64, Map<String, Value>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    #[cfg(feature = "parquet")]
    return crate::documents::for_each_row(&file.path, each);
    #[cfg(not(feature = "parquet"))]
    {
        let _ = each;
        Err(DataError::Feature { what: file.path.display().to_string(), feature: "parquet" })
    }
}

/// Values, each with the line it starts on, and the keys beside the list of them.
type Values<'a> = (Vec<(u64, &'a str)>, Vec<String>);

/// The values of a `.json` file: the items of one array, which may lie in a list of an object, or one value after
/// another.
fn values<'a>(path: &Path, text: &'a str) -> Result<Values<'a>, DataError> {
    let failed = |error: &serde_json::Error| json_error(path, error.line().max(1) as u64, error);
    let values: Vec<&RawValue> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| failed(&error))?
    } else {
        let stream = serde_json::Deserializer::from_str(text).into_iter();
        stream.collect::<Result<_, _>>().map_err(|error| failed(&error))?
    };
    let list = match values.as_slice() {
        [only] if only.get().starts_with('{') => wrapped::list(path, only.get())?,
        _ => None,
    };
    let (values, left_out) = match list {
        Some(list) => (serde_json::from_str(list.items).map_err(|error| failed(&error))?, list.left_out),
        None => (values, vec![]),
    };
    let (mut line, mut counted) = (1, 0);
    let values = values.into_iter().map(|value| {
        let value = value.get();
        // Raw values are slices of the text.
        let start = value.as_ptr() as usize - text.as_ptr() as usize;
        line += input::newlines(&text.as_bytes()[counted..start]);
        counted = start;
        (line, value)
    });
    Ok((values.collect(), left_out))
}
