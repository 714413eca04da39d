//! `fireclay train`: every stage of a recipe, in order.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use fireclay_corpus::Topic;
use fireclay_eval::battery;
use fireclay_kernels::Isa;
use fireclay_model::Precision;
use fireclay_train::metrics::names;
use fireclay_train::{Interrupt, Outcome, Sample, StageFiles, Summary};

use super::beginning::{self, EarlierRun};
use crate::args::TrainArgs;
use crate::console::{Console, eprint_line, say};
use crate::error::{Interrupted, user};
use crate::plan::Plan;
use crate::recipe::{self, Overrides, Recipe};
use crate::run_dir::{RunDir, write_whole};
use crate::stages::{Context, Leaves, Stage, TrainingStage};
use crate::{chat, device, model_dir, stages};

/// Runs the stages; finished ones are skipped, an interrupted one resumes.
///
/// # Errors
/// One line: the problem, its place and its remedy. [`Interrupted`] after a signal, with everything saved.
pub fn run(args: &TrainArgs, console: Console) -> Result<()> {
    let (device, choice) = crate::device::choose(args.device)?;
    let (recipe, model) = resolve(args, &device, console)?;
    let model = model.as_deref();
    let out = run_path(args, &recipe);
    beginning::check_tokenizer(&recipe, &EarlierRun::new(&out, args.fresh))?;
    let plan = Plan::new(&recipe, model, &device, choice)?;
    if !console.quiet {
        say(&plan);
    }
    plan.check(args.allow_memory, args.allow_long)?;

    let run = RunDir::prepare(&out, &recipe, choice, args.fresh)?;
    let tell = |what: &str, message: String| {
        if !console.quiet {
            say(format!("{what:<11}{message}"));
        }
    };
    let mut interrupt = None;
    for &stage in &recipe.stages {
        let Some(training) = recipe.training_stage(stage) else {
            let (tokenizer, there) = stages::tokenizer(recipe.shared(), &run, model)?;
            let state = if there { "done before" } else { "done" };
            tell(stage.name(), format!("{} tokens, {state}", tokenizer.vocab_size()));
            continue;
        };
        let tokenizer = tokenizer_of(&recipe, &run, model)?;
        let interrupt = match &mut interrupt {
            Some(interrupt) => interrupt,
            none => none.insert(Interrupt::install().context("signals cannot be caught")?),
        };
        let context = Context {
            stage,
            recipe: recipe.shared(),
            before: recipe.stages_before(stage),
            run: &run,
            tokenizer: &tokenizer,
            model,
            device: &device,
            interrupt,
            quiet: console.quiet,
        };
        match stages::train(&context, training)? {
            Outcome::Finished(summary) => {
                tell(stage.name(), describe(training, &summary));
                if let Some(verdict) = stages::verdict(&context, training, &summary) {
                    tell(stage.name(), verdict.line);
                    verdict.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                }
                if interrupt.requested() && recipe.stages.last() != Some(&stage) {
                    return Err(Interrupted(format!(
                        "interrupted after {}; saved in {}: the same command resumes from there",
                        stage.name(),
                        run.path().display()
                    ))
                    .into());
                }
            }
            Outcome::Interrupted(summary) => {
                let message = format!(
                    "interrupted at step {} of {}; saved in {}: the same command resumes from there",
                    summary.step,
                    stage.name(),
                    run.path().display()
                );
                return Err(Interrupted(message).into());
            }
        }
    }
    finish(&recipe, &run, console)
}

/// The requested run directory.
fn run_path(args: &TrainArgs, recipe: &Recipe) -> PathBuf {
    args.out.clone().unwrap_or_else(|| Path::new("runs").join(&recipe.name))
}

