//! Evaluation tasks that are scored by the probabilities of given texts, as in the CORE benchmark of `DataComp`-LM (Li
//! et al. 2024, <https://arxiv.org/abs/2406.11794>).

use serde::{Deserialize, Serialize};

use super::read;
use super::record::Record;
use crate::DataError;
use crate::documents::{Known, SourceFiles};

/// A question with answers to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultipleChoice {
    /// Text before the answer.
    pub query: String,
    /// The answers, at least two.
    pub choices: Vec<String>,
    /// The index of the right one.
    pub gold: usize,
}

/// Contexts to choose from, all with the same ending, as in the Winograd schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The contexts, at least two.
    pub context_options: Vec<String>,
    /// Text after each of them.
    pub continuation: String,
    /// The index of the context that it fits.
    pub gold: usize,
}

/// A text with one right continuation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    /// The given text.
    pub context: String,
    /// The exact continuation.
    pub continuation: String,
}

/// The questions of one benchmark, all of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Benchmark {
    /// Answers to choose from: `query`, `choices`, `gold`.
    MultipleChoice(Vec<MultipleChoice>),
    /// Contexts to choose from: `context_options`, `continuation`, `gold`.
    Schema(Vec<Schema>),
    /// Texts to continue: `context`, `continuation`.
    Completion(Vec<Continuation>),
}

impl Benchmark {
    /// Number of questions.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::MultipleChoice(items) => items.len(),
            Self::Schema(items) => items.len(),
            Self::Completion(items) => items.len(),
        }
    }

    /// Whether there are none, which [`read_benchmark`] refuses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn first(record: &Record) -> Result<Self, DataError> {
        Ok(if record.has("choices") {
            Self::MultipleChoice(vec![multiple_choice(record)?])
        } else if record.has("context_options") {
            Self::Schema(vec![schema(record)?])
        } else if record.has("context") {
            Self::Completion(vec![completion(record)?])
        } else {
            return Err(record.unknown(
                "`query`, `choices` and `gold`; `context_options`, `continuation` and `gold`; or `context` and \
                 `continuation`",
            ));
        })
    }

    fn push(&mut self, record: &Record) -> Result<(), DataError> {
        match self {
            Self::MultipleChoice(items) => items.push(multiple_choice(record)?),
            Self::Schema(items) => items.push(schema(record)?),
            Self::Completion(items) => items.push(completion(record)?),
        }
        Ok(())
    }
}

/// Reads a benchmark from a `.jsonl` or `.json` file (also `.gz` or `.zst`), or from a folder of files of one kind.
///
/// # Errors
/// When the path is wrong, the file is empty, or a question has other keys than the first one or a gold index without a
/// choice; the message names the line.
pub fn read_benchmark(path: &str) -> Result<Benchmark, DataError> {
    let mut benchmark: Option<Benchmark> = None;
    for file in SourceFiles::find_known(&[path.to_owned()], Known::EXAMPLES)?.files {
        let mut any = false;
        read::for_each_record(&file, |record| {
            any = true;
            match &mut benchmark {
                Some(benchmark) => benchmark.push(&record),
                none => {
                    *none = Some(Benchmark::first(&record)?);
                    Ok(())
                }
            }
        })?;
        if !any {
            return Err(DataError::Empty { path: file.path });
        }
    }
    benchmark.ok_or_else(|| DataError::Empty { path: path.into() })
}

fn multiple_choice(record: &Record) -> Result<MultipleChoice, DataError> {
    let choices = options(record, "choices")?;
    let gold = gold(record, choices.len())?;
    Ok(MultipleChoice { query: record.string("query")?.into(), choices, gold })
}

fn schema(record: &Record) -> Result<Schema, DataError> {
    let context_options = options(record, "context_options")?;
    let gold = gold(record, context_options.len())?;
    Ok(Schema { continuation: record.string("continuation")?.into(), context_options, gold })
}

fn completion(record: &Record) -> Result<Continuation, DataError> {
    Ok(Continuation { context: record.string("context")?.into(), continuation: record.string("continuation")?.into() })
}

fn options(record: &Record, key: &str) -> Result<Vec<String>, DataError> {
    let options = record.strings(key)?;
    if options.len() < 2 {
        return Err(record.wrong(format!("at least two strings under `{key}`"), options.len().to_string()));
    }
    Ok(options)
}

fn gold(record: &Record, options: usize) -> Result<usize, DataError> {
    let gold = record.index("gold")?;
    if gold >= options {
        return Err(record.wrong(format!("`gold` below {options}, the number of choices"), gold.to_string()));
    }
    Ok(gold)
}
