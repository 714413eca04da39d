//! The stage of docs/add-a-stage.md: a section and a row are all that the program needs to know of it.

use std::fs;
use std::path::Path;

use clap::Parser;
use fireclay_model::device::DeviceChoice;
use fireclay_train::{StepMetrics, read_metrics};

use super::Stage;
use crate::args::{Cli, Command, TrainArgs};
use crate::commands;
use crate::console::Console;
use crate::plan::Plan;
use crate::recipe::{Overrides, resolve};

const SMALL: [&str; 11] = [
    "corpus.documents=60",
    "corpus.validation_documents=4",
    "tokenizer.vocab_size=300",
    "model.layers=1",
    "model.width=16",
    "model.heads=2",
    "pretrain.context=32",
    "pretrain.batch=2",
    "motto.checkpoint_every=3",
    "pretrain.precision=f32",
    "motto.precision=f32",
];

fn arguments(out: &Path, more: &[&str]) -> TrainArgs {
    let mut line =
        vec!["fireclay", "train", "--quiet", "--stages=tokenizer,pretrain,motto", "--steps=6", "--device=cpu"];
    line.extend(["--out", out.to_str().unwrap()]);
    line.extend(SMALL.iter().flat_map(|set| ["--set", set]));
    line.extend(more);
    match Cli::try_parse_from(line).unwrap().command {
        Command::Train(args) => args,
        other => panic!("{other:?}"),
    }
}

fn train(out: &Path, more: &[&str]) -> Result<(), String> {
    commands::train::run(&arguments(out, more), Console { quiet: true }).map_err(|error| error.to_string())
}

fn computed(folder: &Path) -> Vec<StepMetrics> {
    let lines = read_metrics(&folder.join("metrics.jsonl")).unwrap();
    lines.into_iter().map(|line| StepMetrics { tokens_per_s: None, mfu: None, seconds: 0.0, ..line }).collect()
}

/// Takes the end of a finished stage away, runs it again, and compares.
fn check_resumes(stage: &str, out: &Path) {
    let folder = out.join(stage);
    let weights = || fs::read(folder.join("checkpoints/step-000006/model.safetensors")).unwrap();
    let (losses, before) = (computed(&folder), weights());
    fs::remove_file(folder.join("DONE")).unwrap();
    fs::remove_dir_all(folder.join("checkpoints/step-000006")).unwrap();
    train(out, &[]).unwrap();
    assert_eq!(computed(&folder), losses);
    assert!(weights() == before, "the weights, to the last bit");
}

#[test]
fn the_documented_stage_runs_resumes_and_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(&out, &[]).unwrap();
    let losses: Vec<f64> = computed(&out.join("motto")).into_iter().filter_map(|line| line.loss).collect();
    assert_eq!(losses.len(), 6);
    assert!(losses[5] < losses[0], "{losses:?}");
    check_resumes("motto", &out);
    // A run stands for its last language model, and its report has a section for it.
    let checkpoint = out.join("motto/checkpoints/step-000006");
    assert_eq!(crate::model_dir::resolve(&out).unwrap(), checkpoint);
    let page = fs::read_to_string(crate::commands::report::write(&out).unwrap()).unwrap();
    assert!(page.contains("id=\"stage-motto\"") && page.contains("Motto"), "the report's section");
    // Settings of learning must not change; settings of the display may.
    let message = train(&out, &["--set", "motto.sentence=Else."]).unwrap_err();
    assert!(message.contains("motto.sentence") && message.contains("--fresh"), "{message}");
    train(&out, &["--set", "motto.sample_every=2"]).unwrap();
}

#[test]
fn the_documented_stage_is_planned_and_checked() {
    let resolved = |set: &str| {
        let stages = ["tokenizer", "pretrain", "motto"].map(str::to_owned).to_vec();
        let set = SMALL.iter().copied().chain([set]).map(str::to_owned).collect();
        resolve(&Overrides { stages, set, ..Overrides::default() }).map_err(|error| error.to_string())
    };
    let (recipe, _) = resolved("motto.steps=7").unwrap();
    let device = DeviceChoice::Cpu.open().unwrap();
    let plan = Plan::new(&recipe, None, &device, DeviceChoice::Cpu).unwrap();
    let planned: Vec<_> = plan.stages.iter().map(|stage| (stage.name, stage.steps, stage.tokens_per_step)).collect();
    assert_eq!(planned[1], (Stage::Motto.name(), 7, 2 * 32), "{planned:?}");
    assert!(resolved("motto.sentence=").unwrap_err().contains("motto.sentence is empty"));
    assert!(resolved("motto.sentense=x").unwrap_err().contains("did you mean `sentence`"));
    assert!(resolved("motto.steps=0").unwrap_err().contains("motto.steps = 0"));
}

#[test]
fn the_page_shows_the_stage_as_it_is() {
    let page = include_str!("../../../../docs/add-a-stage.md");
    let stage = include_str!("motto.rs");
    assert!(page.contains(&format!("```rust\n{stage}```")), "docs/add-a-stage.md shows crates/cli/src/stages/motto.rs");
    assert!(stage.lines().count() < 100);
}
