//! Commands and messages of the chat.

use std::iter::Peekable;
use std::str::Chars;

use crate::nearest::nearest;

/// Text of `/help`.
pub const HELP: &str = "\
/new             begin a new conversation; the system message stays
/open [ID]       continue a stored one: its number in /list, its id, or the last
/list [TEXT]     list stored conversations, or those that have TEXT
/system TEXT     set the system message and begin a new conversation; without TEXT, show it
/undo            take back your last message and its reply
/rate up|down    rate the last reply; /rate none takes the rating back
/rate \"ANSWER\"   say what the last reply should have been
/save FILE       write the conversation as JSON, which the web page can import
/help            show this
/quit            leave, as Ctrl-D does
//TEXT           send text that begins with a slash
Alt-Enter, or \\ at a line's end, adds another line to the message;
lines pasted together are one message.
Ctrl-C stops an answer; at the prompt it drops the line, and twice it leaves.";

/// The commands, for completion and for suggestions after a typing error.
pub const COMMANDS: [&str; 9] = ["/new", "/open", "/list", "/system", "/undo", "/rate", "/save", "/help", "/quit"];

/// One line of input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing but white space.
    Nothing,
    /// A message to the model.
    Say(String),
    /// `/new`: begin a new conversation.
    New,
    /// `/open`: go on with a stored conversation, or with the last.
    Open(Option<String>),
    /// `/list`: list stored conversations, or those with a text.
    List(Option<String>),
    /// `/system`: show the system message, or set it and start a new conversation.
    System(Option<String>),
    /// `/undo`: go back to before the last message.
    Undo,
    /// `/rate`: rate the last reply.
    Rate(RatingCommand),
    /// `/save`: write the conversation to a file.
    Save(String),
    /// `/help`: list the commands.
    Help,
    /// `/quit`: leave.
    Quit,
    /// An invalid command, with one line that names the problem and the remedy.
    Wrong(String),
}

/// Arguments of `/rate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RatingCommand {
    /// A good reply.
    Up,
    /// A bad one.
    Down,
    /// The better reply.
    Better(String),
    /// The rating is taken back.
    None,
}

impl Input {
    /// Parses a line, or several that are one message. Trailing white space is removed, and so are the escape sequences
    /// that keys like the arrows leave in a line. Only a slash in the first column begins a command.
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
        let rest = rest.trim();
        let text = || Some(rest).filter(|text| !text.is_empty()).map(str::to_owned);
        let input = match name {
            "system" => return Self::System(text()),
            "open" => return Self::Open(text()),
            "list" => return Self::List(text()),
            "rate" => return Self::rate(rest),
            "save" => return text().map_or_else(|| needs("save", "a file's name"), Self::Save),
            "new" => Self::New,
            "undo" => Self::Undo,
            "help" => Self::Help,
            "quit" => Self::Quit,
            _ => {
                let (last, others) = COMMANDS.split_last().expect("there are commands");
                let meant = nearest(&format!("/{name}"), COMMANDS);
                let meant = meant.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                return Self::Wrong(format!(
                    "unknown command /{name}{meant}; the commands are {} and {last}, and a line that begins with // is \
                     sent as text",
                    others.join(", ")
                ));
            }
        };
        // "/new ideas for a garden" does not mean to start a new conversation.
        match rest {
            "" => input,
            _ => Self::Wrong(format!("/{name} takes no argument; to send the line as text, begin it with //")),
        }
    }

    /// A verdict, or a better answer in quotation marks, straight or curved.
    fn rate(text: &str) -> Self {
        let within = |begin, end| text.strip_prefix(begin).and_then(|rest: &str| rest.strip_suffix(end)).map(str::trim);
        Self::Rate(match text.to_lowercase().as_str() {
            "up" => RatingCommand::Up,
            "down" => RatingCommand::Down,
            "none" => RatingCommand::None,
            _ => match within('"', '"').or_else(|| within('“', '”')).filter(|answer| !answer.is_empty()) {
                Some(answer) => RatingCommand::Better(answer.into()),
                None => {
                    return needs("rate", "up, down, none, or a better answer in quotation marks: /rate \"It is 12.\"");
                }
            },
        })
    }
}

fn needs(command: &str, what: &str) -> Input {
    Input::Wrong(format!("/{command} needs {what} after it"))
}

/// The text without escape sequences, and without control characters other than tabs and line ends (CR LF is one line
/// end).
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

/// Skips the rest of an escape sequence: `[`, parameters and a last character (ECMA-48, 5.4), or `O` and one character,
/// as
/// function keys send.
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
        check("/open", &Input::Open(None));
        check("/open conv_1", &Input::Open(Some("conv_1".into())));
        check("/list two words", &Input::List(Some("two words".into())));
        check("/save a file.json", &Input::Save("a file.json".into()));
        check("/quit", &Input::Quit);
        check("/system", &Input::System(None));
        check("/system ", &Input::System(None));
        check("/system  Be brief. ", &Input::System(Some("Be brief.".into())));
        check("/system\tBe brief.", &Input::System(Some("Be brief.".into())));
    }

    #[test]
    fn a_rating_is_a_thumb_or_a_better_answer() {
        let check = |line, expect| check(line, &Input::Rate(expect));
        check("/rate up", RatingCommand::Up);
        check("/rate  down ", RatingCommand::Down);
        check("/rate none", RatingCommand::None);
        check("/rate \"It is 12.\"", RatingCommand::Better("It is 12.".into()));
        check("/rate “It is 12.”", RatingCommand::Better("It is 12.".into()));
        check("/rate \"Up\"", RatingCommand::Better("Up".into()));
        check("/rate Up", RatingCommand::Up);
        for wrong in ["dwon", "up down", "better answer here", "\"Yes\" is right", "\"", "\" \""] {
            let parsed = Input::parse(&format!("/rate {wrong}"));
            assert!(matches!(&parsed, Input::Wrong(why) if why.contains("quotation marks")), "{parsed:?}");
        }
        check("/rate \"one\ntwo\"", RatingCommand::Better("one\ntwo".into()));
    }

    #[test]
    fn every_command_is_one() {
        for command in COMMANDS {
            assert!(!matches!(Input::parse(&format!("{command} up")), Input::Say(_)), "{command}");
            let is_known =
                |line: &str| !matches!(Input::parse(line), Input::Wrong(why) if why.contains("unknown command"));
            assert!(is_known(command) && HELP.contains(command), "{command}");
        }
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
        check_wrong(
            "/nwe",
            &["unknown command /nwe", "/new, /open, /list, /system, /undo, /rate, /save, /help and /quit", "//"],
        );
        check_wrong("/lst", &["unknown command /lst; did you mean /list?"]);
        check_wrong("/", &["unknown command /;"]);
        check_wrong("/New", &["unknown command /New"]);
        check_wrong("/system: be brief", &["unknown command /system:"]);
        check_wrong("/usr/bin is what?", &["unknown command /usr/bin", "//"]);
        check_wrong("/rate", &["/rate needs up, down"]);
        check_wrong("/rate \"\"", &["/rate needs"]);
        check_wrong("/save ", &["/save needs a file"]);
        check_wrong("/new ideas for a garden", &["/new takes no argument", "//"]);
    }
}
