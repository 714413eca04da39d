//! `fireclay eval`: evaluation of a model on tasks.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use fireclay_eval::{TaskReport, table};
use fireclay_infer::SamplingConfig;
use fireclay_model::is_score_model;
use fireclay_text::TextModel;
use fireclay_tokenizer::Tokenizer;
use fireclay_train::RunFiles;
use serde_json::{Value, json};

use crate::args::{EvalArgs, LoadArgs};
use crate::console::Console;
use crate::error::{one_line, user};
use crate::eval::{EvalTask, Models, Needs, Subject, missing, only_scores, parse_tasks};
use crate::judge::Judge;
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
    sampling(args).validate()?;
    let asked = parse_tasks(&args.task)?;
    check_flags(args, &asked)?;
    let dir = model_dir::resolve(&args.model)?;
    let recipe = run_recipe::near(&args.model, &dir)?;
    let questions = asked.iter().map(|task| task.read(recipe.as_ref(), args.limit)).collect::<Result<Vec<_>>>()?;
    let models = load(args, &dir, &asked)?;

    let mut outcomes = vec![];
    for (task, ask) in asked.iter().zip(questions) {
        let started = Instant::now();
        let outcome = TaskReport { task: task.name(), ..ask(&models)? };
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
fn sampling(args: &EvalArgs) -> SamplingConfig {
    SamplingConfig {
        temperature: args.temperature,
        max_tokens: args.max_tokens,
        seed: args.seed,
        ..SamplingConfig::default()
    }
}

/// Checks what the tasks need before anything is loaded.
fn check_flags(args: &EvalArgs, asked: &[EvalTask]) -> Result<()> {
    let compared = asked.iter().any(|task| task.kind.models == Needs::Compared);
    for (flag, given) in [("--reference", &args.reference), ("--reward", &args.reward)] {
        if compared && given.is_none() {
            return Err(missing(flag));
        }
    }
    Ok(())
}

/// Loads what the flags name; `dir` is the folder of `--model`.
fn load(args: &EvalArgs, dir: &Path, asked: &[EvalTask]) -> Result<Models> {
    let device = args.load.device;
    let (batch, memory, sampling) = (args.batch, args.cache.bytes()?, sampling(args));
    if is_score_model(dir) {
        if let Some(other) = asked.iter().find(|task| task.kind.models != Needs::Any) {
            return Err(only_scores(&args.model, &other.name()));
        }
        let subject = Subject::Reward(Box::new(Judge::load("--model", dir, device)?));
        return Ok(Models { subject, reference: None, reward: None, batch, memory, sampling });
    }
    let model = model::load(dir, &args.load)?;
    let tokenizer = model.tokenizer()?;
    let reference = args.reference.as_deref().map(|path| reference(path, &args.load, tokenizer)).transpose()?;
    let reward = args.reward.as_deref().map(|path| Judge::load("--reward", path, device)).transpose()?;
    if let Some(reward) = &reward {
        check_same(&reward.dir, &reward.tokenizer, tokenizer)?;
    }
    Ok(Models { subject: Subject::Language(Box::new(model)), reference, reward, batch, memory, sampling })
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
