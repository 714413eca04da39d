#![doc = include_str!("../README.md")]
//!
//! # In detail
//!
//! One self-contained page about a run: curves, samples, replies, evaluation, recipe and machine.
//!
//! [`write()`] reads only the run directory, and works while training is running. The page is one HTML file without
//! scripts that loads nothing.
//!
//! Reading order: `run` → `curve` → `chart` → `figures` → `page`.

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

use fireclay_files::write_atomically;
use fireclay_train::RunFiles;

pub use error::ReportError;
pub use page::STYLE;

/// A stage that a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownStage<'a> {
    /// The stage's folder in the run.
    pub name: &'a str,
    /// Its name in words.
    pub title: &'a str,
    /// Whether it trains a network and logs steps; a stage that does not never counts as unfinished.
    pub logs: bool,
    /// Whether its model answers messages.
    pub chats: bool,
}

/// Writes `RUN/report.html` and returns its path. The page is written atomically and replaces an older one.
///
/// Stages stand in the order of the run's recipe, else in that of `known`. A stage that is not in `known` is shown too,
/// under its folder's name.
///
/// # Errors
/// When `run` is no run directory or has no step yet, or when the page cannot be written.
pub fn write(run: &Path, known: &[KnownStage]) -> Result<PathBuf, ReportError> {
    let html = page::html(&run::Run::read(run, known)?)?;
    let target = RunFiles::new(run).report();
    match write_atomically(&target, |file| file.write_all(html.as_bytes())) {
        Ok(()) => Ok(target),
        Err(source) => Err(ReportError::Write { path: target, source }),
    }
}

/// Body of a run's page, as HTML for another page with the style sheet [`STYLE`].
///
/// # Errors
/// As [`write()`], but nothing is written.
pub fn body(run: &Path, known: &[KnownStage]) -> Result<String, ReportError> {
    page::body(&run::Run::read(run, known)?)
}

#[cfg(test)]
mod tests;
