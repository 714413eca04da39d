//! Lines that a person edits at a terminal: [`Editor`].

use std::io::{IsTerminal, stdout};

use anyhow::{Context, Result};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Behavior, Cmd, CompletionType, Config, Helper, KeyCode, KeyEvent, Modifiers};

use super::input::COMMANDS;

/// The prompt before a line.
const PROMPT: &str = "> ";

/// A typed line, or another event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Ended by Enter; it may have several lines.
    Line(String),
    /// Ctrl-C.
    Dropped,
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// The prompt: lines are edited with the keys of readline, the arrows recall earlier ones, Tab completes commands, and
/// Alt-Enter or a backslash at the end of a line continues the message on another line.
pub struct Editor {
    lines: rustyline::Editor<Keys, MemHistory>,
}

impl Editor {
    /// A prompt with these lines as its history, the oldest first.
    ///
    /// # Errors
    /// When the terminal cannot be used.
    pub fn new(earlier: &[String]) -> Result<Self> {
        // Only replies go to standard output if that is a file.
        let behavior = if stdout().is_terminal() { Behavior::Stdio } else { Behavior::PreferTerm };
        let config = Config::builder().behavior(behavior).completion_type(CompletionType::List).build();
        let history = MemHistory::with_config(&config);
        let lines = rustyline::Editor::with_history(config, history).context("this terminal cannot be read")?;
        let mut this = Self { lines };
        this.lines.set_helper(Some(Keys));
        this.lines.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), Cmd::Newline);
        for line in earlier {
            this.remember(line)?;
        }
        Ok(this)
    }

    /// Shows the prompt and waits.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub fn read(&mut self) -> Result<Typed> {
        match self.lines.readline(PROMPT) {
            Ok(line) => {
                self.remember(&line)?;
                Ok(Typed::Line(joined(&line)))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Dropped),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(error).context("the terminal cannot be read"),
        }
    }

    fn remember(&mut self, line: &str) -> Result<()> {
        self.lines.add_history_entry(line).context("remembering a line")?;
        Ok(())
    }
}

/// Keys beyond moving and deleting.
struct Keys;

impl Helper for Keys {}
impl Hinter for Keys {
    type Hint = String;
}
impl Highlighter for Keys {}

impl Completer for Keys {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, commands_of(&line[..position])))
    }
}

impl Validator for Keys {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let goes_on = context.input().ends_with('\\');
        Ok(if goes_on { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// The commands with this prefix.
fn commands_of(typed: &str) -> Vec<String> {
    let begins = |command: &&str| typed.starts_with('/') && command.starts_with(typed);
    COMMANDS.into_iter().filter(begins).map(|command| format!("{command} ")).collect()
}

/// The text without the backslashes that continue lines.
fn joined(line: &str) -> String {
    line.replace("\\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_completed() {
        assert_eq!(commands_of("/o"), ["/open "]);
        assert_eq!(commands_of("/s"), ["/system ", "/save "]);
        assert_eq!(commands_of("/"), COMMANDS.map(|command| format!("{command} ")));
        assert!(commands_of("").is_empty() && commands_of("o").is_empty() && commands_of("/open c").is_empty());
    }

    #[test]
    fn a_backslash_at_a_lines_end_is_no_part_of_the_message() {
        assert_eq!(joined("one\\\ntwo\\n\nthree"), "one\ntwo\\n\nthree");
    }
}