/// The recipe with everything the command line says over it, and the folder of the model to begin
/// with; `--depth`'s derivation is printed.
pub(super) fn resolve(args: &TrainArgs, device: &Device, console: Console) -> Result<(Recipe, Option<PathBuf>)> {
    let mut overrides = Overrides {
        recipe: args.recipe.clone(),
        data: args.data.clone(),
        model: args.model.as_ref().map(|model| model.to_string_lossy().into_owned()),
        stages: args.stages.clone(),
        steps: args.steps,
        depth: args.depth,
        precision: args.precision,
        fastest_precision: Precision::F32,
        model_context: None,
        recorded: None,
        seed: args.seed,
        set: args.set.clone(),
    };
    let (mut recipe, mut depth) = recipe::resolve(&overrides)?;
    let model = recipe.model.path.as_deref().map(|path| model_dir::resolve(Path::new(path))).transpose()?;
    overrides.model_context = model.as_deref().and_then(beginning::context_of);
    // The recipe names the run's folder, and a run there sets the values left open, such as precision.
    overrides.recorded = RunDir::recorded(&run_path(args, &recipe)).filter(|_| !args.fresh);
    overrides.fastest_precision = fastest_precision(&recipe, &overrides, model.as_deref(), device)?;
    if overrides.recorded.is_some()
        || overrides.model_context.is_some()
        || overrides.fastest_precision != Precision::F32
    {
        (recipe, depth) = recipe::resolve(&overrides)?;
    }
    if let (Some(needed), true) = (&recipe.data.needs, recipe.data.paths.is_empty()) {
        return Err(user(format!("recipe {:?}: give {needed} with --data FILE", recipe.name)));
    }
    for (stage, section) in recipe.training() {
        if recipe.stages.contains(&stage) && section.train().precision == Precision::Bf16 {
            let asked = format!("{}.precision = \"bf16\"", stage.name());
            device::check_bf16(&asked, device)?;
            if fireclay_kernels::emulates_bf16(device) {
                let isa = Isa::current().name();
                tracing::warn!(
                    "{asked} stays, but {isa} has no bf16 products: they are emulated, slower than f32, which a new \
                     run would choose"
                );
            }
        }
    }
    let run = EarlierRun::new(&run_path(args, &recipe), args.fresh);
    beginning::check_data(&recipe, &run, !args.data.is_empty())?;
    if let Some(context) = overrides.model_context {
        beginning::check_context(&recipe, context)?;
    }
    if let Some(depth) = depth.filter(|_| !console.quiet) {
        eprint_line(depth);
    }
    Ok((recipe, model))
}

/// The number format that is measured to be the faster on this device, with the shapes of the first stage that leaves
/// it open; f32 if none does.
fn fastest_precision(
    recipe: &Recipe,
    overrides: &Overrides,
    model: Option<&Path>,
    device: &Device,
) -> Result<Precision> {
    let open = recipe::open_precision(overrides)?;
    let Some(&first) = recipe.stages.iter().find(|stage| open.contains(stage)) else { return Ok(Precision::F32) };
    let section = recipe.training_stage(first).expect("only stages that train have a number format").train();
    let width = model.and_then(beginning::width_of).unwrap_or(recipe.model.width);
    Ok(fireclay_kernels::fastest_precision(device, section.batch * section.context, width))
}

/// The run's tokenizer; without the stage `tokenizer` in this run it must be there, or come with the model.
fn tokenizer_of(recipe: &Recipe, run: &RunDir, model: Option<&Path>) -> Result<fireclay_tokenizer::Tokenizer> {
    Ok(stages::tokenizer(recipe.shared(), run, model)?.0)
}

/// Results of a finished stage in one line.
fn describe(training: &dyn TrainingStage, summary: &Summary) -> String {
    let (tokens, minutes) = (summary.tokens as f64 / 1e6, summary.seconds / 60.0);
    let steps = format!("{} steps, {tokens:.2}M tokens in {minutes:.1} minutes", summary.step);
    [vec![steps], training.reached(summary)].concat().join(", ")
}

/// Whether a stage of the run that leaves a language model has begun.
fn has_policy(run: &RunDir) -> bool {
    Stage::ALL.iter().filter(|stage| stage.leaves_policy()).any(|stage| run.stage(*stage).has_begun())
}

