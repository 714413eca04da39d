//! Settings that must be equal when a stage is resumed.

use std::path::Path;

use anyhow::{Context as _, Result};
use fireclay_train::checkpoint::fingerprint;
use serde_json::Value;

use super::{Context, TrainingStage};
use crate::run_dir::RunDir;

/// The settings that a stage must be resumed with: its own, the model that it begins with, the reward model, and the
/// battery.
///
/// # Errors
/// As [`Context::base`], and when a model's files cannot be read.
pub fn settings(context: &Context, training: &dyn TrainingStage) -> Result<Value> {
    let mut settings = training.settings();
    if !training.begins_with_model() {
        return Ok(settings);
    }
    let base = context.base()?;
    // Only a model that is frozen under adapters, or used as a reference, is read again.
    let needed = training.lora().is_some() || !training.learns_from().is_given_text();
    let named = if needed { with_checksum(context.run, &base)? } else { within_run(context.run, &base) };
    settings["begins_with"] = named.into();
    if let Some(data) = training.learns_from().prompts()
        && data.rewards.learned != 0.0
        && let Ok(judge) = context.reward_model_dir(data)
    {
        settings["judged_by"] = with_checksum(context.run, &judge)?.into();
    }
    let battery = context.recipe.battery;
    if battery.is_on() && context.stage.has_battery() {
        // It selects the best checkpoint. The number of prompts at the end may change.
        let mut asked = serde_json::to_value(battery)?;
        asked.as_object_mut().and_then(|asked| asked.remove("final_per_topic"));
        settings["battery"] = asked;
    }
    Ok(settings)
}

/// A path as the run sees it.
fn within_run(run: &RunDir, path: &Path) -> String {
    path.strip_prefix(run.path()).unwrap_or(path).display().to_string()
}

/// A model's path, and a checksum of its files.
fn with_checksum(run: &RunDir, model: &Path) -> Result<String> {
    let checksum = fingerprint(model).with_context(|| model.display().to_string())?;
    Ok(format!("{} (checksum {})", within_run(run, model), &checksum[..16]))
}
