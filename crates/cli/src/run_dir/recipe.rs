//! A run directory is made for a recipe, and goes on with that one alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use fireclay_model::device::DeviceChoice;
use fireclay_report::format::shell_word;
use fireclay_train::{RunFiles, Schedule};
use toml::{Table, Value};

use super::{RunDir, lock, write_whole};
use crate::console::say;
use crate::device::instruction_set;
use crate::error::user;
use crate::machine::{Machine, machine};
use crate::recipe::Recipe;
use crate::stages::{Stage, TrainingStage};

/// Keys that may change when a run resumes: they affect output and checkpoints, not training.
const FREE_KEYS: [&str; 4] = ["description", "stages", "data.needs", "samples.prompts"];

/// Whether `key` may change when the run resumes: all keys of stages that have not begun may.
fn is_free(run: &RunFiles, recipe: &Recipe, key: &str) -> bool {
    let Some((section, rest)) = key.split_once('.') else { return FREE_KEYS.contains(&key) };
    // Each stage keeps the battery that it began with.
    if section == "battery" || FREE_KEYS.contains(&key) {
        return true;
    }
    let stage = Stage::named(section).and_then(|stage| recipe.training_stage(stage));
    // The number of steps of a stage may change if its schedule so far is the same, which its checkpoint verifies; a
    // cosine of another length is never the same.
    let length = matches!(rest, "steps" | "decay_fraction");
    let lengthened = |stage: &dyn TrainingStage| length && stage.train().schedule != Schedule::Cosine;
    stage.is_some_and(|stage| lengthened(stage) || stage.is_free(rest) || !run.stage(section).has_begun())
}

/// Files that say that a folder is a model's or an adapter's. A run in it would hide the model, or the model the run.
const MODEL_FILES: [&str; 2] = ["config.json", "adapter_config.json"];

impl RunDir {
    /// Creates the directory, or opens an existing one of the same recipe. With `fresh`, an existing run is moved
    /// aside.
    ///
    /// # Errors
    /// When another run is working in the directory, it holds a run of another recipe (the first
    /// differing key is named), it holds a model, with `fresh` it holds something that is no run, or
    /// it cannot be written.
    pub fn prepare(path: &Path, recipe: &Recipe, device: DeviceChoice, fresh: bool) -> Result<Self> {
        let files = RunFiles::new(path);
        if !files.is_run() && MODEL_FILES.iter().any(|name| path.join(name).exists()) {
            return Err(user(format!("{}: holds a model, not a run; give another folder with --out", path.display())));
        }
        let mut lock = lock(&files)?;
        if fresh && is_run(&files)? {
            let aside = free_name(path);
            std::fs::rename(path, &aside)
                .with_context(|| format!("{}: cannot be moved to {}", path.display(), aside.display()))?;
            say(format!("moved      {} to {}", path.display(), aside.display()));
            lock = self::lock(&files)?;
        }
        let run = Self { files, _lock: Arc::new(lock) };
        let written = toml::to_string(recipe).context("a recipe that cannot be written as TOML")?;
        let file = run.files.recipe();
        // Before the first stage has written anything, nothing depends on the recipe.
        let trained = || Stage::ALL.iter().any(|stage| stage.trains() && run.stage(*stage).folder().exists());
        if file.exists() && (run.stage(Stage::Tokenizer).is_done() || trained()) {
            let before =
                std::fs::read_to_string(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
            run.check_same(recipe, &before, &written)?;
        }
        write_whole(&file, &written)?;
        let mut machine = machine();
        machine.device = Some(device.to_string());
        machine.instruction_set = instruction_set(device).map(|now| also(run.earlier_instruction_sets(), now));
        write_whole(&run.files.machine(), &serde_json::to_string_pretty(&machine)?)?;
        Ok(run)
    }

    /// The instruction sets that the run has used so far.
    fn earlier_instruction_sets(&self) -> Option<String> {
        let before = std::fs::read_to_string(self.files.machine()).ok()?;
        serde_json::from_str::<Machine>(&before).ok()?.instruction_set
    }

    /// The resolved recipe of the run in `path`; `None` where there is none that can be read.
    #[must_use]
    pub fn recorded(path: &Path) -> Option<Table> {
        toml::from_str(&std::fs::read_to_string(RunFiles::new(path).recipe()).ok()?).ok()
    }

    fn check_same(&self, recipe: &Recipe, before: &str, now: &str) -> Result<()> {
        let parse = |text: &str| toml::from_str::<Table>(text).map(|table| flatten(&table));
        let Ok(before) = parse(before) else {
            return Err(user(format!(
                "{}: not valid TOML; restore it, or begin again with --fresh or in another folder with --out",
                self.files.recipe().display()
            )));
        };
        let now = parse(now).expect("a table that was just written");
        let changed = now.iter().map(|(key, _)| key).chain(before.iter().map(|(key, _)| key)).find(|key| {
            let value =
                |table: &[(String, Value)]| table.iter().find(|(k, _)| k == *key).map(|(_, value)| value.clone());
            !is_free(&self.files, recipe, key) && value(&before) != value(&now)
        });
        let Some(key) = changed else { return Ok(()) };
        let show = |table: &[(String, Value)]| {
            table.iter().find(|(k, _)| k == key).map_or_else(|| "not set".into(), |(_, value)| value.to_string())
        };
        let cosine = key.strip_suffix(".steps").and_then(Stage::named).and_then(|stage| recipe.training_stage(stage));
        let cosine = match cosine.is_some_and(|stage| stage.train().schedule == Schedule::Cosine) {
            true => " (a cosine of other length is another schedule from its first step on)",
            false => "",
        };
        Err(user(format!(
            "{}: holds a run with {key} = {}, now it is {}{cosine}; give {}--fresh to begin again (the old run is \
             moved aside) or --out for another folder",
            self.path().display(),
            show(&before),
            show(&now),
            going_on(key, &before)
        )))
    }
}

/// The instruction sets of before, and the one of now.
fn also(before: Option<String>, now: &str) -> String {
    match before {
        Some(before) if before.split(", ").any(|name| name == now) => before,
        Some(before) => format!("{before}, {now}"),
        None => now.to_owned(),
    }
}

/// The flag that repeats a run's own value of a key; nothing where the run has none.
fn going_on(key: &str, before: &[(String, Value)]) -> String {
    let Some((_, value)) = before.iter().find(|(name, _)| name == key) else { return String::new() };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    // The flag sets every stage; other seeds, as of the corpus, have no flag.
    let of_stage = |name: &str| name.strip_suffix(".seed").and_then(Stage::named).is_some();
    let is_flag = of_stage(key) && before.iter().all(|(name, other)| !of_stage(name) || other == value);
    let flag = match key {
        "model.path" => format!("--model {}", shell_word(&text)),
        _ if is_flag => format!("--seed {text}"),
        _ => format!("--set {}", shell_word(&format!("{key}={value}"))),
    };
    format!("{flag} to go on with it, ")
}

/// Whether there is a run to move aside; nothing else is moved.
fn is_run(files: &RunFiles) -> Result<bool> {
    if files.is_run() {
        return Ok(true);
    }
    let path = files.folder();
    let mut entries = std::fs::read_dir(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    match entries.any(|entry| entry.is_ok_and(|entry| entry.path() != files.lock())) {
        true => Err(user(format!("{}: holds files but no run; choose another folder with --out", path.display()))),
        false => Ok(false),
    }
}

/// `a.b.c` and value of everything in a table.
fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                found.extend(flatten(inner).into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)));
            }
            value => found.push((key.clone(), value.clone())),
        }
    }
    found
}

