//! `fireclay train`: every stage of a recipe, in order.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fireclay_train::{Outcome, Summary};

use crate::args::TrainArgs;
use crate::console::Console;
use crate::error::{Interrupted, user};
use crate::plan::Plan;
use crate::recipe::{self, Overrides, Recipe, Stage};
use crate::run_dir::RunDir;
use crate::{model_dir, report, stages};

/// Runs the stages; finished ones are skipped, a cut-off one resumes.
///
/// # Errors
/// One line: what, where, how to mend it. [`Interrupted`] after a signal, with everything saved.
pub fn run(args: &TrainArgs, console: Console) -> Result<()> {
    let (recipe, model) = resolve(args, console)?;
    let model = model.as_deref();
    let (device, device_name) = crate::device::choose(args.device.as_deref())?;
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(&recipe.name));
    let plan = Plan::new(&recipe, model, &device, &device_name)?;
    if !console.quiet {
        print!("{plan}");
    }
    plan.check_memory(args.allow_memory)?;

    let run = RunDir::prepare(&out, &recipe, &device_name, args.fresh)?;
    let say = |what: &str, message: String| {
        if !console.quiet {
            println!("{what:<11}{message}");
        }
    };
    for stage in &recipe.stages {
        match stage {
            Stage::Tokenizer => {
                let (tokenizer, there) = stages::tokenizer(&recipe, &run, model)?;
                let state = if there { "done before" } else { "done" };
                say("tokenizer", format!("{} tokens, {state}", tokenizer.vocab_size()));
            }
            Stage::Pretrain => {
                let tokenizer = tokenizer_of(&recipe, &run, model)?;
                let outcome = stages::pretrain(&recipe, &run, &tokenizer, model, &device, console.quiet)?;
                match outcome {
                    Outcome::Finished(summary) => say("pretrain", describe(&summary)),
                    Outcome::Interrupted(summary) => {
                        let message = format!(
                            "interrupted at step {}; saved in {}: the same command goes on from there",
                            summary.step,
                            run.path().display()
                        );
                        return Err(Interrupted(message).into());
                    }
                }
            }
        }
    }
    finish(&recipe, &run, console)
}

/// The recipe with everything the command line says over it, and the folder of the model to begin with; `--depth`'s derivation is printed.
pub(super) fn resolve(args: &TrainArgs, console: Console) -> Result<(Recipe, Option<PathBuf>)> {
    let (mut recipe, depth) = recipe::resolve(&Overrides {
        recipe: args.recipe.clone(),
        data: args.data.clone(),
        stages: args.stages.clone(),
        steps: args.steps,
        depth: args.depth,
        precision: args.precision.clone(),
        seed: args.seed,
        set: args.set.clone(),
    })?;
    if recipe.data.paths.is_empty() && recipe.name == "shakespeare-char" {
        return Err(user("recipe \"shakespeare-char\": give tinyshakespeare's text with --data FILE"));
    }
    if let Some(depth) = depth.filter(|_| !console.quiet) {
        eprintln!("{depth}");
    }
    let model = args.model.as_deref().map(model_dir::resolve).transpose()?;
    if let Some(model) = &model {
        use_shape_of(&mut recipe, model)?;
    }
    Ok((recipe, model))
}

/// A run from an imported model has that model's shape, whatever the recipe says.
fn use_shape_of(recipe: &mut Recipe, model: &Path) -> Result<()> {
    let config = fireclay_model::huggingface::load_config(model)?;
    let section = &mut recipe.model;
    (section.layers, section.width, section.heads) = (config.layers, config.width, config.heads);
    section.kv_heads = Some(config.kv_heads);
    section.head_dim = Some(config.head_dim);
    section.ffn_width = Some(config.ffn_width);
    section.context = Some(config.context);
    Ok(())
}

/// The run's tokenizer; without the stage `tokenizer` in this run it must be there, or come with the model.
fn tokenizer_of(recipe: &Recipe, run: &RunDir, model: Option<&Path>) -> Result<fireclay_tokenizer::Tokenizer> {
    let there = run.folder("tokenizer").join("DONE").exists();
    if !there && model.is_none() && recipe.tokenizer.path.is_none() {
        return Err(user(format!(
            "{}: there is no tokenizer yet; run the stage `tokenizer` first (--stages tokenizer,pretrain), or set tokenizer.path",
            run.path().display()
        )));
    }
    Ok(stages::tokenizer(recipe, run, model)?.0)
}

/// What a finished stage reached, in a line.
fn describe(summary: &Summary) -> String {
    let validation = match (summary.val_loss, summary.val_bits_per_byte) {
        (Some(loss), Some(bits)) => format!(", validation loss {loss:.4} ({bits:.3} bits per byte)"),
        (Some(loss), None) => format!(", validation loss {loss:.4}"),
        _ => String::new(),
    };
    let minutes = summary.seconds / 60.0;
    format!("{} steps, {:.2}M tokens in {minutes:.1} minutes{validation}", summary.step, summary.tokens as f64 / 1e6)
}

/// Samples, where everything is, and what to do next.
fn finish(recipe: &Recipe, run: &RunDir, console: Console) -> Result<()> {
    if !recipe.stages.contains(&Stage::Pretrain) {
        println!("\nrun        {}", run.path().display());
        return Ok(());
    }
    let report = report::write(run.path())?;
    if !console.quiet {
        print_samples(&run.folder(Stage::Pretrain.name()))?;
    }
    println!("\nrun        {}", run.path().display());
    println!("report     {}", report.display());
    let prompt = recipe.samples.prompts.first().map_or("Once upon a time", String::as_str).trim();
    println!("next       fireclay generate --model {} --prompt {prompt:?}", run.path().display());
    Ok(())
}

/// The samples of the last step.
fn print_samples(stage: &Path) -> Result<()> {
    let samples = fireclay_train::read_samples(&stage.join("samples.jsonl"))?;
    let last = samples.iter().map(|sample| sample.step).max();
    println!();
    for sample in samples.iter().filter(|sample| Some(sample.step) == last) {
        let text = printable(sample.text.trim_end());
        println!("sample     {}│{text}", printable(&sample.prompt));
    }
    Ok(())
}

/// Text that cannot move the cursor or ring the bell, its lines indented below the first.
fn printable(text: &str) -> String {
    text.replace('\n', "\n           ").replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}
