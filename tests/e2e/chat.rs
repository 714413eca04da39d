//! Talking to a model through pipes: one line a message, replies on standard output, everything else on standard error.
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::{fail, fireclay, last_checkpoint, succeed, text, train};

/// A model that has hardly been trained, with a context of 128 tokens, in the folder `model`: its tokenizer has the
/// `ChatML` template.
pub fn model(folder: &Path) -> PathBuf {
    model_with_context(folder, 128)
}

/// The same with another context.
pub fn model_with_context(folder: &Path, tokens: usize) -> PathBuf {
    let run = folder.join("run");
    let context = format!("--set=pretrain.context={tokens}");
    succeed(&mut train(&run, &["--steps=2", &context, "--quiet"]));
    let model = folder.join("model");
    fs::create_dir(&model).unwrap();
    copy(&last_checkpoint(&run), &["config.json", "model.safetensors"], &model);
    copy(&run.join("tokenizer"), &["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"], &model);
    model
}

fn copy(from: &Path, names: &[&str], to: &Path) {
    for name in names {
        fs::copy(from.join(name), to.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn command(model: &Path, more: &[&str]) -> Command {
    let mut command = fireclay();
    command.args(["chat", "--max-tokens=8", "--model"]).arg(model).args(more);
    command
}

fn start(model: &Path, more: &[&str]) -> Child {
    let mut command = command(model, more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
}

/// A whole chat, which must end well: standard output and standard error.
pub fn chat(model: &Path, input: impl AsRef<[u8]>, more: &[&str]) -> (String, String) {
    chat_ending(0, model, input, more)
}

/// A whole chat in which so many lines cannot be done, which its exit code and its last line must tell.
fn chat_failing(lines: usize, model: &Path, input: impl AsRef<[u8]>, more: &[&str]) -> (String, String) {
    let (out, mut err) = chat_ending(2, model, input, more);
    let told = format!("error: lines that failed: {lines}; the others were answered\n");
    let said = err.strip_suffix(&told).unwrap_or_else(|| panic!("{told:?} does not end\n{err}")).len();
    err.truncate(said);
    (out, err)
}

fn chat_ending(code: i32, model: &Path, input: impl AsRef<[u8]>, more: &[&str]) -> (String, String) {
    let mut child = start(model, more);
    child.stdin.take().unwrap().write_all(input.as_ref()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let err = text(&stderr);
    assert_eq!(status.code(), Some(code), "{err}");
    (String::from_utf8(stdout).expect("replies are UTF-8"), err)
}

/// How many tokens the model read for each of its replies.
fn prompts(model: &Path, input: &str) -> Vec<usize> {
    let (_, err) = chat(model, input, &["--verbose"]);
    let counts = err.lines().filter_map(|line| line.split_once(" tokens read")?.0.rsplit(' ').next()?.parse().ok());
    counts.collect()
}

#[test]
fn each_line_is_answered_and_the_same_seed_answers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let (first, _) = chat(&model, "Hello\n", &[]);
    assert!(first.ends_with('\n'), "{first:?}");
    let (both, err) = chat(&model, "Hello\n\n  \nHow are you?", &[]);
    assert!(both.starts_with(&first) && both.len() > first.len() && both.ends_with('\n'), "{first:?} and {both:?}");
    assert!(!err.contains("> ") && !err.contains("/help"), "no prompt and no hint in a pipe: {err}");
    assert_eq!(chat(&model, "Hello\nHow are you?\n", &["--quiet"]), (both.clone(), String::new()));
    assert_ne!(chat(&model, "Hello\nHow are you?\n", &["--seed=1"]).0, both);
    let (greedy, _) = chat(&model, "Hello\n", &["--temperature=0"]);
    let (twice, _) = chat(&model, "Hello\n/new\nHello\n/quit\nHello\n", &["--temperature=0", "--seed=1"]);
    assert_eq!(twice, greedy.repeat(2));
    assert_eq!(chat(&model, "", &[]).0, "");
}

#[test]
fn commands_change_what_the_model_reads() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let read = prompts(&model, "a\na\n/new\na\na\n/undo\na\n/system Be\na\na\n/new\na\n/undo\n/system\n");
    let [alone, second, new, again, undone, system, more, kept] = read[..] else { panic!("{read:?}") };
    assert!(second > alone && more > system && system > alone, "{read:?}");
    assert_eq!((new, kept), (alone, system), "/new forgets the conversation and keeps the system message: {read:?}");
    assert!(again > new && undone > new, "/undo takes back one exchange of two: {read:?}");
    assert_eq!(prompts(&model, "a\na\n/undo\na\n/undo\n/undo\na\n")[3], alone);
    assert_eq!(prompts(&model, "//a\n")[0], alone + 1, "two slashes send one");

    let wrong = "/help\n/system\n/system Be brief.\n/system\n/undo\n/nwe\n/new b\n/rate up\n";
    let (out, err) = chat_failing(4, &model, wrong, &[]);
    assert_eq!(out, "", "only replies go to standard output");
    for part in [
        "nothing is stored here; --db FILE",
        "/quit ",
        "(no system message)\n",
        "\nBe brief.\n",
        "error: unknown command /nwe",
        "/new takes no argument",
    ] {
        assert!(err.contains(part), "{part:?} is not in\n{err}");
    }
    let (_, err) = chat(&model, "/system\n", &["--system=Be kind."]);
    assert_eq!(err, "Be kind.\n");
    let (out, err) = chat_failing(1, &model, b"caf\xe9\nHello\n", &[]);
    assert!(err.contains("not UTF-8") && out.ends_with('\n'), "{err}");
}

#[test]
fn the_oldest_exchanges_are_dropped_and_a_message_too_long_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let (_, err) = chat(&model, "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n", &["--verbose"]);
    assert_eq!(
        err.matches("the model reads 128 tokens at once, and the conversation is longer: from now on it forgets")
            .count(),
        1,
        "{err}"
    );
    let again =
        "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n/new\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";
    assert_eq!(chat(&model, again, &[]).1.matches("it forgets the oldest messages").count(), 2, "once a conversation");
    let read = prompts(&model, "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n");
    assert!(read.len() == 8 && read.iter().all(|&tokens| tokens <= 120), "{read:?}");

    // The others are answered as if it had not been there.
    let long = "long ".repeat(100);
    let (out, err) = chat_failing(1, &model, format!("Hello\n{long}\nHow are you?\n"), &[]);
    assert_eq!(out, chat(&model, "Hello\nHow are you?\n", &[]).0);
    let refused: Vec<&str> = err.lines().filter(|line| line.starts_with("error: this message has ")).collect();
    assert!(refused.len() == 1 && refused[0].contains("120 fit: the context is 128"), "{err}");
}

#[test]
fn replies_are_whole_characters_and_a_limit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    for seed in 0..8 {
        let seed = format!("--seed={seed}");
        let (out, err) = chat(&model, "Hello\nHow are you?\n", &["--temperature=2", &seed]);
        assert!(!out.contains(char::REPLACEMENT_CHARACTER), "{out:?}");
        let ends =
            err.lines().filter(|line| line.starts_with("note: the reply was ") && line.ends_with("--max-tokens"));
        assert!(ends.count() > 0 || err.contains("whole sentences stay"), "{err}");
        let mut generate = fireclay();
        generate.args(["generate", "--prompt=The", "--max-tokens=7", "--temperature=2", &seed, "--model"]).arg(&model);
        let text = succeed(&mut generate);
        assert!(!text.contains(char::REPLACEMENT_CHARACTER), "{text:?}");
    }
}

#[test]
fn generation_keeps_to_a_constraint() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let schema = folder.path().join("schema.json");
    fs::write(&schema, r#"{"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2}"#).unwrap();
    let grammar = folder.path().join("grammar.lark");
    fs::write(&grammar, r#"start: "a" "b" "c""#).unwrap();
    let generate = |more: &[&str]| {
        let mut command = fireclay();
        let text = succeed(command.args(["generate", "--prompt=The", "--model"]).arg(&model).args(more));
        text.trim_end().to_owned()
    };
    let choice = generate(&["--choice", "warm", "--choice", "cold", "--temperature=2"]);
    assert!(["warm", "cold"].contains(&choice.as_str()), "{choice:?}");
    let digits = generate(&["--regex", "[0-9]{4}"]);
    assert!(digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits:?}");
    assert_eq!(generate(&["--grammar", grammar.to_str().unwrap()]), "abc");
    let array = generate(&["--json-schema", schema.to_str().unwrap(), "--max-tokens=200"]);
    let array: Vec<bool> = serde_json::from_str(&array).unwrap_or_else(|error| panic!("{error}: {array}"));
    assert_eq!(array.len(), 2);
}

#[test]
fn the_models_own_settings_count_where_no_flag_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let generate = |more: &[&str]| {
        let mut command = fireclay();
        succeed(command.args(["generate", "--prompt=The", "--max-tokens=9", "--model"]).arg(&model).args(more))
    };
    let say = |more: &[&str]| chat(&model, "Hello\nHow are you?\n", more).0;
    let (greedy, usual, greedy_text) = (say(&["--temperature=0"]), say(&[]), generate(&["--temperature=0"]));
    assert_eq!(say(&["--temperature=0.7"]), usual);
    let settings = model.join("generation_config.json");
    for settle in
        [r#"{"do_sample": false, "temperature": 2.0}"#, r#"{"do_sample": true, "temperature": 0.9, "top_k": 1}"#]
    {
        fs::write(&settings, settle).unwrap();
        assert_eq!((say(&[]), generate(&[])), (greedy.clone(), greedy_text.clone()), "{settle}");
        assert_eq!(say(&["--temperature=0.7", "--top-k=100000"]), usual, "flags override {settle}");
    }
    // An invalid setting is reported in one line, and the default is used.
    fs::write(&settings, r#"{"temperature": "hot"}"#).unwrap();
    let (out, err) = chat(&model, "Hello\nHow are you?\n", &[]);
    let told: Vec<&str> = err.lines().filter(|line| line.contains("generation_config.json")).collect();
    assert!(told.len() == 1 && told[0].contains("temperature is \"hot\" and is ignored"), "{err}");
    assert_eq!(out, usual);
}

#[test]
fn help_lists_what_the_run_suggests_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let run = folder.path().join("run");
    fs::write(run.join("suggestions.txt"), "What is 7 + 5?\nWhere does Abira live?\n").unwrap();
    let (out, err) = chat(&run, "/help\n", &[]);
    assert_eq!(out, "");
    assert!(err.ends_with("Things to ask:\n  What is 7 + 5?\n  Where does Abira live?\n"), "{err}");
    assert!(!err.contains("Try: "), "only a person at a terminal is told unasked: {err}");
    assert!(!chat(&model, "/help\n", &[]).1.contains("Things to ask"), "no run, no suggestions");
}

#[test]
fn who_cannot_be_talked_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    fail(&mut command(&model, &["--temperature=-1"]), 2, &["temperature"]);
    fail(&mut command(&folder.path().join("nobody"), &[]), 2, &["nobody"]);
    fs::write(model.join("chat_template.jinja"), "{{ raise_exception('no system message, please') }}").unwrap();
    fail(&mut command(&model, &["--system=Be kind."]), 2, &["no system message, please"]);
    fs::remove_file(model.join("chat_template.jinja")).unwrap();
    fail(&mut command(&model, &[]), 2, &["no chat template", "fine-tune", "generate", "chat_template.jinja"]);
    fs::remove_file(model.join("tokenizer.json")).unwrap();
    fail(&mut command(&model, &[]), 2, &["no tokenizer", "tokenizer.json"]);

    let (_, err) = chat(&folder.path().join("run"), "", &[]);
    assert!(err.contains("is not trained to answer"), "{err}");
}

#[test]
#[cfg(unix)]
fn an_interrupt_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(&model(folder.path()), &[]);
    let mut lines = child.stdin.take().unwrap();
    lines.write_all(b"Hello\n").unwrap();
    // It listens once it answers.
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