/// `runs/tiny` → `runs/tiny.old-1`, or the first number that is free.
fn free_name(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
    (1..=u32::MAX)
        .map(|number| path.with_file_name(format!("{name}.old-{number}")))
        .find(|candidate| !candidate.exists())
        .expect("numbers do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(steps: u64, eval_every: u64) -> Recipe {
        let mut recipe = Recipe { name: "test".into(), ..Recipe::default() };
        recipe.pretrain.steps = steps;
        recipe.pretrain.eval_every = eval_every;
        recipe
    }

    #[test]
    fn every_instruction_set_of_a_run_is_named_once() {
        assert_eq!(also(None, "avx512"), "avx512");
        assert_eq!(also(Some("avx512".into()), "avx2"), "avx512, avx2");
        assert_eq!(also(Some("avx512, avx2".into()), "avx512"), "avx512, avx2");
    }

    #[test]
    fn a_run_goes_on_only_with_its_own_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        RunDir::prepare(&path, &recipe(4, 1), DeviceChoice::Cpu, false).unwrap();
        RunDir::prepare(&path, &recipe(5, 1), DeviceChoice::Cpu, false).unwrap();
        std::fs::create_dir(path.join("pretrain")).unwrap();
        std::fs::write(path.join("pretrain/metrics.jsonl"), "").unwrap();
        RunDir::prepare(&path, &recipe(5, 2), DeviceChoice::Cpu, false).unwrap();
        let running = RunDir::prepare(&path, &recipe(5, 1), DeviceChoice::Cpu, false).unwrap();
        for fresh in [false, true] {
            let message = RunDir::prepare(&path, &recipe(5, 1), DeviceChoice::Cpu, fresh).unwrap_err().to_string();
            assert!(message.contains("another run"), "{message}");
        }
        drop(running);
        let message = RunDir::prepare(&path, &recipe(6, 1), DeviceChoice::Cpu, false).unwrap_err().to_string();
        assert!(message.contains("pretrain.steps = 5, now it is 6") && message.contains("--fresh"), "{message}");
        RunDir::prepare(&path, &recipe(6, 1), DeviceChoice::Cpu, true).unwrap();
        assert!(folder.path().join("run.old-1/recipe.toml").exists());
        assert!(message.contains("give --set pretrain.steps=5 to go on with it, --fresh"), "{message}");
        let message = RunDir::prepare(folder.path(), &recipe(6, 1), DeviceChoice::Cpu, true).unwrap_err().to_string();
        assert!(message.contains("no run"), "{message}");
    }

    #[test]
    fn a_flag_of_a_run_is_offered_again() {
        let before = [
            ("sft.seed", 1.into()),
            ("grpo.seed", 1.into()),
            ("model.path", "/a b".into()),
            ("corpus.world.seed", 7.into()),
        ];
        let mut before = before.map(|(key, value): (&str, Value)| (key.to_owned(), value)).to_vec();
        assert_eq!(going_on("grpo.seed", &before), "--seed 1 to go on with it, ");
        assert_eq!(going_on("model.path", &before), "--model '/a b' to go on with it, ");
        assert_eq!(going_on("sft.steps", &before), "");
        before[0].1 = 2.into();
        assert_eq!(going_on("grpo.seed", &before), "--set grpo.seed=1 to go on with it, ");
    }

    #[test]
    fn a_models_folder_takes_no_run() {
        for file in MODEL_FILES {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(file), "{}").unwrap();
            let message =
                RunDir::prepare(folder.path(), &recipe(1, 1), DeviceChoice::Cpu, false).unwrap_err().to_string();
            assert!(message.contains("holds a model") && message.contains("--out"), "{message}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left in it");
        }
    }
}
