//! Exit code and one-line message of an error.

use std::io;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use fireclay_data::DataError;
use fireclay_eval::EvalError;
use fireclay_infer::InferError;
use fireclay_kernels::bench::ImpossibleShape;
use fireclay_model::ModelError;
use fireclay_report::ReportError;
use fireclay_serve::ServeError;
use fireclay_serve::store::StoreError;
use fireclay_text::TextError;
use fireclay_tokenizer::TokenizerError;
use fireclay_train::TrainError;

use crate::recipe::RecipeError;

/// Everything went as it should.
pub const DONE: u8 = 0;
/// Something that is not the user's doing: a full disk, a defect.
pub const FAILED: u8 = 1;
/// The user's input was wrong.
pub const USAGE: u8 = 2;
/// A signal ended the run after it had saved.
pub const INTERRUPTED: u8 = 130;

/// An error of the user: one line with the problem, its place, and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UserError(pub String);

/// The run was interrupted, and saved its state.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

/// A [`UserError`] to return with `?` or `Err`.
pub fn user(message: impl Into<String>) -> anyhow::Error {
    UserError(message.into()).into()
}

/// The exit code of an error. The first cause that says whose fault it is decides.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(FAILED)
}

fn code_of(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    let by_fault = |user: bool| Some(if user { USAGE } else { FAILED });
    if cause.is::<Interrupted>() {
        return Some(INTERRUPTED);
    }
    if cause.is::<UserError>() || cause.is::<RecipeError>() || cause.is::<InferError>() || cause.is::<ImpossibleShape>()
    {
        return Some(USAGE);
    }
    if let Some(error) = cause.downcast_ref::<TrainError>() {
        return match error {
            TrainError::Data(inner) => code_of(inner),
            TrainError::Model(inner) => code_of(inner),
            TrainError::Tokenizer(inner) => code_of(inner),
            TrainError::Infer(inner) => code_of(inner),
            own => by_fault(own.is_user_error()),
        };
    }
    if let Some(error) = cause.downcast_ref::<EvalError>() {
        return match error {
            EvalError::Data(inner) => code_of(inner),
            EvalError::Tokenizer(inner) => code_of(inner),
            EvalError::Infer(inner) => code_of(inner),
            EvalError::Train(inner) => code_of(inner),
            _ => Some(USAGE),
        };
    }
    if let Some(error) = cause.downcast_ref::<ReportError>() {
        return match error {
            ReportError::NotARun(_) | ReportError::NoStep { .. } => Some(USAGE),
            ReportError::Read { source, .. } | ReportError::Write { source, .. } => Some(of_io(source.kind())),
            _ => Some(FAILED),
        };
    }
    if let Some(error) = cause.downcast_ref::<DataError>() {
        return match error {
            DataError::Read { source, .. } => Some(of_io(source.kind())),
            other => by_fault(other.is_input_error()),
        };
    }
    if let Some(error) = cause.downcast_ref::<ServeError>() {
        return match error {
            ServeError::Text(inner) => code_of(inner),
            ServeError::Store(inner) => code_of(inner),
            other => by_fault(other.is_user_error()),
        };
    }
    if let Some(error) = cause.downcast_ref::<TextError>() {
        return match error {
            TextError::Tokenizer(inner) => code_of(inner),
            TextError::Model(inner) => code_of(inner),
            _ => Some(USAGE),
        };
    }
    if let Some(error) = cause.downcast_ref::<StoreError>() {
        return match error {
            StoreError::Write { source, .. } => Some(of_io(source.kind())),
            other => by_fault(other.is_user_error()),
        };
    }
    if let Some(error) = cause.downcast_ref::<ModelError>() {
        return Some(of_model(error));
    }
    if let Some(error) = cause.downcast_ref::<TokenizerError>() {
        return Some(of_tokenizer(error));
    }
    cause.downcast_ref::<std::io::Error>().map(|error| of_io(error.kind()))
}

fn of_model(error: &ModelError) -> u8 {
    match error {
        ModelError::Io { source, .. } => of_io(source.kind()),
        _ => USAGE,
    }
}

fn of_tokenizer(error: &TokenizerError) -> u8 {
    match error {
        TokenizerError::Io { source, .. } => of_io(source.kind()),
        TokenizerError::Training(_) | TokenizerError::Encoding(_) => FAILED,
        _ => USAGE,
    }
}

/// A wrong path is an error of the user; a full or failing disk is not.
fn of_io(kind: io::ErrorKind) -> u8 {
    match kind {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::UnexpectedEof => USAGE,
        _ => FAILED,
    }
}

/// Whether the reader of our output has closed it, as `head` does.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}

