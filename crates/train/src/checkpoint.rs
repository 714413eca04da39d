//! Checkpoints: a Hugging Face model directory, with the trainer's state in a folder beside the weights.
//!
//! ```text
//! step-000200/
//!     config.json  model.safetensors  tokenizer.json  …
//!     trainer/state.json                step, tokens, position in the data, settings
//!     trainer/optimizer.safetensors     moments by parameter name; a stage may have several optimisers
//!     trainer/checksums.txt             BLAKE3 of every other file; the first line is the checksum of the other lines
//! ```
//!
//! The folder is written under a temporary name, every file is synced, then it is renamed and the rename is synced: a
//! crash at any moment leaves earlier checkpoints intact, and an unfinished one is never used.

use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_files::{rename, sync_folder, unfinished_name};
use fireclay_model::huggingface::TokenIds;
use fireclay_tokenizer::Tokenizer;
use serde::Serialize;
use serde_json::Value;

use crate::optimizer::Optimizers;
use crate::{Optimizer, StageDir, StageFiles, StageRun, TrainConfig, TrainError, Trainable, TrainerState};

const CHECKSUMS: &str = "trainer/checksums.txt";
const STATE: &str = "trainer/state.json";

/// Parts of a checkpoint beside the [`TrainerState`].
#[derive(Debug)]
pub struct CheckpointParts<'a, M> {
    /// The model, without gradients.
    pub model: &'a M,
    /// The tokenizer, saved with the model.
    pub tokenizer: &'a Tokenizer,
    /// Each optimiser with the name of its file.
    pub optimizers: &'a [(&'static str, &'a Optimizer)],
}

/// Saves a checkpoint, then removes all but the last `keep_checkpoints` and the best.
///
/// # Errors
/// [`TrainError::Save`] when it cannot be written: then earlier checkpoints are intact, and the unfinished one is
/// removed.
pub fn save<M: Trainable>(
    stage: &StageDir,
    parts: &CheckpointParts<'_, M>,
    state: &mut TrainerState,
) -> Result<PathBuf, TrainError> {
    let dir = stage.files().checkpoint(state.step);
    state.best = state.new_best().or(state.best);
    let unfinished = unfinished_name(&dir);
    let written = write(stage, &unfinished, parts, state).and_then(|()| {
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        Ok(rename(&unfinished, &dir)?)
    });
    if let Err(source) = written {
        // Best effort: on a full disk this frees space.
        let _ = fs::remove_dir_all(&unfinished);
        return Err(TrainError::Save { dir, source });
    }
    prune(stage, state)?;
    Ok(dir)
}

type Anything = Box<dyn std::error::Error + Send + Sync>;

fn write<M: Trainable>(
    stage: &StageDir,
    dir: &Path,
    parts: &CheckpointParts<'_, M>,
    state: &TrainerState,
) -> Result<(), Anything> {
    let CheckpointParts { model, tokenizer, optimizers } = parts;
    fs::create_dir_all(dir.join("trainer"))?;
    model.save(dir, &token_ids(tokenizer))?;
    stage.write_inherited(dir)?;
    tokenizer.save(dir)?;
    for (name, optimizer) in *optimizers {
        optimizer.save(&optimizer_file(dir, name))?;
    }
    fs::write(dir.join(STATE), serde_json::to_string_pretty(state)?)?;
    let mut sums = String::new();
    for file in files(dir)? {
        let _ = writeln!(sums, "{}  {file}", hash(&dir.join(&file))?);
        File::open(dir.join(&file))?.sync_all()?;
    }
    let sums = format!("{}\n{sums}", blake3::hash(sums.as_bytes()));
    fs::write(dir.join(CHECKSUMS), sums)?;
    File::open(dir.join(CHECKSUMS))?.sync_all()?;
    sync_folder(&dir.join("trainer"))?;
    Ok(sync_folder(dir)?)
}

/// Token ids for `config.json` and `generation_config.json`.
fn token_ids(tokenizer: &Tokenizer) -> TokenIds {
    TokenIds { bos: tokenizer.bos_id(), eos: tokenizer.end_ids(), pad: tokenizer.pad_id() }
}

fn optimizer_file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("trainer/{name}.safetensors"))
}

