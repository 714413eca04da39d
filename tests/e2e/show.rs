//! `fireclay data show`: the tokens that carry loss are marked, and no others.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{fail, fireclay, succeed, train};

fn tokenizer(folder: &Path) -> PathBuf {
    let run = folder.join("run");
    succeed(&mut train(&run, &["--steps=2", "--quiet"]));
    run
}

fn show(run: &Path, more: &[&str]) -> Command {
    let mut command = fireclay();
    command.args(["data", "show", "--tokenizer"]).arg(run.join("tokenizer")).args(more);
    command
}

fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn the_assistants_words_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let run = tokenizer(folder.path());
    let chat = file(
        folder.path(),
        "chat.jsonl",
        "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Red\\nor wet?\"}, \
         {\"role\": \"assistant\", \"content\": \"Red.\"}, {\"role\": \"user\", \"content\": \"Why?\"}, \
         {\"role\": \"assistant\", \"content\": \"It is\\nclay.\"}]}\n",
    );
    let shown = succeed(&mut show(&run, &["--data", &chat, "--batch=1"]));
    let expect = "━━ row 1 ━━\n── conversation 1 ──\n<|im_start|>system⏎\nBe brief.<|im_end|>⏎\n<|im_start|\
                  >user⏎\nRed⏎\nor wet?<|im_end|>⏎\n\
                  <|im_start|>assistant⏎\n⟦Red.<|im_end|>⟧⏎\n<|im_start|>user⏎\nWhy?<|im_end|>⏎\n\
                  <|im_start|>assistant⏎\n⟦It is⏎\nclay.<|im_end|>⟧⏎\n── padding: ";
    assert!(shown.starts_with(expect), "{shown}");
    assert!(shown.trim_end().ends_with("% are padding") && shown.contains("257 tokens, "), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colours in a pipe");

    let object: Value =
        serde_json::from_str(&succeed(&mut show(&run, &["--data", &chat, "--batch=1", "--json"]))).unwrap();
    let spans = object["rows"][0]["parts"][0]["spans"].as_array().unwrap();
    let learned: Vec<&str> =
        spans.iter().filter(|span| span["loss"] == true).map(|span| span["text"].as_str().unwrap()).collect();
    assert_eq!(learned, ["Red.<|im_end|>", "It is\nclay.<|im_end|>"]);
    let padding = object["rows"][0]["padding"].as_f64().unwrap();
    assert!((object["padding_share"].as_f64().unwrap() - padding / 257.0).abs() < 1e-12, "{object}");
}

#[test]
fn pairs_text_and_the_embedded_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let run = tokenizer(folder.path());
    let pairs = file(
        folder.path(),
        "pairs.jsonl",
        "{\"prompt\": \"Red?\", \"chosen\": \"Yes.\", \"rejected\": \"No.\", \"kind\": \"wrong\"}\n",
    );
    let shown = succeed(&mut show(&run, &["--kind=preferences", "--data", &pairs]));
    assert!(shown.contains("━━ pair 1 (wrong) ━━\n── chosen, "), "{shown}");
    assert!(shown.contains("⟦Yes.<|im_end|>⟧\n── rejected, ") && shown.contains("⟦No.<|im_end|>⟧\n"), "{shown}");

    let text = file(folder.path(), "text.txt", &"Red clay, wet clay. ".repeat(40));
    let shown = succeed(&mut show(&run, &["--kind=text", "--data", &text, "--context=16", "--batch=2"]));
    assert_eq!((shown.matches("━━ row").count(), shown.matches('⟧').count()), (2, 2), "{shown}");

    for kind in ["conversations", "preferences", "text"] {
        let shown = succeed(fireclay().args(["data", "show", "--context=128", "--kind", kind, "--model"]).arg(&run));
        assert!(shown.contains('⟦') && shown.contains("carry loss"), "{kind}: {shown}");
    }
}

#[test]
fn any_stage_shows_what_it_learns_first() {
    let folder = tempfile::tempdir().unwrap();
    let run = tokenizer(folder.path());
    let show = |more: &[&str]| {
        let mut command = fireclay();
        command.args(["data", "show", "--json", "--context=256", "--batch=3", "--model"]).arg(&run).args(more);
        command
    };
    for (stage, kind) in [
        ("pretrain", "text"),
        ("sft", "conversations"),
        ("reward", "preferences"),
        ("dpo", "preferences"),
        ("kto", "ratings"),
        ("ppo", "prompts"),
        ("grpo", "prompts"),
    ] {
        let shown: Value = serde_json::from_str(&succeed(&mut show(&["--stage", stage]))).unwrap();
        assert_eq!(shown["kind"], kind, "{stage}");
        assert_eq!(shown["rows"].as_array().map(Vec::len), Some(3), "{stage}");
        let learned = shown["loss_share"].as_f64().unwrap() > 0.0;
        assert_eq!(learned, kind != "prompts", "{stage}: a policy learns from answers that are not there yet");
    }
    fail(&mut show(&["--stage=tokenizer"]), 2, &["--stage tokenizer", "choose among pretrain, sft"]);
}

#[test]
fn mistakes_are_told_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = tokenizer(folder.path());
    let check = |more: &[&str], expect: &[&str]| fail(&mut show(&run, more), 2, expect);
    check(&["--data", "no-such.jsonl"], &["no-such.jsonl", "no such file"]);
    let broken = file(folder.path(), "broken.jsonl", "{\"messages\": []}\n{\"messages\": \n");
    check(&["--data", &broken], &["broken.jsonl:2"]);
    check(&["--context=0"], &["--context 0"]);
    check(&["--context=1"], &["none of the", "context of 1 tokens"]);
    fail(fireclay().args(["data", "show", "--tokenizer"]).arg(folder.path()), 2, &["tokenizer"]);
}
