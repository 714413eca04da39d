#![doc = include_str!("../README.md")]
//!
//! # In detail
//!
//! One self-contained page about a run: curves, samples, replies, evaluation, recipe and machine.
//!
//! [`write()`] reads what training left in the run directory and nothing else; it can be asked for while training goes
//! on. The page is one HTML file without scripts that loads nothing.
//!
//! Reading order: `run` → `curve` → `chart` → `figures` → `page`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

mod run;
mod samples;
mod architecture;
mod evaluation;
mod battery;
mod curve;
mod chart;
mod figures;
mod page;
pub mod format;
mod error;

pub use error::ReportError;
pub use page::STYLE;

/// A stage that a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownStage<'a> {
    /// The stage's folder in the run.
    pub name: &'a str,
    /// Its name in words.
    pub title: &'a str,
    /// Whether it trains a network and so logs steps; a stage that does not is never taken for unfinished.
    pub logs: bool,
}

/// Writes `RUN/report.html` and returns its path. The page appears whole or not at all, over an older one.
///
/// Stages stand in the order of the run's recipe, else in that of `known`. A stage that is not in `known` is shown too,
/// under its folder's name.
///
/// # Errors
/// When `run` is no run directory or has no step yet, or when the page cannot be written.
pub fn write(run: &Path, known: &[KnownStage]) -> Result<PathBuf, ReportError> {
    let html = page::html(&run::Run::read(run, known)?)?;
    let target = run.join("report.html");
    let unfinished = run.join(format!(".report.html.{}", std::process::id()));
    let written = write_synced(&unfinished, &html).and_then(|()| fs::rename(&unfinished, &target));
    if written.is_err() {
        // Whatever happened, the reason that is told is the first one.
        let _ = fs::remove_file(&unfinished);
    }
    match written {
        Ok(()) => Ok(target),
        Err(source) => Err(ReportError::Write { path: target, source }),
    }
}

/// What the page says of a run, as HTML for another page with the style sheet [`STYLE`].
///
/// # Errors
/// As [`write()`], but nothing is written.
pub fn body(run: &Path, known: &[KnownStage]) -> Result<String, ReportError> {
    page::body(&run::Run::read(run, known)?)
}

fn write_synced(path: &Path, html: &str) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(html.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
