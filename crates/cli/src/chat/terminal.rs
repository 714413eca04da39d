//! The person's side of a chat: lines from standard input, Ctrl-C, and everything said that is no reply.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write, stderr, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::SIGINT;
use signal_hook::flag;

use crate::error::Interrupted;

/// How long a press of Ctrl-C at the prompt may go unnoticed.
const PATIENCE: Duration = Duration::from_millis(50);

/// Where lines come from and hints go to.
pub struct Terminal {
    /// Somebody sits there: standard input and standard error are terminals.
    interactive: bool,
    quiet: bool,
    lines: Receiver<io::Result<Vec<u8>>>,
    pressed: Arc<AtomicBool>,
}

impl Terminal {
    /// Begins to read lines and to listen to Ctrl-C. A second Ctrl-C before the first was looked at, while a long conversation is read, say,
    /// ends the process at once, with code 130.
    ///
    /// # Errors
    /// When the operating system refuses the handlers.
    pub fn open(quiet: bool) -> Result<Self> {
        let pressed = Arc::new(AtomicBool::new(false));
        // In this order: the first signal finds the flag down and only raises it.
        flag::register_conditional_shutdown(SIGINT, 130, pressed.clone()).context("Ctrl-C cannot be listened to")?;
        flag::register(SIGINT, pressed.clone()).context("Ctrl-C cannot be listened to")?;
        let interactive = stdin().is_terminal() && stderr().is_terminal();
        Ok(Self { interactive, quiet, lines: read_lines(), pressed })
    }

    /// The next line, with its line end; none at the end of input.
    ///
    /// # Errors
    /// When input cannot be read, and [`Interrupted`] on Ctrl-C.
    pub fn line(&self) -> Result<Option<Vec<u8>>> {
        if self.interactive {
            let _ = write!(stderr(), "> ");
        }
        loop {
            if self.pressed() {
                self.end_line();
                return Err(interrupted());
            }
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => return Ok(Some(line.context("standard input cannot be read")?)),
                Err(RecvTimeoutError::Disconnected) => {
                    self.end_line();
                    return Ok(None);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether Ctrl-C was pressed and not yet acted on.
    pub fn pressed(&self) -> bool {
        self.pressed.load(Ordering::SeqCst)
    }

    /// Acts on Ctrl-C pressed during an answer: the answer ended there, and whoever sits at a terminal goes on. Whether it was pressed.
    ///
    /// # Errors
    /// [`Interrupted`] where nobody sits there: what feeds a pipe is meant to end.
    pub fn answer_stopped(&self) -> Result<bool> {
        let pressed = self.pressed.swap(false, Ordering::SeqCst);
        if pressed && !self.interactive { Err(interrupted()) } else { Ok(pressed) }
    }

    /// Says what only a person needs to know.
    pub fn hint(&self, line: impl Display) {
        if self.interactive && !self.quiet {
            tell(line);
        }
    }

    /// Says what happened to the conversation.
    pub fn note(&self, line: impl Display) {
        if !self.quiet {
            tell(format_args!("note: {line}"));
        }
    }

    /// The shell's prompt is not to stand behind ours.
    fn end_line(&self) {
        if self.interactive {
            tell("");
        }
    }
}

/// A line on standard error, whether or not anybody reads it.
pub fn tell(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// Says what could not be done; the chat goes on.
pub fn refuse(line: impl Display) {
    tell(format_args!("error: {line}"));
}

fn interrupted() -> anyhow::Error {
    Interrupted("interrupted; the conversation is not kept".into()).into()
}

/// Reads in a thread of its own, one line ahead, so that Ctrl-C is noticed while nobody types.
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
