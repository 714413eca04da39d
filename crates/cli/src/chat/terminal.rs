//! Input and messages of a chat: lines from a terminal or a pipe, Ctrl-C, and all output except replies.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write, stderr, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::editor::{Editor, Typed};
use crate::error::Interrupted;

/// Largest delay of Ctrl-C while a pipe is silent.
const PATIENCE: Duration = Duration::from_millis(50);
/// Width of a terminal that does not report its own.
const WIDTH: usize = 80;

/// Source of lines and sink of hints.
pub struct Terminal {
    quiet: bool,
    lines: Lines,
    pressed: Arc<AtomicBool>,
}

enum Lines {
    /// Whether the chat is interactive: standard input and standard error are terminals.
    Typed(Box<Editor>),
    Piped(Receiver<io::Result<Vec<u8>>>),
}

/// Whether input is a terminal rather than a pipe.
pub fn is_interactive() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

impl Terminal {
    /// Starts to read lines and to handle Ctrl-C. A second Ctrl-C before the first was handled, for example while a
    /// long conversation is read, ends the process at once, with exit code 130. `earlier` are lines that the arrow keys
    /// recall.
    ///
    /// # Errors
    /// When the operating system refuses the handlers, or the terminal cannot be used.
    pub fn open(quiet: bool, earlier: &[String]) -> Result<Self> {
        let pressed = Arc::new(AtomicBool::new(false));
        // In this order: the first signal finds the flag unset and only sets it.
        flag::register_conditional_shutdown(SIGINT, 130, pressed.clone()).context("Ctrl-C cannot be handled")?;
        flag::register(SIGINT, pressed.clone()).context("Ctrl-C cannot be handled")?;
        let lines = match is_interactive() {
            true => Lines::Typed(Box::new(Editor::new(earlier)?)),
            false => Lines::Piped(read_lines()),
        };
        Ok(Self { quiet, lines, pressed })
    }

    /// Whether input is a terminal.
    pub fn is_interactive(&self) -> bool {
        matches!(self.lines, Lines::Typed(_))
    }

    /// The next line or, from a terminal, lines that are one message; `None` at the end of input.
    ///
    /// # Errors
    /// When input cannot be read, and [`Interrupted`] on Ctrl-C: at a terminal on the second, where the first drops the
    /// text
    /// typed.
    pub fn line(&mut self) -> Result<Option<Vec<u8>>> {
        match &mut self.lines {
            Lines::Typed(editor) => match editor.read()? {
                Typed::Line(line) => return Ok(Some(line.into_bytes())),
                Typed::End => return Ok(None),
                Typed::Dropped => {}
            },
            Lines::Piped(lines) => return next_piped(lines, &self.pressed),
        }
        self.hint("Ctrl-C again quits, as Ctrl-D does");
        let Lines::Typed(editor) = &mut self.lines else { unreachable!("it was one") };
        match editor.read()? {
            Typed::Line(line) => Ok(Some(line.into_bytes())),
            Typed::End => Ok(None),
            Typed::Dropped => Err(interrupted()),
        }
    }

    /// Whether Ctrl-C was pressed and not yet acted on.
    pub fn pressed(&self) -> bool {
        self.pressed.load(Ordering::SeqCst)
    }

    /// Handles Ctrl-C pressed during an answer: the answer ended there, and an interactive chat continues. Returns
    /// whether it was pressed.
    ///
    /// # Errors
    /// [`Interrupted`] if the chat is not interactive: the user wants to end the pipe.
    pub fn answer_stopped(&self) -> Result<bool> {
        let pressed = self.pressed.swap(false, Ordering::SeqCst);
        if pressed && !self.is_interactive() { Err(interrupted()) } else { Ok(pressed) }
    }

    /// Prints a message for interactive chats only.
    pub fn hint(&self, line: impl Display) {
        if self.is_interactive() && !self.quiet {
            tell(line);
        }
    }

    /// Prints a message about the conversation.
    pub fn note(&self, line: impl Display) {
        if !self.quiet {
            tell(format_args!("note: {line}"));
        }
    }
}

/// Width of the terminal in characters.
pub fn width() -> usize {
    terminal_size::terminal_size_of(stderr()).map_or(WIDTH, |(width, _)| usize::from(width.0))
}

/// Columns of the terminal that replies go to; `None` if they go elsewhere.
pub fn columns() -> Option<usize> {
    stdout().is_terminal().then(|| terminal_size::terminal_size_of(stdout()))?.map(|(width, _)| usize::from(width.0))
}

/// Prints a line on standard error, and ignores errors.
pub fn tell(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}

fn interrupted() -> anyhow::Error {
    Interrupted("interrupted".into()).into()
}

fn next_piped(lines: &Receiver<io::Result<Vec<u8>>>, pressed: &AtomicBool) -> Result<Option<Vec<u8>>> {
    loop {
        if pressed.load(Ordering::SeqCst) {
            return Err(interrupted());
        }
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => return line.map(Some).context("standard input cannot be read"),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Reads on a separate thread, one line ahead, so that Ctrl-C is noticed while no input arrives.
fn read_lines() -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        loop {
            let mut line = vec![];
            let read = stdin().lock().read_until(b'\n', &mut line);
            let (end, line) = match read {
                Ok(0) => return,
                Ok(_) => (false, Ok(line)),
                Err(error) => (true, Err(error)),
            };
            if sender.send(line).is_err() || end {
                return;
            }
        }
    });
    receiver
}
