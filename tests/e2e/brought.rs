//! What people bring: their conversations, templates and models, through the binary.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::{fireclay, last_checkpoint_of, run, succeed, text, train};

const SFT: [&str; 5] = [
    "--stages=tokenizer,pretrain,sft",
    "--steps=2",
    "--set=sft.batch=1",
    "--set=sft.context=32",
    "--set=sft.validation_fraction=0",
];

fn conversations(folder: &Path, lines: &str) -> String {
    let path = folder.join("chats.jsonl");
    fs::write(&path, lines).unwrap();
    format!("--set=sft.data=[\"{}\"]", path.display())
}

#[test]
fn a_fine_tuned_model_lists_its_turn_end_among_the_ids_that_end_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let data = conversations(
        folder.path(),
        "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Hello\"}], \"source\": \"x\"}\n",
    );
    let out = folder.path().join("run");
    let output = run(train(&out, &SFT).arg(&data));
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("sft: the key `source` is ignored (1 examples"), "{said}");
    let checkpoint = last_checkpoint_of(&out, "sft");
    let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(checkpoint.join(name)).unwrap()).unwrap() };
    let end = read("tokenizer.json")["added_tokens"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["content"] == "<|im_end|>")
        .unwrap()["id"]
        .clone();
    for file in ["config.json", "generation_config.json"] {
        assert!(read(file)["eos_token_id"].as_array().is_some_and(|ids| ids.contains(&end)), "{file}: {}", read(file));
    }
}

#[test]
fn validation_of_which_nothing_can_be_used_ends_no_fine_tuning() {
    let folder = tempfile::tempdir().unwrap();
    // Too long for the context, all but two; one in twenty is held out.
    let chat = |words: &str| {
        format!(
            "{{\"messages\": [{{\"role\": \"user\", \"content\": \"{words}\"}}, {{\"role\": \"assistant\", \"content\": \"ok\"}}]}}\n"
        )
    };
    let mut lines: Vec<String> = (0..60).map(|at| chat(&format!("a question {at} ").repeat(40))).collect();
    lines.extend([chat("Hi"), chat("Bye")]);
    let data = conversations(folder.path(), &lines.concat());
    let out = folder.path().join("run");
    let output = run(train(&out, &SFT).arg(&data).arg("--set=sft.validation_fraction=0.05"));
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("sft: nothing is left for validation: "), "{said}");
    assert!(out.join("sft/DONE").exists());
}

#[cfg(unix)]
#[test]
fn a_log_that_nobody_reads_ends_no_training() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = train(&folder.path().join("run"), &["--steps=40", "--verbose"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // The reader goes away at once, as `head -1` does.
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("run/pretrain/DONE").exists());
}

#[cfg(unix)]
#[test]
fn the_end_of_the_terminal_saves_as_ctrl_c_does() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let more = ["--steps=100000", "--quiet", "--set=pretrain.eval_every=0", "--set=pretrain.checkpoint_every=0"];
    let mut child = train(&out, &more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let metrics = out.join("pretrain/metrics.jsonl");
    while fs::metadata(&metrics).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "training runs");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let sent = std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(out.join("pretrain/checkpoints")).unwrap().count(), 1);
}

#[test]
fn a_template_whose_tokens_are_no_tokens_is_warned_of_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    succeed(&mut train(&out, &["--steps=2"]));
    let template = "{% for m in messages %}{{ '[' + m.role + ']' + m.content + '[/turn]' }}{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}";
    fs::write(out.join("tokenizer/chat_template.jinja"), template).unwrap();
    let chats = folder.path().join("chats.jsonl");
    fs::write(&chats, "{\"prompt\": \"Hi\", \"response\": \"Hello\"}\n").unwrap();
    let mut show = fireclay();
    let output = run(show
        .args(["data", "show", "--count=1", "--batch=1", "--context=64", "--tokenizer"])
        .arg(out.join("tokenizer"))
        .arg("--data")
        .arg(&chats));
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(shown.contains("Hello[/turn]⟧"), "{shown}");
    assert!(said.contains("chat_template.jinja ends a turn with \"[/turn]\""), "{said}");
}
