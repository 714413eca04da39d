//! `fireclay completions`: a completion script for a shell.

use std::io::{self, Write};

use anyhow::Result;
use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};

/// Prints the script.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<()> {
    // By way of memory: the generator panics where it cannot write.
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Cli::command(), "fireclay", &mut script);
    Ok(io::stdout().write_all(&script)?)
}