/// All files below `dir` as paths relative to it, sorted.
fn files(dir: &Path) -> io::Result<Vec<String>> {
    let mut found = vec![];
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?.into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

fn hash(file: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(file)?)?;
    Ok(hasher.finalize())
}

/// A checksum of a model: of `config.json` and the weights in a directory, or of a file. The result is hexadecimal.
///
/// # Errors
/// When a file cannot be read.
pub fn fingerprint(model: &Path) -> io::Result<String> {
    if model.is_file() {
        return Ok(hash(model)?.to_hex().to_string());
    }
    let of_model = |name: &String| {
        let weights = Path::new(name).extension().is_some_and(|extension| extension == "safetensors");
        weights && !name.starts_with("trainer/") || name == "config.json" || name == "adapter_config.json"
    };
    let mut all = blake3::Hasher::new();
    for file in files(model)?.into_iter().filter(of_model) {
        all.update(file.as_bytes()).update(hash(&model.join(&file))?.as_bytes());
    }
    Ok(all.finalize().to_hex().to_string())
}

fn prune(stage: &StageDir, state: &TrainerState) -> Result<(), TrainError> {
    let mut old = stage.files().checkpoints()?;
    old.truncate(old.len().saturating_sub(state.config.keep_checkpoints));
    for (step, dir) in old {
        if state.best.is_none_or(|best| best.step != step) {
            // Renamed first: a crash must not leave a partly deleted checkpoint under its own name.
            let unfinished = unfinished_name(&dir);
            fs::rename(&dir, &unfinished).map_err(TrainError::write(&dir))?;
            fs::remove_dir_all(&unfinished).map_err(TrainError::write(&unfinished))?;
        }
    }
    Ok(())
}

/// The final checkpoint of a stage: the one that the newest marks as best, if it exists, else the newest. Needs no
/// lock.
///
/// # Errors
/// [`TrainError::Io`] when the folder is there but cannot be read.
pub fn final_checkpoint(stage: &StageFiles) -> Result<Option<PathBuf>, TrainError> {
    let mut whole = stage.checkpoints()?;
    whole.retain(|(_, path)| path.join("config.json").is_file());
    let Some((_, newest)) = whole.last() else { return Ok(None) };
    let best = best_step(newest).and_then(|best| whole.iter().find(|(step, _)| *step == best));
    Ok(Some(best.map_or(newest, |(_, path)| path).clone()))
}

/// The best step according to a checkpoint.
fn best_step(checkpoint: &Path) -> Option<u64> {
    let state: Value = serde_json::from_slice(&fs::read(checkpoint.join(STATE)).ok()?).ok()?;
    state.get("best")?.get("step")?.as_u64()
}

/// The beginning of a stage: with the given model, or from a checkpoint.
pub enum Begin<M: Trainable> {
    /// The given model, because there is no checkpoint.
    Fresh(M),
    /// The newest checkpoint.
    Resumed {
        /// The weights, on the requested device.
        model: M,
        /// The optimisers with their moments.
        optimizers: M::Optimizers,
        /// The rest of the state.
        state: Box<TrainerState>,
    },
}

