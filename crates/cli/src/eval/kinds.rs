//! The kinds of tasks: names and help, and how questions are read and asked.
//!
//! Questions are read before any model is loaded: an error in the last file is reported before the first is evaluated.

use anyhow::{Context, Result};
use fireclay_corpus::WorldConfig;
use fireclay_data::DataError;
use fireclay_data::examples::{Benchmark, Examples, FileKind, Task, read_benchmark, read_preferences, read_tasks};
use fireclay_eval::{
    TaskReport, battery, completion, embedded, exact_match, multiple_choice, preferences_by_likelihood,
    preferences_by_reward, schema, text, win_rate,
};

use super::held_out::{battery_section, preferences, prompts};
use super::models::{Models, Subject};
use crate::recipe::Recipe;

/// A kind of task.
#[derive(Debug)]
pub struct TaskKind {
    /// Names on the command line, of which tables show the first. Kinds that only files have none: a file's kind
    /// follows from its keys.
    pub names: &'static [&'static str],
    /// The questions, for the help; empty if the file says it.
    pub help: &'static str,
    /// The file after the name, if there may be one.
    pub file: FileAfter,
    /// The kind of model that it needs.
    pub models: Needs,
    /// Reads the questions.
    pub read: fn(&QuestionSource<'_>) -> Result<Ask>,
}

impl TaskKind {
    /// Of a language model, without a file.
    const fn new(
        names: &'static [&'static str],
        help: &'static str,
        read: fn(&QuestionSource<'_>) -> Result<Ask>,
    ) -> Self {
        Self { names, help, file: FileAfter::Never, models: Needs::Language, read }
    }
}

/// The file after a task's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAfter {
    /// There is none.
    Never,
    /// The next word, if it is a file of this kind.
    Maybe(FileKind),
    /// The next word.
    Always,
}

/// Models that a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A language model.
    Language,
    /// A language model or a reward model.
    Any,
    /// A language model, another one to compare with, and a reward model that judges.
    Compared,
}

/// Where the questions of a task come from.
pub struct QuestionSource<'a> {
    /// The task's name, for errors.
    pub name: &'a str,
    /// Its file; if there is none, the questions are the embedded corpus'.
    pub file: Option<&'a str>,
    /// The recipe of the model's run, which configures the embedded corpus.
    pub recipe: Option<&'a Recipe>,
    /// Largest number of questions.
    pub limit: Option<usize>,
}

/// Asks the questions that were read.
pub type Ask = Box<dyn FnOnce(&Models) -> Result<TaskReport>>;

/// The kinds with names.
pub const NAMED: [&TaskKind; 6] = [
    &TaskKind::new(
        &["battery"],
        "what people type first, asked as the run's recipe says: greedily and as in a chat",
        ask_battery,
    ),
    &TaskKind::new(&["world"], "questions about people whom no conversation asked about", |from| {
        Ok(ask_exactly(from, embedded::world(&from.world(), from.most())))
    }),
    &TaskKind::new(&["arithmetic"], "held-out problems", |from| {
        Ok(ask_exactly(from, embedded::arithmetic(from.most())))
    }),
    &PREFERENCES,
    &TaskKind {
        file: FileAfter::Maybe(FileKind::Tasks),
        models: Needs::Compared,
        ..TaskKind::new(
            &["wins", "win-rate"],
            "answers against those of --reference, judged by --reward; a file of tasks after it gives other prompts",
            ask_wins,
        )
    },
    &TEXT,
];

const PREFERENCES: TaskKind =
    TaskKind { models: Needs::Any, ..TaskKind::new(&["preferences"], "held-out pairs", ask_preferences) };
const TEXT: TaskKind = TaskKind { file: FileAfter::Always, ..TaskKind::new(&["text"], "", |from| Ok(ask_text(from))) };
const BENCHMARK: TaskKind = TaskKind::new(&[], "", ask_benchmark);
const TASKS: TaskKind = TaskKind::new(&[], "", |from| Ok(ask_exactly(from, from.examples(read_tasks)?)));

