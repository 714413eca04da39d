//! The questions of a task, which are read before any model is loaded: an error in the last file is reported before the
//! first is evaluated.

use std::slice::from_ref;

use anyhow::Result;
use fireclay_data::examples::{Benchmark, Examples, Preference, Task, read_benchmark, read_preferences, read_tasks};

use fireclay_eval::{battery, embedded};

use super::EvalTask;
use super::held_out::{battery_section, preferences, prompts};
use crate::recipe::{BatterySection, Recipe};

/// The questions of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Set {
    /// Common first messages, and their sampling settings.
    Battery(BatterySection, Vec<Task>),
    /// Choices, schemas or completions.
    Benchmark(Benchmark),
    /// Questions whose answers can be checked.
    Tasks(Vec<Task>),
    /// Pairs of answers.
    Preferences(Vec<Preference>),
    /// Prompts that two models answer.
    Wins(Vec<Task>),
    /// A file of documents, which are read when they are scored.
    Text(String),
}

impl Set {
    /// Reads or generates the questions of a task, at most `limit`. A run's recipe configures its embedded corpus.
    ///
    /// # Errors
    /// When a file is damaged; the message names the line.
    pub fn read(asked: &EvalTask, recipe: Option<&Recipe>, limit: Option<usize>) -> Result<Self> {
        let most = limit.unwrap_or(usize::MAX);
        Ok(match asked {
            EvalTask::Battery => {
                let section = battery_section(recipe);
                let tasks = battery::tasks(
                    &section.data,
                    &recipe.map(Recipe::world).unwrap_or_default(),
                    section.last_per_topic(),
                )?;
                Self::Battery(section, embedded::spread(tasks, most))
            }
            EvalTask::World => Self::Tasks(embedded::world(&recipe.map(Recipe::world).unwrap_or_default(), most)),
            EvalTask::Arithmetic => Self::Tasks(embedded::arithmetic(most)),
            EvalTask::Preferences(None) => Self::Preferences(preferences(recipe, limit)),
            EvalTask::Preferences(Some(path)) => Self::Preferences(kept(path, read_preferences(from_ref(path))?, most)),
            EvalTask::Wins(None) => Self::Wins(prompts(recipe, limit)),
            EvalTask::Wins(Some(path)) => Self::Wins(kept(path, read_tasks(from_ref(path))?, most)),
            EvalTask::Tasks(path) => Self::Tasks(kept(path, read_tasks(from_ref(path))?, most)),
            EvalTask::Benchmark(path) => Self::Benchmark(first(read_benchmark(path)?, most)),
            EvalTask::Text(path) => Self::Text(path.clone()),
        })
    }
}

/// The first examples of a file; skipped ones are reported.
fn kept<T>(path: &str, mut found: Examples<T>, most: usize) -> Vec<T> {
    if !found.skips.is_empty() {
        tracing::warn!("{path}: {} examples; {}", found.examples.len(), found.skips);
    }
    found.examples.truncate(most);
    found.examples
}

fn first(mut benchmark: Benchmark, most: usize) -> Benchmark {
    match &mut benchmark {
        Benchmark::MultipleChoice(questions) => questions.truncate(most),
        Benchmark::Schema(questions) => questions.truncate(most),
        Benchmark::Completion(texts) => texts.truncate(most),
    }
    benchmark
}
