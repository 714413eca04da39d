//! `fireclay eval`: evaluation of a model on tasks.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use fireclay_data::examples::Benchmark;
use fireclay_eval::battery::battery;
use fireclay_eval::{
    EvalModel, TaskReport, completion, exact_match, multiple_choice, preferences_by_likelihood, preferences_by_reward,
    schema, table, text, win_rate,
};
use fireclay_infer::SamplingConfig;
use fireclay_model::is_score_model;
use fireclay_text::TextModel;
use fireclay_tokenizer::Tokenizer;
use fireclay_train::RunFiles;
use serde_json::{Value, json};

use crate::args::{EvalArgs, LoadArgs};
use crate::console::Console;
use crate::error::{one_line, user};
use crate::eval::{EvalTask, Set, parse_tasks};
use crate::judge::Judge;
use crate::recipe::Recipe;
use crate::run_dir::write_whole;
use crate::{model, model_dir, run_recipe};

/// Evaluates the model on every task, and prints a table or one JSON object.
///
/// # Errors
/// When a flag, a file or a model is wrong, or standard output cannot be written.
pub fn run(args: &EvalArgs, console: Console) -> Result<()> {
    for (flag, number) in
        [("--batch", args.batch), ("--max-tokens", args.max_tokens), ("--limit", args.limit.unwrap_or(1))]
    {
        if number == 0 {
            return Err(user(format!("{flag} 0: give 1 or more")));
        }
    }
    args.cache.bytes()?;
    sampling(args, &[]).validate()?;
    let asked = parse_tasks(&args.task)?;
    check_flags(args, &asked)?;
    let dir = model_dir::resolve(&args.model)?;
    let recipe = run_recipe::near(&args.model, &dir)?;
    let sets = read(args, &asked, recipe.as_ref())?;
    let models = Models::load(args, &dir, &asked)?;

    let mut outcomes = vec![];
    for (asked, set) in asked.iter().zip(sets) {
        let started = Instant::now();
        let outcome = TaskReport { task: asked.name(), ..models.evaluate(args, asked, set)? };
        if outcome.truncated > 0 {
            tracing::warn!(
                "{}: {} texts lost their beginning because they are longer than the context",
                outcome.task,
                outcome.truncated
            );
        }
        if outcome.left_out > 0 {
            tracing::warn!("{}: {} of the examples are left out: too long or unusable", outcome.task, outcome.left_out);
        }
        if !console.quiet {
            tracing::info!("{}: {} in {:.1} s", outcome.task, outcome.n, started.elapsed().as_secs_f64());
        }
        outcomes.push(outcome);
    }
    let tasks: Vec<Value> = outcomes.iter().map(TaskReport::json).collect();
    let mut out = io::stdout();
    if args.json {
        writeln!(out, "{}", json!({"model": args.model.display().to_string(), "tasks": tasks}))?;
    } else {
        writeln!(out, "{}", table(&outcomes))?;
    }
    // The results are already printed: if the run cannot be written, only the copy is lost.
    if RunFiles::new(&args.model).is_run()
        && let Err(error) = keep(&args.model, &dir, &tasks)
    {
        tracing::warn!("the results could not be saved in the run: {}", one_line(&error));
    }
    Ok(())
}

/// Sampling settings of answers.
fn sampling(args: &EvalArgs, stop: &[u32]) -> SamplingConfig {
    SamplingConfig {
        temperature: args.temperature,
        max_tokens: args.max_tokens,
        seed: args.seed,
        stop: stop.iter().map(|&id| vec![id]).collect(),
        ..SamplingConfig::default()
    }
}

/// Checks a task's requirements before anything is loaded.
fn check_flags(args: &EvalArgs, asked: &[EvalTask]) -> Result<()> {
    let wins = asked.iter().any(|one| matches!(one, EvalTask::Wins(_)));
    for (flag, given) in [("--reference", &args.reference), ("--reward", &args.reward)] {
        if wins && given.is_none() {
            return Err(user(format!(
                "--task wins compares with another model and is judged by a reward model; give {flag} DIR"
            )));
        }
    }
    Ok(())
}

fn read(args: &EvalArgs, asked: &[EvalTask], recipe: Option<&Recipe>) -> Result<Vec<Set>> {
    asked.iter().map(|one| Set::read(one, recipe, args.limit)).collect()
}

/// The evaluated model.
enum Subject {
    /// Language model: generates, and scores texts.
    Language(Box<TextModel>),
    /// Reward model: scores answers.
    Reward(Box<Judge>),
}

/// Every model that the tasks need.
struct Models {
    subject: Subject,
    reference: Option<TextModel>,
    reward: Option<Judge>,
}

