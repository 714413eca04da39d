//! `fireclay plan`: the stages of `train`, with estimates of memory and time.

use anyhow::Result;

use super::train::resolve;
use crate::args::PlanArgs;
use crate::console::{Console, say};
use crate::plan::Plan;

/// Prints the resolved recipe and the plan; writes nothing and trains nothing.
///
/// # Errors
/// As `train`, before it begins.
pub fn run(args: &PlanArgs, console: Console) -> Result<()> {
    let (device, choice) = crate::device::choose(args.train.device)?;
    let (recipe, model) = resolve(&args.train, &device, console)?;
    let plan = Plan::new(&recipe, model.as_deref(), &device, choice)?;
    if args.json {
        say(serde_json::to_string_pretty(&plan)?);
        return Ok(());
    }
    // The recipe is long: what the plan says of it comes last, where it is read.
    say(format!("{}\n", toml::to_string(&recipe)?));
    say(&plan);
    if let Err(error) = plan.check(false, false) {
        say(format!("note       {error}"));
    }
    Ok(())
}
