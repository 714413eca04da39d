//! Messages on standard error. Only results go to standard output.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{IsTerminal, Stderr, Write, stderr, stdout};

use tracing_subscriber::EnvFilter;

/// Verbosity and style of messages.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Whether only errors are printed.
    pub quiet: bool,
}

impl Console {
    /// Sets up logging for the whole program: warnings of every crate and notes of our own, or as `--quiet` and
    /// `--verbose` set it. Colours only on a terminal and without `NO_COLOR` (no-color.org).
    pub fn new(quiet: bool, verbose: bool) -> Self {
        let colour = colours(stderr().is_terminal());
        let filter = match (quiet, verbose) {
            (true, _) => "error",
            (_, true) => "info,fireclay=debug",
            _ => "warn,fireclay=info",
        };
        // Fails only if a logger is already set, which is then used.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_writer(|| Whoever(stderr()))
            // The default hook would report on standard error that standard error cannot be written, and panic.
            .log_internal_errors(false)
            .with_ansi(colour)
            .with_target(verbose)
            .with_level(verbose)
            .without_time()
            .try_init();
        Self { quiet }
    }
}

/// Whether to write in colours: only on a terminal, and without `NO_COLOR` (no-color.org).
pub fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Standard error that ignores write errors: a message must not end a run.
struct Whoever(Stderr);

impl Write for Whoever {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

/// Prints a line on standard error, and ignores errors.
pub fn eprint_line(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// Text of a model or a file for standard output: unchanged, but on a terminal without control characters, which could
/// move the cursor, ring the bell, or do worse.
pub fn shown(text: &str) -> Cow<'_, str> {
    if stdout().is_terminal() { harmless(text) } else { Cow::Borrowed(text) }
}

/// Text with pictures in the place of control characters, line ends and tabs aside.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let harms = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if !text.contains(harms) {
        return Cow::Borrowed(text);
    }
    let picture = |character: char| match character {
        _ if !harms(character) => character,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => char::REPLACEMENT_CHARACTER,
    };
    Cow::Owned(text.chars().map(picture).collect())
}

/// Prints a line on standard output. A closed pipe, as with `head`, does not stop the work.
pub fn say(line: impl Display) {
    let _ = writeln!(stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_model_writes_moves_the_cursor() {
        assert_eq!(harmless("a\u{1b}[2J\tb\r\n\u{9b}1m\u{7f}"), "a␛[2J\tb␍\n\u{fffd}1m\u{fffd}");
        assert!(matches!(harmless("plain\n"), Cow::Borrowed(_)));
    }
}
