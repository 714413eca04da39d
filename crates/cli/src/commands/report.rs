//! `fireclay report RUN`.

use std::path::PathBuf;

use anyhow::Result;

use crate::report;

/// Write RUN/report.html: curves, samples, recipe and machine on one self-contained page.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The run directory, as in runs/tiny; training may still be going on.
    pub run: PathBuf,
}

/// Writes the page and prints its path on standard output.
///
/// # Errors
/// One line, when there is no run or the page cannot be written.
pub fn run(args: &Args) -> Result<()> {
    crate::console::say(report::write(&args.run)?.display());
    Ok(())
}
