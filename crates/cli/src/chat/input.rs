//! What a line typed into the chat means.

use std::iter::Peekable;
use std::str::Chars;

/// What `/help` shows.
pub const HELP: &str = "\
/new           forget the conversation; the system message stays
/system TEXT   set the system message and begin anew; without TEXT, show it
/undo          take back the last exchange
/help          show this
/quit          leave, as Ctrl-D does
//TEXT         send text that begins with a slash
Lines pasted together are one message.
Ctrl-C stops an answer; at the prompt it leaves.";

/// One line of input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing but white space.
    Nothing,
    /// A message to the model.
    Say(String),
    /// `/new`: forget the conversation.
    New,
    /// `/system`: show the system message, or set it and begin anew.
    System(Option<String>),
    /// `/undo`: take back the last exchange.
    Undo,
    /// `/help`: list the commands.
    Help,
    /// `/quit`: leave.
    Quit,
    /// No command, with one line that says what is wrong and how to mend it.
    Wrong(String),
}

impl Input {
    /// Reads a line, or several that are one message. White space at its end is no part of a message, nor is what keys like the arrows leave in a
    /// line. Only a slash in the first column begins a command.
    pub fn parse(line: &str) -> Self {
        let line = without_control(line);
        let line = line.trim_end();
        if line.is_empty() {
            return Self::Nothing;
        }
        let Some(command) = line.strip_prefix('/') else { return Self::Say(line.into()) };
        if command.starts_with('/') {
            return Self::Say(command.into());
        }
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let input = match name {
            "system" => return Self::System(Some(rest.trim()).filter(|text| !text.is_empty()).map(Into::into)),
            "new" => Self::New,
            "undo" => Self::Undo,
            "help" => Self::Help,
            "quit" => Self::Quit,
            _ => {
                return Self::Wrong(format!(
                    "/{name} is no command; there are /new, /system, /undo, /help and /quit, and a line that begins with // is sent as text"
                ));
            }
        };
        // "/new ideas for a garden" is no wish to forget everything.
        match rest.trim() {
            "" => input,
            _ => Self::Wrong(format!("/{name} stands alone on its line; to send the line as text, begin it with //")),
        }
    }
}

/// The text without escape sequences, and without control characters other than tabs and line ends, of which CR LF is one.
fn without_control(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => skip_escape(&mut rest),
            '\t' | '\n' => clean.push(character),
            _ if character.is_control() => {}
            _ => clean.push(character),
        }
    }
    clean
}

/// Skips what belongs to an escape: `[`, parameters and a last character (ECMA-48, 5.4), or `O` and one character, as function keys send.
fn skip_escape(rest: &mut Peekable<Chars>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            while rest.next_if(|character| matches!(character, ' '..='?')).is_some() {}
            rest.next_if(|character| matches!(character, '@'..='~'));
        }
        Some('O') => {
            rest.next();
            rest.next_if(|character| matches!(character, '@'..='~'));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &Input) {
        for end in ["", "\n", "\r\n"] {
            assert_eq!(Input::parse(&format!("{line}{end}")), *expect, "{line:?}");
        }
    }

    #[test]
    fn a_line_is_a_message() {
        check("Hello", &Input::Say("Hello".into()));
        check("  two spaces first ", &Input::Say("  two spaces first".into()));
        check("3 / 4", &Input::Say("3 / 4".into()));
        check(" /new", &Input::Say(" /new".into()));
        check("", &Input::Nothing);
        check(" \t ", &Input::Nothing);
    }

    #[test]
    fn a_slash_begins_a_command() {
        check("/new", &Input::New);
        check("/new  ", &Input::New);
        check("/undo", &Input::Undo);
        check("/help", &Input::Help);
        check("/quit", &Input::Quit);
        check("/system", &Input::System(None));
        check("/system ", &Input::System(None));
        check("/system  Be brief. ", &Input::System(Some("Be brief.".into())));
        check("/system\tBe brief.", &Input::System(Some("Be brief.".into())));
    }

    #[test]
    fn two_slashes_send_one() {
        check("//new", &Input::Say("/new".into()));
        check("// a comment", &Input::Say("/ a comment".into()));
        check("///", &Input::Say("//".into()));
    }

    #[test]
    fn keys_that_a_line_cannot_hold_are_no_text() {
        check("\u{1b}[A", &Input::Nothing);
        check("Hel\u{1b}[Dlo\u{1b}[1;5C\u{1b}OP!", &Input::Say("Hello!".into()));
        check("\u{1b}[A/new", &Input::New);
        check("a\u{7}\u{8}b\tc", &Input::Say("ab\tc".into()));
        check("cut off\u{1b}[", &Input::Say("cut off".into()));
    }

    #[test]
    fn lines_that_come_together_are_one_message() {
        check("one\r\n\r\n  two\n/three", &Input::Say("one\n\n  two\n/three".into()));
    }

    fn check_wrong(line: &str, expect: &[&str]) {
        let Input::Wrong(message) = Input::parse(line) else { panic!("{line:?} was understood") };
        assert!(!message.contains('\n'), "{message}");
        for part in expect {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }

    #[test]
    fn what_is_no_command_says_what_there_is() {
        check_wrong("/nwe", &["/nwe is no command", "/new, /system, /undo, /help and /quit", "//"]);
        check_wrong("/", &["/ is no command"]);
        check_wrong("/New", &["/New is no command"]);
        check_wrong("/system: be brief", &["/system: is no command"]);
        check_wrong("/usr/bin is what?", &["/usr/bin is no command", "//"]);
        check_wrong("/new ideas for a garden", &["/new stands alone", "//"]);
    }
}
