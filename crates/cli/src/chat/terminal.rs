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

use super::Input;
use crate::error::Interrupted;

/// How long a press of Ctrl-C at the prompt may go unnoticed.
const PATIENCE: Duration = Duration::from_millis(50);
/// Lines that follow one another within this were pasted: nobody types so fast.
const PASTED: Duration = Duration::from_millis(20);
/// The width of a terminal that does not tell its own.
const WIDTH: usize = 80;

/// Where lines come from and hints go to.
pub struct Terminal {
    /// Somebody sits there: standard input and standard error are terminals.
    interactive: bool,
    quiet: bool,
    lines: Receiver<io::Result<Vec<u8>>>,
    /// A command that came right behind a message.
    waiting: Option<Vec<u8>>,
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
        Ok(Self { interactive, quiet, lines: read_lines(), waiting: None, pressed })
    }

    /// The next line, with its line end, or in a terminal the lines of a message that was pasted; none at the end of input.
    ///
    /// # Errors
    /// When input cannot be read, and [`Interrupted`] on Ctrl-C.
    pub fn line(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(line) = self.waiting.take() {
            return Ok(Some(line));
        }
        if self.interactive {
            let _ = write!(stderr(), "> ");
        }
        loop {
            if self.pressed() {
                self.end_line();
                return Err(interrupted());
            }
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let line = line.context("standard input cannot be read")?;
                    return Ok(Some(if self.interactive { self.with_pasted(line) } else { line }));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.end_line();
                    return Ok(None);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// A line with those that were pasted behind it.
    fn with_pasted(&mut self, line: Vec<u8>) -> Vec<u8> {
        let lines = &self.lines;
        // An error comes again when the next line is asked for: the reader has ended.
        let (message, command) = join_pasted(line, || lines.recv_timeout(PASTED).ok()?.ok());
        self.waiting = command;
        message
    }

    /// Whether Ctrl-C was pressed and not yet acted on.
    pub fn pressed(&self) -> bool {
        self.pressed.load(Ordering::SeqCst)
    }

    /// Acts on Ctrl-C pressed during an answer: the answer ended there, and whoever sits at a terminal goes on.
    ///
    /// # Errors
    /// [`Interrupted`] where nobody sits there: what feeds a pipe is meant to end.
    pub fn answer_stopped(&self) -> Result<()> {
        let pressed = self.pressed.swap(false, Ordering::SeqCst);
        if pressed && !self.interactive { Err(interrupted()) } else { Ok(()) }
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

/// How many characters stand in a line of the terminal.
pub fn width() -> usize {
    terminal_size::terminal_size_of(stderr()).map_or(WIDTH, |(width, _)| usize::from(width.0))
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

/// A message with the lines that `next` still has, up to the first that is a command; and that command. A command stands alone.
fn join_pasted(first: Vec<u8>, mut next: impl FnMut() -> Option<Vec<u8>>) -> (Vec<u8>, Option<Vec<u8>>) {
    let meaning = |line: &[u8]| Input::parse(&String::from_utf8_lossy(line));
    let mut message = first;
    if !matches!(meaning(&message), Input::Say(_)) {
        return (message, None);
    }
    while let Some(line) = next() {
        if !matches!(meaning(&line), Input::Say(_) | Input::Nothing | Input::Wrong(_)) {
            return (message, Some(line));
        }
        message.extend(line);
    }
    (message, None)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of lines that are there at once: the message, the command behind it, and the lines not taken.
    fn check(lines: &[&str], message: &str, command: Option<&str>, left: usize) {
        let mut rest = lines.iter().map(|line| line.as_bytes().to_vec());
        let first = rest.next().unwrap();
        let joined = join_pasted(first, || rest.next());
        assert_eq!(joined, (message.as_bytes().to_vec(), command.map(|line| line.as_bytes().to_vec())), "{lines:?}");
        assert_eq!(rest.count(), left, "{lines:?}");
    }

    #[test]
    fn pasted_lines_are_one_message_and_a_command_stands_alone() {
        check(&["one\n"], "one\n", None, 0);
        check(&["one\n", "\n", "  two\n", "/usr/bin\n"], "one\n\n  two\n/usr/bin\n", None, 0);
        check(&["one\n", "/quit\n", "two\n"], "one\n", Some("/quit\n"), 1);
        check(&["/undo\n", "one\n"], "/undo\n", None, 1);
        check(&["\n", "one\n"], "\n", None, 1);
    }
}
