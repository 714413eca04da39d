//! `cargo xtask`: builds and runs fireclay with the wished features, and checks the workspace.

mod build;
mod checks;
mod error;
mod peer;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use build::Invocation;

const HELP: &str = "\
Build fireclay and run it, or check the workspace.

Usage: cargo xtask COMMAND [--features F[,G]] [--no-default-features] [ARGUMENTS]

Any command of fireclay: the binary is built in release mode, then runs with the arguments
  cargo xtask train                                  train on the embedded corpus
  cargo xtask train --data book.txt --out runs/book  train on your own text
  cargo xtask generate --model runs/tiny --prompt \"Once upon a time\"
  cargo xtask train --help                           what fireclay's own help says

--features adds backends to the default CPU one: wgpu, vulkan, metal, webgpu, cuda, rocm
  cargo xtask train --features vulkan
  cargo xtask bench train --features cuda --device cuda:0 --json

Speed beside PyTorch's and llama.cpp's, in turn; --help behind either says more
  cargo xtask bench --peer pytorch                 the same training step in both
  cargo xtask bench --peer pytorch --work prefill  the same prompt
  cargo xtask bench --peer llamacpp --model DIR    the same requests

Checks, as continuous integration runs them
  cargo xtask check     formatting, clippy, documentation, tests
  cargo xtask ci        the same; before the tests packages of all crates, a short training run, a shared database
                        and a second backend
  cargo xtask build     only build the binary, and print where it is

Paths are relative to the folder you are in. fireclay's exit code is passed on.";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let result = match arguments.first().and_then(|command| command.to_str()) {
        None | Some("help" | "-h" | "--help") => {
            // The reader of a pipe may stop early.
            let _ = writeln!(io::stdout(), "{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Some("check") => checks::check(),
        Some("ci") => checks::ci(),
        Some("build") => Invocation::parse(arguments.into_iter().skip(1)).and_then(|invocation| {
            println!("{}", invocation.build()?.display());
            Ok(ExitCode::SUCCESS)
        }),
        Some("bench") if peer::is_asked_for(&arguments) => peer::run(&arguments[1..]),
        Some(_) => Invocation::parse(arguments.into_iter()).and_then(|invocation| invocation.run()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(error::exit_code(&error))
    })
}