/// Samples of the last stage, the paths of its files, and the next commands.
fn finish(recipe: &Recipe, run: &RunDir, console: Console) -> Result<()> {
    let Some(last) = recipe.stages.iter().rev().copied().find(|stage| run.stage(*stage).has_begun()) else {
        say(format!("\nrun        {}", run.path().display()));
        return Ok(());
    };
    let report = super::report::write(run.path())?;
    let samples = last_samples(&run.stage(last))?;
    let replies = battery::read(run.files(), Stage::ALL.iter().map(|stage| stage.name()));
    if !console.quiet {
        if let Some(table) = battery::BatteryTable::new(&replies) {
            say(format!("\n{table}"));
        }
        say("");
        for sample in &samples {
            say(format!("sample     {}│{}", printable(&sample.prompt), printable(sample.text.trim_end())));
        }
    }
    say(format!("\nrun        {}", run.path().display()));
    say(format!("report     {}", report.display()));
    // `cargo xtask` says how it was called, so that the command printed here is one that works there.
    let program = std::env::var("FIRECLAY_CALLED_AS").unwrap_or_else(|_| "fireclay".into());
    let next = match last.leaves() {
        Leaves::LanguageModel => {
            let prompt = samples.first().map_or("", |sample| sample.prompt.trim_end());
            format!("generate --model {} --prompt {prompt:?}", run.path().display())
        }
        // A reward model has no samples.
        _ if !has_policy(run) => format!("eval --model {} --task preferences", run.stage(last).folder().display()),
        _ => format!("chat --model {}", run.path().display()),
    };
    match unchanged(run, last)? {
        None => say(format!("next       {program} {next}")),
        Some(learned) => {
            let name = last.name();
            say(format!("next       {program} {next}      # the model that {name} began with, unchanged"));
            say(format!("           {program} chat --model {}      # what {name} learned last", learned.display()));
        }
    }
    let suggestions = suggest(recipe, run, last)?;
    if !suggestions.is_empty() && !console.quiet {
        say(format!("then ask   {}", suggestions.join("\n           ")));
    }
    Ok(())
}

/// The newest checkpoint of a stage that leaves the model it began with.
fn unchanged(run: &RunDir, stage: Stage) -> Result<Option<PathBuf>> {
    let stage = run.stage(stage);
    let summary = stage.summary::<Summary>()?.filter(stages::keeps_start);
    Ok(summary.map(|summary| stage.folder().join(summary.checkpoint)))
}

/// The share of a topic's battery, greedily, from which on a message about it is suggested.
const WORTH_SUGGESTING: f64 = 0.6;

/// Questions for an assistant trained on the embedded corpus, about the topics that it answers well according to its
/// battery, or those of the run that it began with; `chat` and the web page read them from the run.
fn suggest(recipe: &Recipe, run: &RunDir, last: Stage) -> Result<Vec<String>> {
    if last.leaves() == Leaves::LanguageModel {
        return Ok(vec![]);
    }
    if let Some(model) = &recipe.model.path {
        let suggestions = chat::suggestions(Path::new(model));
        if !suggestions.is_empty() {
            write_whole(&run.files().suggestions(), &(suggestions.join("\n") + "\n"))?;
        }
        return Ok(suggestions);
    }
    if !recipe.data.has_corpus() || !recipe.sft.data.data.is_empty() {
        return Ok(vec![]);
    }
    let shares = recipe.sft.data.corpus.shares.weights();
    let summary: Option<Summary> = run.stage(last).summary()?;
    let share = |topic: Topic| summary.as_ref()?.metrics.get(&names::of_topic(topic.name())).copied();
    let suggestions = fireclay_corpus::suggestions(&recipe.corpus.world, |topic| {
        shares[topic as usize] > 0 && share(topic).is_none_or(|share| share >= WORTH_SUGGESTING)
    });
    write_whole(&run.files().suggestions(), &(suggestions.join("\n") + "\n"))?;
    Ok(suggestions)
}

/// The samples of the last step that has any.
fn last_samples(stage: &StageFiles) -> Result<Vec<Sample>> {
    let file = stage.samples();
    let mut samples = if file.exists() { fireclay_train::read_samples(&file)? } else { vec![] };
    let last = samples.iter().map(|sample| sample.step).max();
    samples.retain(|sample| Some(sample.step) == last);
    Ok(samples)
}

/// Text that cannot move the cursor or ring the bell, its lines indented below the first.
fn printable(text: &str) -> String {
    text.replace('\n', "\n           ").replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use fireclay_model::device::DeviceChoice;

    use super::*;

    #[test]
    fn a_run_that_begins_with_another_keeps_its_suggestions() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("first");
        std::fs::create_dir(&first).unwrap();
        std::fs::write(first.join("recipe.toml"), "").unwrap();
        std::fs::write(first.join("suggestions.txt"), "What is 7 + 5?\n").unwrap();
        let mut recipe = Recipe { name: "better".into(), ..Recipe::default() };
        recipe.model.path = Some(first.to_string_lossy().into_owned());
        let run = RunDir::prepare(&folder.path().join("better"), &recipe, DeviceChoice::Cpu, false).unwrap();
        assert_eq!(suggest(&recipe, &run, Stage::Dpo).unwrap(), ["What is 7 + 5?"]);
        assert_eq!(std::fs::read_to_string(run.files().suggestions()).unwrap(), "What is 7 + 5?\n");
    }
}