/// The newest checkpoint of a stage, with every byte verified, or `model` if there is none. A resumed stage takes from
/// `model` the parts that checkpoints do not hold; the rest of it is freed.
///
/// # Errors
/// [`TrainError::Damaged`] names the damaged file and the folder to delete, [`TrainError::Changed`] the setting that
/// changed.
pub fn resume<M: Trainable>(run: &StageRun<'_>, model: M, device: &Device) -> Result<Begin<M>, TrainError> {
    let all = run.stage.files().checkpoints()?;
    let Some((_, dir)) = all.last() else { return Ok(Begin::Fresh(model)) };
    let remedy = match all.len() {
        1 => format!("delete the folder {} to start this stage afresh", dir.display()),
        count => format!("delete the folder {} to resume from {}", dir.display(), all[count - 2].1.display()),
    };
    let damaged =
        |file: &str, problem: String| TrainError::Damaged { file: dir.join(file), problem, remedy: remedy.clone() };
    verify(dir).map_err(|(file, problem)| damaged(&file, problem))?;
    let text = fs::read(dir.join(STATE)).map_err(TrainError::read(&dir.join(STATE)))?;
    let state: TrainerState = serde_json::from_slice(&text).map_err(|error| damaged(STATE, error.to_string()))?;
    check_unchanged(dir, run.config, &state)?;
    let changed = |(key, old, new)| TrainError::Changed { dir: dir.clone(), key, old, new };
    if let Some(difference) = difference(&state.settings, &run.settings) {
        return Err(changed(difference));
    }
    if Tokenizer::load(dir)?.hash() != run.tokenizer.hash() {
        return Err(changed(("tokenizer".into(), "another one".into(), "this one".into())));
    }
    let given = model.configuration();
    let model = model.restore(dir, device)?;
    if let Some((key, old, new)) = difference(&model.configuration(), &given) {
        return Err(changed((format!("model.{key}"), old, new)));
    }
    let config = run.config.optimizer();
    let load = |name: &'static str| Optimizer::load(config.clone(), &optimizer_file(dir, name), device);
    let optimizers = M::Optimizers::make(load)?;
    let state = Box::new(TrainerState { config: run.config.clone(), ..state });
    Ok(Begin::Resumed { model, optimizers, state })
}

/// Compares every file with its checksum; the error is the file and the problem.
fn verify(dir: &Path) -> Result<(), (String, String)> {
    let failed = |file: &str| {
        let file = file.to_owned();
        move |error: io::Error| (file, format!("cannot be read: {error}"))
    };
    let text = fs::read_to_string(dir.join(CHECKSUMS)).map_err(failed(CHECKSUMS))?;
    let (own, sums) = text.split_once('\n').unwrap_or_default();
    if own != blake3::hash(sums.as_bytes()).to_hex().as_str() {
        return Err((CHECKSUMS.into(), "does not match its checksum".into()));
    }
    for (expected, file) in sums.lines().filter_map(|line| line.split_once("  ")) {
        if hash(&dir.join(file)).map_err(failed(file))?.to_hex().as_str() != expected {
            return Err((file.into(), "does not match its checksum".into()));
        }
    }
    Ok(())
}

fn check_unchanged(dir: &Path, config: &TrainConfig, state: &TrainerState) -> Result<(), TrainError> {
    let changed = |(key, old, new): (String, String, String)| TrainError::Changed { dir: dir.into(), key, old, new };
    let old = &state.config;
    // The check of the schedule below covers changes of steps and decay_fraction.
    let may_differ = |key: &str| TrainConfig::is_free(key) || key == "steps" || key == "decay_fraction";
    let mut other = differences(old, config).into_iter().filter(|(key, ..)| !may_differ(key));
    if let Some(difference) = other.next() {
        return Err(changed(difference));
    }
    if !config.schedule.agrees_until(state.step, old, config) {
        let difference = difference(old, config).filter(|(key, ..)| key == "steps" || key == "decay_fraction");
        let steps = ("steps".to_owned(), old.steps.to_string(), config.steps.to_string());
        return Err(changed(difference.unwrap_or(steps)));
    }
    if config.steps < state.step {
        return Err(changed(("steps".into(), old.steps.to_string(), config.steps.to_string())));
    }
    Ok(())
}

fn difference<T: Serialize>(old: &T, new: &T) -> Option<(String, String, String)> {
    differences(old, new).into_iter().next()
}

/// The fields in which two values of one type differ: name, old, new. Values without fields have none.
fn differences<T: Serialize>(old: &T, new: &T) -> Vec<(String, String, String)> {
    // Compared as text, because a number read from JSON may differ in its last bit from the one written.
    let fields = |value: &T| -> serde_json::Map<String, Value> {
        let text = serde_json::to_string(value).expect("settings are JSON");
        match serde_json::from_str(&text).expect("settings are JSON") {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        }
    };
    let (old, new) = (fields(old), fields(new));
    let show = |value: Option<&Value>| value.map_or_else(|| "not set".into(), ToString::to_string);
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    let changed = keys.filter(|key| old.get(*key) != new.get(*key));
    changed.map(|key| (key.clone(), show(old.get(key)), show(new.get(key)))).collect()
}
