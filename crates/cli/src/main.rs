//! `fireclay`: the command line. It parses, does one thing, and prints errors in one place.
//!
//! Libraries, each usable alone, do the work:
//!
//! | to | start at |
//! |---|---|
//! | generate text to learn from | [`fireclay_corpus`] |
//! | turn text into token ids, and conversations into text | [`fireclay_tokenizer`] |
//! | read texts and examples, and make batches of them | [`fireclay_data`] |
//! | build, load and save a decoder | [`fireclay_model`], on the operations of `fireclay_kernels` |
//! | generate from ids, or from text | [`fireclay_infer`], [`fireclay_text`] |
//! | train a decoder | [`fireclay_train`] |
//! | fine-tune and align it | [`fireclay_rlhf`] |
//! | measure it, and report on a run | [`fireclay_eval`], [`fireclay_report`] |
//! | serve it over HTTP | [`fireclay_serve`] |
//!
//! Reading order: [`args`] → [`recipe`] → [`commands`] → [`stages`].

mod tokenizer_kind;
mod args;
mod recipe;
mod plan;
mod commands;
mod stages;
mod run_dir;
mod run_recipe;
mod machine;
mod model_dir;
mod model;
mod judge;
mod eval;
mod show;
mod chat;
mod device;
mod ids;
mod text_file;
mod console;
mod allocator;
mod threads;
mod error;
mod nearest;
mod near_path;
mod database;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use fireclay_tokenizer::TokenizerError;

use args::{Cli, Command};
use console::Console;

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    threads::compute_on_this_one_too();
    let code = match Cli::try_parse() {
        Ok(cli) => dispatch(cli),
        Err(stop) => usage(&stop),
    };
    ExitCode::from(code)
}

/// Runs the command; the exit code, after its error was printed if it has one.
fn dispatch(cli: Cli) -> u8 {
    let console = Console::new(cli.talk.quiet, cli.talk.verbose);
    match catch_unwind(AssertUnwindSafe(|| run(cli.command, console))) {
        Ok(Ok(())) => error::DONE,
        Ok(Err(error)) if error::is_broken_pipe(&error) => error::DONE,
        Ok(Err(error)) => {
            let code = error::exit_code(&error);
            let prefix = if code == error::INTERRUPTED { "" } else { "error: " };
            console::eprint_line(format!("{prefix}{}", error::one_line(&error)));
            code
        }
        // Encoding does not fail with a sound tokenizer, so it gives no `Result`: a damaged one unwinds with its error.
        Err(payload) if payload.is::<TokenizerError>() => {
            let error = payload.downcast::<TokenizerError>().expect("it is one");
            console::eprint_line(format!("error: {}", error::one_line(&(*error).into())));
            error::USAGE
        }
        // The panic's own message stands above: it is a defect, and the place matters.
        Err(_) => {
            console::eprint_line("error: this is a defect of fireclay; please report it with the lines above");
            error::FAILED
        }
    }
}

fn run(command: Command, console: Console) -> Result<()> {
    threads::check()?;
    if !matches!(command, Command::Bench(_)) {
        device::choose_instruction_set(None)?;
    }
    match command {
        Command::Train(args) => commands::train::run(&args, console),
        Command::Plan(args) => commands::plan::run(&args, console),
        Command::Tokenizer(args) => commands::tokenizer::run(&args.command),
        Command::Data(args) => commands::data::run(&args.command),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Chat(args) => commands::chat::run(&args, console),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Score(args) => commands::score::run(&args),
        Command::Eval(args) => commands::eval::run(&args, console),
        Command::Watch(args) => commands::watch::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Merge(args) => commands::merge::run(&args),
        Command::Bench(args) => commands::bench::run(&args.command),
        Command::Completions(args) => commands::completions::run(&args),
    }
}

/// Prints clap's output: help and version as they are, mistakes in one line.
fn usage(stop: &clap::Error) -> u8 {
    if !stop.use_stderr() || stop.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A closed pipe is no reason to complain.
        let _ = stop.print();
        return if stop.use_stderr() { error::USAGE } else { error::DONE };
    }
    console::eprint_line(error::usage_line(stop));
    error::USAGE
}
