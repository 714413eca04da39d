//! Resolves `--model DIR` to a folder with weights: a run, a stage, a checkpoint, or any Hugging Face model.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fireclay_eval::battery::{BatteryShares, best_stage};
use fireclay_model::gguf::is_gguf;
use fireclay_model::huggingface::adapter_base;
use fireclay_train::checkpoint::final_checkpoint;
use fireclay_train::{RunFiles, StageFiles};

use crate::error::user;
use crate::near_path::nothing_there;
use crate::stages::Stage;

/// Names of the stages that leave a language model, in the order of a run.
fn policy_stages() -> impl Iterator<Item = &'static str> {
    Stage::ALL.iter().filter(|stage| stage.leaves_policy()).map(|stage| stage.name())
}

/// The folder with `config.json` and weights for `path`, or `path` itself if it is a GGUF file.
///
/// A run directory stands for the finished stage with the best battery score, or the last one if that has no score (if
/// none is finished, the last one with a checkpoint). A stage stands for its best checkpoint, or its newest if none is
/// marked as best.
///
/// # Errors
/// One line that names the missing files.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    if !path.exists() {
        return Err(nothing_there(
            path,
            "--model takes a run directory, a stage, a checkpoint, a Hugging Face model directory, or a GGUF file",
        ));
    }
    if is_gguf(path) {
        return Ok(path.into());
    }
    if !path.is_dir() {
        return Err(user(format!(
            "{shown} is a file but not a GGUF model; give the folder that holds the model's config.json"
        )));
    }
    if path.join("config.json").is_file() || adapter_base(path)?.is_some() {
        return Ok(path.into());
    }
    if StageFiles::new(path).checkpoints_dir().is_dir() {
        return final_checkpoint(&StageFiles::new(path))?.ok_or_else(|| {
            user(format!("{shown}: this stage has no checkpoint yet; wait for the first one, or train it"))
        });
    }
    match stage_of(path)? {
        Some(checkpoint) => Ok(checkpoint),
        None => Err(user(format!(
            "{shown}: no model here; looked for config.json (a model), checkpoints/ (a stage), and {}/ with a \
             checkpoint (a run)",
            policy_stages().collect::<Vec<_>>().join("/, ")
        ))),
    }
}

/// The folder of the reward model for `path`: as [`resolve`], but a run stands for its stage `reward`.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_reward(path: &Path) -> Result<PathBuf> {
    let stage = RunFiles::new(path).stage(Stage::Reward.name());
    resolve(if stage.checkpoints_dir().is_dir() { stage.folder() } else { path })
}

/// A finished stage: its battery shares, its files and its final checkpoint.
type Finished = (Option<BatteryShares>, StageFiles, PathBuf);

/// The checkpoint that a run stands for.
fn stage_of(run: &Path) -> Result<Option<PathBuf>> {
    let mut unfinished = None;
    let mut finished: Vec<Finished> = vec![];
    for stage in policy_stages().map(|stage| RunFiles::new(run).stage(stage)) {
        let Some(checkpoint) = final_checkpoint(&stage)? else { continue };
        if stage.is_done() {
            finished.push((BatteryShares::of_stage(&stage), stage, checkpoint));
        } else {
            unfinished = Some((stage, checkpoint));
        }
    }
    if let Some((_, _, checkpoint)) = best(run, &finished) {
        return Ok(Some(checkpoint.clone()));
    }
    let Some((stage, checkpoint)) = unfinished else { return Ok(None) };
    tracing::warn!("no stage of {} is finished: taking a checkpoint of {}", run.display(), stage.folder().display());
    Ok(Some(checkpoint))
}