/// The error and its causes in one line, without what a message already says about its cause.
pub fn one_line(error: &anyhow::Error) -> String {
    // What a template or a file says may be in it.
    let line = causes(error);
    crate::console::harmless(&line).into_owned()
}

fn causes(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let message = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            line = message;
        } else if !line.contains(&message) {
            line = format!("{line}: {message}");
        }
    }
    line
}

/// Clap's message about a mistake in one line: without the usage, which `--help` has.
pub fn usage_line(stop: &clap::Error) -> String {
    let message = stop.render().to_string();
    let told = message.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let mut line = told.filter(|line| !line.is_empty() && !line.starts_with("For more")).collect::<Vec<_>>().join(" ");
    // "… found tip: a similar …" reads better as two clauses.
    line = line.replace(" tip: ", "; ").replace(" [possible values: ", "; possible values: [");
    // `fireclay chat runs/tiny`, of a command that takes a model.
    if stop.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(argument)) = stop.get(ContextKind::InvalidArg)
        && !argument.starts_with('-')
        && message.contains("--model")
    {
        line = format!("{line}; did you mean --model {argument}?");
    }
    line + "; see --help"
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    fn check(error: impl Into<anyhow::Error>, code: u8) {
        let error = error.into();
        assert_eq!(exit_code(&error), code, "{error}");
        assert_eq!(exit_code(&error.context("while doing something")), code);
    }

    fn io_error(kind: io::ErrorKind) -> io::Error {
        io::Error::from(kind)
    }

    #[test]
    fn the_users_mistakes_are_2_and_the_machines_are_1() {
        check(user("no such thing"), USAGE);
        check(Interrupted("saved".into()), INTERRUPTED);
        check(anyhow!("an invariant"), FAILED);
        check(InferError::EmptyPrompt { row: 0 }, USAGE);
        check(ModelError::Device("no such device".into()), USAGE);
        check(DataError::NoPaths, USAGE);
        check(io_error(io::ErrorKind::NotFound), USAGE);
        check(io_error(io::ErrorKind::StorageFull), FAILED);
        for (kind, code) in [(io::ErrorKind::StorageFull, FAILED), (io::ErrorKind::NotFound, USAGE)] {
            let source = || io_error(kind);
            let path = || "p".into();
            check(DataError::Write { path: path(), source: source() }, FAILED);
            check(DataError::Read { path: path(), source: source() }, code);
            check(ModelError::Io { path: path(), source: source(), hint: "h" }, code);
            check(TokenizerError::Io { action: "write", path: path(), source: source() }, code);
            check(TrainError::Model(ModelError::Io { path: path(), source: source(), hint: "h" }), code);
            check(TrainError::Data(DataError::Write { path: path(), source: source() }), FAILED);
        }
        check(TrainError::Data(DataError::NoPaths), USAGE);
    }

    #[test]
    fn a_message_is_one_line_and_says_nothing_twice() {
        let error =
            TokenizerError::Io { action: "read", path: "t.json".into(), source: io_error(io::ErrorKind::NotFound) };
        let error = anyhow::Error::from(error).context("loading\nthe model");
        assert_eq!(one_line(&error), "loading the model: cannot read t.json: entity not found");
        let error: anyhow::Result<()> = Err(io_error(io::ErrorKind::NotFound)).context("a.txt");
        assert_eq!(one_line(&error.unwrap_err()), "a.txt: entity not found");
    }

    #[test]
    fn a_usage_mistake_is_one_line() {
        use clap::Parser;
        let check = |words: &[&str], expect: &str| {
            let error = crate::args::Cli::try_parse_from([&["fireclay"], words].concat()).unwrap_err();
            assert_eq!(usage_line(&error), expect);
        };
        check(
            &["train", "--stpes", "3"],
            "error: unexpected argument '--stpes' found; a similar argument exists: '--steps'; see --help",
        );
        check(
            &["score", "--ids", "1"],
            "error: the following required arguments were not provided: --model <DIR>; see --help",
        );
        let positional = "error: unexpected argument 'runs/tiny' found; did you mean --model runs/tiny?; see --help";
        check(&["chat", "runs/tiny"], positional);
        check(&["serve", "runs/tiny"], positional);
        check(
            &["serve", "--model", "m", "--port", "99999"],
            "error: invalid value '99999' for '--port <PORT>': give a number from 0 to 65535; see --help",
        );
        check(&["trian"], "error: unrecognized subcommand 'trian'; a similar subcommand exists: 'train'; see --help");
    }

    #[test]
    fn a_closed_pipe_is_seen_through_context() {
        let error = anyhow::Error::from(io_error(io::ErrorKind::BrokenPipe)).context("printing");
        assert!(is_broken_pipe(&error));
    }
}
