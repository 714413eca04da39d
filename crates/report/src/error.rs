//! Errors of reports.

use std::io;
use std::path::PathBuf;

/// Error of a report: one line with the problem, its place and its remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder is missing, or holds something else than a run.
    #[error("{0}")]
    NotARun(String),
    /// No stage has logged a complete step.
    #[error("{}: it has no complete step yet; write the report again after the first step", file.display())]
    NoStep {
        /// File in which the first step will stand.
        file: PathBuf,
    },
    /// A file of the run cannot be read.
    #[error("{}: cannot be read; fix its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The page cannot be written.
    #[error("{}: cannot be written; free some space or fix its permissions", path.display())]
    Write {
        /// The page.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// plotters cannot draw a chart, which no finite frame should cause.
    #[error("could not draw the chart {title}: {reason}")]
    Chart {
        /// Its title.
        title: String,
        /// plotters' reason.
        reason: String,
    },
}
