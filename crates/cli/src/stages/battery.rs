//! The battery of a stage: during training, and for its final checkpoint.

use anyhow::Result;
use fireclay_eval::battery::{BatteryShares, encode, tasks};
use fireclay_rlhf::StageBattery;
use fireclay_train::{Summary, TrainConfig};

use super::context::Context;
use super::examples::report;
use super::verdict::StageVerdict;
use super::{Stage, TrainingStage};

/// The battery that the recipe describes, if it has one.
///
/// # Errors
/// When its files are wrong, or none of its prompts can be used.
pub fn stage_battery<'a>(context: &Context<'a>, config: &TrainConfig) -> Result<Option<StageBattery<'a>>> {
    let section = context.recipe.battery;
    if !section.is_on() {
        return Ok(None);
    }
    let sampling = section.sampling(&context.recipe.chat.sampling());
    let of_size = |per_topic| {
        let tasks = tasks(&section.data, &context.recipe.world, per_topic)?;
        encode(&tasks, context.tokenizer, config.context, &sampling)
    };
    let (during, _) = of_size(section.during_per_topic())?;
    let (last, skips) = of_size(section.last_per_topic())?;
    report("battery", &skips, last.tasks.len());
    let replies = context.run.stage(context.stage).battery();
    Ok(Some(StageBattery::new(during, last, context.tokenizer, context.device, replies)))
}

/// Verdict on a finished stage that had a battery.
#[must_use]
pub fn verdict(context: &Context, stage: &dyn TrainingStage, summary: &Summary) -> Option<StageVerdict> {
    let figures = |stage: Stage| Some((stage.name(), BatteryShares::of_stage(&context.run.stage(stage))?));
    let (name, before) = (context.stage.name(), context.begins_with().and_then(figures));
    StageVerdict::new(context.run.stage(context.stage).folder(), &stage.remedy(name), summary, before)
}
