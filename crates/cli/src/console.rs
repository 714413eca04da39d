//! What is said on standard error, and how: results alone go to standard output.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};

use tracing_subscriber::EnvFilter;

use crate::args::TalkArgs;

/// How to talk to the person at the other end.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Only errors are said.
    pub quiet: bool,
}

impl Console {
    /// Sets up logging for the whole program: warnings of every crate, notes of our own, or as `--quiet` and `--verbose` say. Colours
    /// only on a terminal and without `NO_COLOR` (no-color.org).
    pub fn new(talk: TalkArgs) -> Self {
        let colour = colours(stderr().is_terminal());
        let filter = match talk {
            TalkArgs { quiet: true, .. } => "error",
            TalkArgs { verbose: true, .. } => "info,fireclay=debug",
            _ => "warn,fireclay=info",
        };
        // Fails only where a logger is set already, which is then as good.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_writer(stderr)
            .with_ansi(colour)
            .with_target(talk.verbose)
            .with_level(talk.verbose)
            .without_time()
            .try_init();
        Self { quiet: talk.quiet }
    }
}

/// Whether to write in colours: only on a terminal, and without `NO_COLOR` (no-color.org).
pub fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A line on standard output. Whoever reads it may have gone, as `head` does: that does not stop the work.
pub fn say(line: impl Display) {
    let _ = writeln!(stdout(), "{line}");
}
