//! `cargo xtask bench --peer`: fireclay's speed and a peer's, measured in turn.
//!
//! Both are programs that print one line of JSON about the same work: `fireclay bench`, and the script of the peer in
//! `scripts/peers`. They run one after the other, again and again, so that other load of the machine affects all of
//! them.

mod flags;
mod shape;
mod figure;
mod work;
mod arguments;
mod program;
mod side;
mod commands;
mod exported;
mod machine;
mod turns;
mod comparison;
mod help;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::build::Invocation;
use crate::error::user;
use arguments::Arguments;
use comparison::Comparison;
use exported::ExportedFile;
use work::Work;

/// Whether `cargo xtask bench …` asks for a peer. If not, it is fireclay's own `bench`.
pub fn is_asked_for(words: &[OsString]) -> bool {
    let words = words.iter().filter_map(|word| word.to_str());
    words.take_while(|&word| word != "--").any(|word| word == "--peer" || word.starts_with("--peer="))
}

/// Measures and prints. `words` are the arguments after `bench`.
pub fn run(words: &[OsString]) -> Result<ExitCode> {
    let mut out = io::stdout();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        writeln!(out, "{}", help::HELP)?;
        return Ok(ExitCode::SUCCESS);
    }
    let invocation = Invocation::parse(words.iter().cloned())?;
    let arguments = Arguments::parse(invocation.arguments())?;
    // Before the build, so that what is missing is reported at once.
    check_files(&arguments.work)?;
    let version = program::version(&mut arguments.work.program(&arguments.python))?;
    let binary = invocation.build()?;
    writeln!(out, "{}", measured(&arguments, &binary, version)?)?;
    Ok(ExitCode::SUCCESS)
}

/// What the user names must be there.
fn check_files(work: &Work) -> Result<()> {
    let Work::Generate(requests) = work else { return Ok(()) };
    for (flag, path) in [("--gguf", &requests.gguf), ("--server", &requests.server)] {
        if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
            return Err(user(format!("{flag} {}: there is no such file", path.display())));
        }
    }
    Ok(())
}

/// The comparison by the binary, as text.
fn measured(arguments: &Arguments, binary: &Path, version: String) -> Result<String> {
    let exported = match &arguments.work {
        Work::Generate(requests) if requests.gguf.is_none() => Some(ExportedFile::write(binary, requests)?),
        _ => None,
    };
    let mut sides = commands::sides(arguments, binary, exported.as_ref().map(ExportedFile::path));
    let crowd = turns::measure_in_turn(&mut sides, &arguments.work.figures(), arguments.rounds)?;
    let comparison = Comparison::new(arguments, version, crowd, &sides);
    Ok(if arguments.json { comparison.json().to_string() } else { comparison.table() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_asked_for_before_two_dashes() {
        let asked = |words: &str| is_asked_for(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asked("bench --peer pytorch") && asked("bench --json --peer=pytorch"));
        assert!(!asked("bench train --json") && !asked("bench -- --peer"));
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let work = |file: &str| Work::Generate(arguments::tests::requests(&format!("--model m {file}")));
        for file in ["--gguf none.gguf", "--server none/llama-server"] {
            let error = check_files(&work(file)).unwrap_err();
            assert_eq!(error.to_string(), format!("{file}: there is no such file"));
            assert_eq!(crate::error::exit_code(&error), 2);
        }
        assert!(check_files(&work("")).is_ok());
    }
}
