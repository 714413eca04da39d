//! End-to-end tests: the built binary, as a person or a script would use it.

mod first_run;
mod resume;
mod real_text;
mod bad_input;
mod full_disk;
mod chat;
mod stored_chat;
mod terminal;
mod serve;
mod alignment;
mod eval;
mod show;
mod preferences;
mod brought;
mod hostile;
mod export;
mod merge;
mod disturbed;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Settings that make a run of the embedded corpus a matter of a second: a decoder of some thousand numbers on two
/// hundred short documents.
const SMALL: [&str; 16] = [
    "--set=corpus.documents=200",
    "--set=corpus.validation_documents=10",
    "--set=tokenizer.vocab_size=320",
    "--set=model.layers=1",
    "--set=model.width=32",
    "--set=model.heads=2",
    "--set=pretrain.batch=2",
    "--set=pretrain.context=32",
    "--set=pretrain.warmup_steps=2",
    "--set=pretrain.eval_every=20",
    "--set=pretrain.eval_batches=4",
    "--set=pretrain.sample_every=0",
    "--set=pretrain.sample_tokens=8",
    "--set=pretrain.checkpoint_every=20",
    // Two runs are compared number by number, and a format that is measured could differ between them.
    "--set=pretrain.precision=f32",
    "--set=sft.precision=f32",
];

/// The binary under test, with nothing of the caller's environment that could change what it prints.
fn fireclay() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fireclay"));
    command.stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("RUST_LOG").env_remove("FIRECLAY_ISA");
    command
}

/// A small training run with more flags: of the stages tokenizer and pretrain, unless they name others.
fn train(out: &Path, more: &[&str]) -> Command {
    let mut command = fireclay();
    command.arg("train").args(SMALL).arg("--out").arg(out).args(more);
    if !more.iter().any(|flag| flag.starts_with("--stages")) {
        command.args(["--stages", "tokenizer,pretrain"]);
    }
    command
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the binary starts")
}

/// Standard output of a command that must succeed.
fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{:?}\n{out}\n{err}", output.status);
    out
}

/// A command that must fail with this exit code and one line that has all of `expect`.
fn fail(command: &mut Command, code: i32, expect: &[&str]) {
    let output = run(command);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{}\n{err}", text(&output.stdout));
    let last: Vec<&str> = err.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(last.len(), 1, "one line says what is wrong:\n{err}");
    for part in expect {
        assert!(last[0].contains(part), "{part:?} is not in {:?}", last[0]);
    }
    assert!(!err.contains("panicked") && !err.contains("RUST_BACKTRACE"), "{err}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The weights of a run's last checkpoint of pretraining.
fn final_weights(run: &Path) -> Vec<u8> {
    std::fs::read(last_checkpoint(run).join("model.safetensors")).expect("weights")
}

fn last_checkpoint(run: &Path) -> PathBuf {
    last_checkpoint_of(run, "pretrain")
}

fn last_checkpoint_of(run: &Path, stage: &str) -> PathBuf {
    let folder = run.join(stage).join("checkpoints");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).max().expect("a checkpoint")
}

/// The losses of pretraining's `metrics.jsonl`, with their steps, as written.
fn losses(run: &Path) -> Vec<(u64, serde_json::Value)> {
    losses_of(run, "pretrain")
}

fn losses_of(run: &Path, stage: &str) -> Vec<(u64, serde_json::Value)> {
    let metrics = std::fs::read_to_string(run.join(stage).join("metrics.jsonl")).expect("metrics");
    metrics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a JSON object a line"))
        .filter(|object| object["loss"].is_number())
        .map(|object| (object["step"].as_u64().expect("a step"), object["loss"].clone()))
        .collect()
}

/// Real data that is not part of the project. Tests that need it are ignored, and run with `--ignored`.
fn shared(path: &str) -> PathBuf {
    let root = std::env::var_os("FIRECLAY_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let found = root.join("data").join(path);
    assert!(found.exists(), "{} is not there; FIRECLAY_SHARED names the folder that has data/{path}", found.display());
    found
}