impl Models {
    fn load(args: &EvalArgs, dir: &Path, asked: &[EvalTask]) -> Result<Self> {
        let device = args.load.device;
        if is_score_model(dir) {
            if let Some(other) = asked.iter().find(|one| !matches!(one, EvalTask::Preferences(_))) {
                return Err(user(format!(
                    "{}: a reward model, which can only do `preferences`; for `{}` give a language model \
                     with --model",
                    args.model.display(),
                    other.name()
                )));
            }
            let subject = Subject::Reward(Box::new(Judge::load("--model", dir, device)?));
            return Ok(Self { subject, reference: None, reward: None });
        }
        let model = model::load(dir, &args.load)?;
        let tokenizer = model.tokenizer()?;
        let reference = args.reference.as_deref().map(|path| reference(path, &args.load, tokenizer)).transpose()?;
        let reward = args.reward.as_deref().map(|path| Judge::load("--reward", path, device)).transpose()?;
        if let Some(reward) = &reward {
            check_same(&reward.dir, &reward.tokenizer, tokenizer)?;
        }
        Ok(Self { subject: Subject::Language(Box::new(model)), reference, reward })
    }

    fn evaluate(&self, args: &EvalArgs, asked: &EvalTask, set: Set) -> Result<TaskReport> {
        let model = match &self.subject {
            Subject::Language(model) => model,
            Subject::Reward(judge) => {
                let Set::Preferences(pairs) = set else {
                    unreachable!("nothing else was let through for a reward model")
                };
                return Ok(preferences_by_reward(&judge.model, &judge.tokenizer, &pairs, args.batch)?);
            }
        };
        let policy = eval_model(model, args)?;
        let reference = self.reference.as_ref().map(|model| eval_model(model, args)).transpose()?;
        let sampling = sampling(args, &model.stop_ids());
        Ok(match set {
            Set::Benchmark(Benchmark::MultipleChoice(questions)) => multiple_choice(&policy, &questions)?,
            Set::Benchmark(Benchmark::Schema(questions)) => schema(&policy, &questions)?,
            Set::Benchmark(Benchmark::Completion(texts)) => completion(&policy, &texts)?,
            Set::Text(path) => text(&policy, &path, args.limit)?,
            Set::Preferences(pairs) => {
                model.chat_tokenizer()?;
                preferences_by_likelihood(&policy, reference.as_ref(), &pairs)?
            }
            Set::Battery(section, tasks) => {
                model.chat_tokenizer()?;
                battery(&policy, &tasks, &section.sampling(&model.sampling())).with_context(|| asked.name())?
            }
            Set::Tasks(tasks) => {
                model.chat_tokenizer()?;
                exact_match(&policy, &tasks, &sampling).with_context(|| asked.name())?
            }
            Set::Wins(tasks) => {
                model.chat_tokenizer()?;
                let (Some(reference), Some(reward)) = (&reference, &self.reward) else {
                    unreachable!("the flags were checked");
                };
                win_rate(&policy, reference, reward.model.clone(), &tasks, &sampling)?
            }
        })
    }
}

fn eval_model<'a>(model: &'a TextModel, args: &EvalArgs) -> Result<EvalModel<'a>> {
    Ok(EvalModel {
        decoder: &model.decoder,
        tokenizer: model.tokenizer()?,
        leading: model.leading_id(),
        batch: args.batch,
        memory: args.cache.bytes()?,
    })
}

fn reference(path: &Path, load: &LoadArgs, tokenizer: &Tokenizer) -> Result<TextModel> {
    let dir = model_dir::resolve(path)?;
    if is_score_model(&dir) {
        return Err(user(format!(
            "--reference {}: a reward model; give a language model to compare with",
            dir.display()
        )));
    }
    let model = model::load(&dir, &load.exact())?;
    check_same(&model.dir, model.tokenizer()?, tokenizer)?;
    Ok(model)
}

/// Models that are compared read the same ids.
fn check_same(dir: &Path, tokenizer: &Tokenizer, of_model: &Tokenizer) -> Result<()> {
    match tokenizer.hash() == of_model.hash() {
        true => Ok(()),
        false => Err(user(format!(
            "{}: this model has another tokenizer than --model; compare models of one tokenizer",
            dir.display()
        ))),
    }
}

/// Writes `RUN/eval.json`. Results of other tasks for the same checkpoint are kept.
fn keep(run: &Path, dir: &Path, tasks: &[Value]) -> Result<()> {
    let file = RunFiles::new(run).evaluation();
    let checkpoint = dir.strip_prefix(run).unwrap_or(dir).display().to_string();
    let before: Option<Value> = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let same = before.filter(|before| before["checkpoint"] == checkpoint.as_str());
    let old = same.and_then(|before| before["tasks"].as_array().cloned()).unwrap_or_default();
    let again = |task: &Value| tasks.iter().any(|new| new["task"] == task["task"]);
    let all: Vec<Value> = old.into_iter().filter(|task| !again(task)).chain(tasks.iter().cloned()).collect();
    let result = json!({"model": run.display().to_string(), "checkpoint": checkpoint, "tasks": all});
    write_whole(&file, &serde_json::to_string_pretty(&result)?)
}
