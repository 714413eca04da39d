//! `fireclay report`: one self-contained page about a run.
//!
//! [`write()`] reads what training left in the run directory, [`run`], and nothing else; it can be asked for while
//! training goes on. Reading order: [`metrics`] → [`curve`] → [`chart`] → [`figures`] → [`page`].

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

mod run;
mod metrics;
mod samples;
mod architecture;
mod machine;
mod evaluation;
mod battery;
mod curve;
mod chart;
mod figures;
mod page;
mod format;

pub use machine::machine;

/// Writes `RUN/report.html` and returns its path. The page appears whole or not at all, over an older one.
///
/// # Errors
/// One line, when `run` is no run directory or has no step yet (a [`UserError`](crate::error::UserError)), or when the page
/// cannot be written.
pub fn write(run: &Path) -> Result<PathBuf> {
    let html = page::html(&run::Run::read(run)?)?;
    let target = run.join("report.html");
    let unfinished = run.join(format!(".report.html.{}", std::process::id()));
    let written = write_synced(&unfinished, &html).and_then(|()| fs::rename(&unfinished, &target));
    if written.is_err() {
        // Whatever happened, the reason that is told is the first one.
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("{}: cannot be written; make room or mend its permissions", target.display()))?;
    Ok(target)
}

fn write_synced(path: &Path, html: &str) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(html.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
