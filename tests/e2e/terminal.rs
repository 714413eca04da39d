//! The chat at a pseudo terminal, which `script` of util-linux makes: keys go in, and what the terminal would show
//! comes out.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chat::model;

/// What a terminal is sent where lines begin to be edited: bracketed paste.
const PROMPT: &str = "\u{1b}[?2004h";
const PATIENCE: Duration = Duration::from_secs(30);

/// A chat and its terminal.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// A chat in this folder.
    fn open(model: &Path, folder: &Path) -> Self {
        let chat = format!(
            "'{}' chat --max-tokens=8 --temperature=0 --model='{}'",
            env!("CARGO_BIN_EXE_fireclay"),
            model.display()
        );
        let mut command = Command::new("script");
        command.args(["-qefc", &chat, "/dev/null"]).current_dir(folder).env("TERM", "xterm").env("NO_COLOR", "1");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.expect("this test needs the command `script` of util-linux");
        let (keys, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let shown = Arc::new(Mutex::new(vec![]));
        let shared = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                shared.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        let mut this = Self { child, keys, shown };
        this.wait_for(PROMPT, 0);
        this
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits until this is shown after so many bytes.
    fn wait_for(&mut self, what: &str, behind: usize) {
        let begun = Instant::now();
        while !self.shown()[behind..].contains(what) {
            assert!(begun.elapsed() < PATIENCE, "{what:?} does not come: {:?}", self.shown());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Presses keys that end a line, and waits for the next prompt; returns the output in between.
    fn press(&mut self, keys: &str) -> String {
        let before = self.shown().len();
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.wait_for(PROMPT, before);
        self.shown()[before..].to_owned()
    }

    /// Presses keys after which it ends; its exit code.
    fn leave(mut self, keys: &str) -> Option<i32> {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_person_edits_rates_and_finds_conversations_again() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, model) = (folder.path(), model(folder.path()));
    let mut chat = Terminal::open(&model, folder);
    assert!(chat.shown().contains(": context 128 tokens, conversations kept in fireclay.sqlite"));
    // Left, a letter, a tab that completes a command.
    assert!(chat.press("Hllo\u{1b}[D\u{1b}[D\u{1b}[De\r").contains("Hello"));
    assert!(
        chat.press("/ra\tup\r")
            .contains("rated up; `fireclay data export-preferences --db fireclay.sqlite --out rated`")
    );
    chat.press("one\u{1b}\rtwo\\\rthree\r");
    chat.press("\u{1b}[200~pasted\nlines\u{1b}[201~\r");
    assert!(chat.press("/save kept.json\r").contains("written to kept.json"));
    assert_eq!(chat.leave("\u{4}"), Some(0));

    let kept: Value = serde_json::from_str(&fs::read_to_string(folder.join("kept.json")).unwrap()).unwrap();
    let messages = kept["messages"].as_array().unwrap();
    let asked = messages.iter().filter(|message| message["role"] == "user").map(|message| &message["content"]);
    assert_eq!(asked.collect::<Vec<_>>(), ["Hello", "one\ntwo\nthree", "pasted\nlines"]);
    assert_eq!(messages[1]["rating"], json!({"verdict": "up"}));

    let mut chat = Terminal::open(&model, folder);
    // The arrow key recalls the other chat's question.
    assert!(chat.press("/open\r").contains("Hello (6 messages)"));
    chat.press("\u{1b}[A\u{1b}[A\r");
    assert!(chat.press("/list\r").contains(" 1  conv_"));
    let dropped = chat.press("half a line\u{3}");
    assert!(dropped.contains("Ctrl-C again quits"), "{dropped:?}");
    assert_eq!(chat.leave("\u{3}"), Some(130));
}

#[test]
fn a_chat_without_a_database_to_write_says_so_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, model) = (folder.path(), model(folder.path()));
    fs::create_dir(folder.join("fireclay.sqlite")).unwrap();
    let mut chat = Terminal::open(&model, folder);
    assert!(chat.shown().contains("note: this conversation is not kept"), "{}", chat.shown());
    assert!(chat.press("/rate up\r").contains("nothing is stored here"));
    assert_eq!(chat.leave("/quit\r"), Some(0));
}