/// The stage that a run stands for; see [`best_stage`]. Logs a message if it is not the last.
fn best<'a>(run: &Path, finished: &'a [Finished]) -> Option<&'a Finished> {
    let last = finished.last()?;
    let best = &finished[best_stage(&finished.iter().map(|stage| stage.0).collect::<Vec<_>>())?];
    if let (Some(better), Some(figures), true) = (best.0, last.0, best.1 != last.1) {
        let (taken, left) = (best.1.name(), last.1.name());
        tracing::warn!(
            "{}: taking {taken}, whose battery score is {:.1} ({better}), over {left} with {:.1} ({figures}); \
             --model {} takes {left}",
            run.display(),
            100.0 * better.score(),
            100.0 * figures.score(),
            last.1.folder().display()
        );
    }
    Some(best)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Creates the named files, whose contents may follow a `=`, and resolves `path` among them.
    fn check(files: &[&str], path: &str, expect: Result<&str, &str>) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let (file, text) = file.split_once('=').unwrap_or((file, "{}"));
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        match (resolve(&root.path().join(path)), expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, root.path().join(expect)),
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
            (got, expect) => panic!("{got:?}, not {expect:?}"),
        }
    }

    const RUN: [&str; 4] = [
        "run/recipe.toml",
        "run/pretrain/checkpoints/step-000900/config.json",
        "run/pretrain/checkpoints/step-001000/config.json",
        "run/pretrain/DONE",
    ];

    #[test]
    fn a_run_is_its_last_finished_stage() {
        check(&RUN, "run", Ok("run/pretrain/checkpoints/step-001000"));
        let started = [&RUN[..], &["run/sft/checkpoints/step-000001/config.json"]].concat();
        check(&started, "run", Ok("run/pretrain/checkpoints/step-001000"));
        let finished = [&started[..], &["run/sft/DONE"]].concat();
        check(&finished, "run", Ok("run/sft/checkpoints/step-000001"));
        // A reward model cannot chat.
        let reward = [&finished[..], &["run/reward/checkpoints/step-000001/config.json", "run/reward/DONE"]].concat();
        check(&reward, "run", Ok("run/sft/checkpoints/step-000001"));
    }

    /// A finished stage with its shares of right replies, if it had a battery.
    fn finished(stage: &str, battery: Option<[f64; 2]>) -> [String; 2] {
        let metrics = battery.map_or_else(String::new, |[greedy, sampled]| {
            format!("\"battery\": {greedy}, \"battery_sampled\": {sampled}")
        });
        let done = format!(
            "{{\"step\": 9, \"tokens\": 1, \"seconds\": 1.0, \"val_loss\": null, \"val_bits_per_byte\": null, \
             \"best\": null, \"skipped\": 0, \"checkpoint\": \"\", \"metrics\": {{{metrics}}}}}"
        );
        [format!("run/{stage}/checkpoints/step-000009/config.json"), format!("run/{stage}/DONE={done}")]
    }

    #[test]
    fn a_run_is_the_stage_that_answers_the_battery_best() {
        let taken = |sft: Option<[f64; 2]>, ppo: Option<[f64; 2]>, expect: &str| {
            let files = [finished("sft", sft), finished("ppo", ppo)].concat();
            let files: Vec<&str> = RUN.into_iter().chain(files.iter().map(String::as_str)).collect();
            check(&files, "run", Ok(&format!("run/{expect}/checkpoints/step-000009")));
            check(&files, "run/ppo", Ok("run/ppo/checkpoints/step-000009"));
        };
        taken(Some([0.8, 0.7]), Some([0.9, 0.7]), "ppo");
        taken(Some([0.8, 0.7]), Some([0.7, 0.7]), "sft");
        // Greedy and sampled replies count alike.
        taken(Some([0.8, 0.7]), Some([0.7, 0.9]), "ppo");
        taken(Some([0.8, 0.7]), Some([0.8, 0.7]), "ppo");
        taken(Some([0.8, 0.7]), None, "ppo");
        taken(None, Some([0.1, 0.1]), "ppo");
    }

    #[test]
    fn a_run_in_progress_is_its_last_stage() {
        check(&RUN[..3], "run", Ok("run/pretrain/checkpoints/step-001000"));
    }

    #[test]
    fn a_stage_is_its_best_checkpoint() {
        let best = "run/pretrain/checkpoints/step-001000/trainer/state.json={\"best\": {\"step\": 900}}";
        check(&[&RUN[..], &[best]].concat(), "run/pretrain", Ok("run/pretrain/checkpoints/step-000900"));
        let gone = best.replace("900}", "800}");
        check(&[&RUN[..], &[&gone]].concat(), "run/pretrain", Ok("run/pretrain/checkpoints/step-001000"));
    }

    #[test]
    fn a_checkpoint_or_any_model_is_itself() {
        check(&RUN, "run/pretrain/checkpoints/step-000900", Ok("run/pretrain/checkpoints/step-000900"));
        check(&["model/config.json"], "model", Ok("model"));
    }

    #[test]
    fn what_was_looked_for_is_named() {
        check(&RUN, "nowhere", Err("nothing there; --model takes a run directory"));
        check(&RUN, "run/recipe.toml", Err("is a file but not a GGUF model; give the folder"));
        check(&["run/recipe.toml"], "run", Err("no model here; looked for config.json"));
        check(&["run/pretrain/checkpoints/x"], "run/pretrain", Err("no checkpoint yet"));
    }
}