/// The kind of a file's tasks.
pub fn of_file(kind: FileKind) -> &'static TaskKind {
    match kind {
        FileKind::Benchmark => &BENCHMARK,
        FileKind::Preferences => &PREFERENCES,
        FileKind::Tasks => &TASKS,
        FileKind::Text => &TEXT,
    }
}

impl QuestionSource<'_> {
    fn world(&self) -> WorldConfig {
        self.recipe.map(Recipe::world).unwrap_or_default()
    }

    fn most(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// The first examples of the file; skipped ones and unread keys are reported.
    fn examples<T>(&self, read: fn(&[String]) -> Result<Examples<T>, DataError>) -> Result<Vec<T>> {
        let path = self.file.unwrap_or_default();
        let mut found = read(&[path.to_owned()])?;
        if !found.skips.is_empty() {
            tracing::warn!("{path}: {} examples; {}", found.examples.len(), found.skips);
        }
        for (what, ignored) in found.ignored.iter() {
            tracing::warn!("{path}: {what} ({} examples, the first {})", ignored.count, ignored.first);
        }
        found.examples.truncate(self.most());
        Ok(found.examples)
    }
}

fn ask_battery(from: &QuestionSource) -> Result<Ask> {
    let section = battery_section(from.recipe);
    let tasks = battery::tasks(&section.data, &from.world(), section.last_per_topic())?;
    let (tasks, name) = (embedded::spread(tasks, from.most()), from.name.to_owned());
    Ok(Box::new(move |models| {
        let sampling = section.sampling(&models.chat()?.sampling());
        battery::battery(&models.policy()?, &tasks, &sampling).context(name)
    }))
}

/// Questions whose answers can be checked.
fn ask_exactly(from: &QuestionSource, tasks: Vec<Task>) -> Ask {
    let name = from.name.to_owned();
    Box::new(move |models| {
        models.chat()?;
        exact_match(&models.policy()?, &tasks, &models.sampling()?).context(name)
    })
}

fn ask_preferences(from: &QuestionSource) -> Result<Ask> {
    let pairs = match from.file {
        None => preferences(from.recipe, from.limit),
        Some(_) => from.examples(read_preferences)?,
    };
    Ok(Box::new(move |models| {
        if let Subject::Reward(judge) = &models.subject {
            return Ok(preferences_by_reward(&judge.model, &judge.tokenizer, &pairs, models.batch)?);
        }
        models.chat()?;
        Ok(preferences_by_likelihood(&models.policy()?, models.reference()?.as_ref(), &pairs)?)
    }))
}

fn ask_wins(from: &QuestionSource) -> Result<Ask> {
    let tasks = match from.file {
        None => prompts(from.recipe, from.limit),
        Some(_) => from.examples(read_tasks)?,
    };
    Ok(Box::new(move |models| {
        models.chat()?;
        let (reference, judge) = models.compared()?;
        Ok(win_rate(&models.policy()?, &reference, judge.model.clone(), &tasks, &models.sampling()?)?)
    }))
}

fn ask_text(from: &QuestionSource) -> Ask {
    let (path, limit) = (from.file.unwrap_or_default().to_owned(), from.limit);
    Box::new(move |models| Ok(text(&models.policy()?, &path, limit)?))
}

fn ask_benchmark(from: &QuestionSource) -> Result<Ask> {
    let mut benchmark = read_benchmark(from.file.unwrap_or_default())?;
    match &mut benchmark {
        Benchmark::MultipleChoice(questions) => questions.truncate(from.most()),
        Benchmark::Schema(questions) => questions.truncate(from.most()),
        Benchmark::Completion(texts) => texts.truncate(from.most()),
    }
    Ok(Box::new(move |models| {
        let policy = models.policy()?;
        Ok(match benchmark {
            Benchmark::MultipleChoice(questions) => multiple_choice(&policy, &questions)?,
            Benchmark::Schema(questions) => schema(&policy, &questions)?,
            Benchmark::Completion(texts) => completion(&policy, &texts)?,
        })
    }))
}
