//! `fireclay report RUN`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fireclay_report::KnownStage;

use crate::args::ReportArgs;
use crate::near_path::nothing_there;
use crate::stages::{Leaves, Stage};

/// Writes the page and prints its path on standard output.
///
/// # Errors
/// One line, when there is no run or the page cannot be written.
pub fn run(args: &ReportArgs) -> Result<()> {
    if !args.run.exists() {
        return Err(nothing_there(&args.run, "give a run directory, as `train --out` has it"));
    }
    crate::console::say(write(&args.run)?.display());
    Ok(())
}

/// Writes the page of a run, whose stages it names as the table of stages does.
///
/// # Errors
/// As [`fireclay_report::write`].
pub fn write(run: &Path) -> Result<PathBuf> {
    Ok(fireclay_report::write(run, &known())?)
}

/// Body of the report, for another page.
///
/// # Errors
/// As [`fireclay_report::body`].
pub fn body(run: &Path) -> Result<String> {
    Ok(fireclay_report::body(run, &known())?)
}

fn known() -> Vec<KnownStage<'static>> {
    let known = |stage: &Stage| KnownStage {
        name: stage.name(),
        title: stage.title(),
        logs: stage.trains(),
        chats: stage.leaves() == Leaves::Assistant,
    };
    Stage::ALL.iter().map(known).collect()
}
