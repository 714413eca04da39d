//! The page as a whole, from run directories written here.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{KnownStage, write};

const STAGES: [KnownStage; 4] = [
    KnownStage { name: "tokenizer", title: "Tokenizer", logs: false, chats: false },
    KnownStage { name: "pretrain", title: "Pretraining", logs: true, chats: false },
    KnownStage { name: "sft", title: "Supervised fine-tuning", logs: true, chats: true },
    KnownStage { name: "ppo", title: "PPO", logs: true, chats: true },
];

/// A run directory that is removed at the end of its test.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, content: &str) -> &Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("inside the run")).expect("folder");
        fs::write(path, content).expect("writes");
        self
    }

    fn page(&self) -> String {
        fs::read_to_string(write(self.path(), &STAGES).expect("a report")).expect("reads")
    }
}

fn metrics(steps: u32) -> String {
    (1..=steps).fold(String::new(), |mut lines, step| {
        let validation = if step % 100 == 0 { ",\"val_loss\":2.25,\"val_bits_per_byte\":1.5" } else { "" };
        let loss = 2.0 + 6.0 / f64::from(step);
        let _ = writeln!(
            lines,
            "{{\"step\":{step},\"tokens\":{},\"loss\":{loss},\"lr\":0.001,\"clip_fraction\":0.1,\"seconds\":{step}{validation}}}",
            step * 512
        );
        lines
    })
}

fn check_refused(path: &Path, parts: &[&str]) {
    let error = format!("{:#}", write(path, &STAGES).expect_err("no run"));
    assert!(!error.contains('\n'), "one line: {error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn a_whole_run_makes_one_self_contained_page() {
    let run = Scratch::new();
    run.file("recipe.toml", "stages = [\"tokenizer\", \"pretrain\"]\n[pretrain]\nsteps = 300 # <all>\n")
        .file("machine.json", "{\"cpu\":\"Abacus\",\"memory_bytes\":1073741824,\"accelerator\":\"none\"}")
        .file("pretrain/metrics.jsonl", &metrics(300))
        .file("pretrain/samples.jsonl", "{\"step\":100,\"prompt\":\"从前\",\"text\":\"，<b>有一只\"}\n")
        .file("pretrain/DONE", "");
    let page = run.page();
    for part in [
        "on 154k tokens in 5 min 00 s (pretrain); final validation loss 2.25 (1.5 bits per byte).",
        "Clip fraction",
        "Learning rate",
        "Abacus",
        "1.0 GiB",
        "Accelerator",
        "steps = 300 # &lt;all&gt;",
        "从前</span>，&lt;b&gt;有一只",
        "fireclay generate --model",
        "finished</span>",
    ] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    for outside in ["<script", "http://", "https://", "src=", "url(", "@import", "not finished"] {
        assert!(!page.contains(outside), "{outside:?} on the page");
    }
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn stages_follow_the_recipe_and_an_unknown_one_is_shown_too() {
    let run = Scratch::new();
    run.file("recipe.toml", "stages = [\"pretrain\", \"alchemy\", \"sft\", \"ppo\"]\n")
        .file("sft/metrics.jsonl", &metrics(3))
        .file("alchemy/metrics.jsonl", "{\"step\":1,\"reward_mean\":0.5,\"kl\":0.1}\n")
        .file("pretrain/metrics.jsonl", &metrics(3));
    let page = run.page();
    let places: Vec<_> =
        ["pretrain", "alchemy", "sft"].map(|name| page.find(&format!("<section id=\"stage-{name}\""))).into();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    assert!(page.contains("The run is not finished.") && page.contains("fireclay train --recipe"));
}

#[test]
fn damaged_and_sparse_runs_still_have_a_page() {
    for (name, lines) in [
        ("single", "{\"step\":1,\"loss\":2.5}\n"),
        ("cut", "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"lo"),
        ("nan", "{\"step\":1,\"loss\":null}\n{\"step\":2,\"loss\":NaN}\n"),
        ("negative", "{\"step\":-1,\"loss\":-1e300}\n{\"step\":2,\"loss\":1e300}\n"),
        ("bare", "{\"step\":7}\n"),
    ] {
        let run = Scratch::new();
        let page = run.file("pretrain/metrics.jsonl", lines).page();
        assert!(page.contains("No samples were recorded") && page.contains("not recorded"), "{name}");
    }
}

#[test]
fn what_was_measured_is_a_table() {
    let run = Scratch::new();
    run.file("pretrain/metrics.jsonl", &metrics(3)).file("eval.json", "{\"tasks\": [");
    assert!(!run.page().contains("id=\"evaluation\""), "a damaged file is passed over");
    let task = "{\"task\": \"<copa>\", \"n\": 100, \"metrics\": {\"accuracy\": 0.68, \"loss\": 1.5}, \
                \"intervals\": {\"accuracy\": [0.58, 0.76]}, \"counts\": {\"loss\": 1234}, \"chances\": \
                {\"accuracy\": 0.5}}";
    run.file("eval.json", &format!("{{\"checkpoint\": \"sft/checkpoints/step-000500\", \"tasks\": [{task}]}}"));
    let page = run.page();
    for part in [
        "href=\"#evaluation\"",
        "sft/checkpoints/step-000500",
        "<th scope=\"row\">&lt;copa&gt;</th><td>Accuracy</td><td>0.68</td><td>0.58 – 0.76</td><td>100</td><td>0.5</td>",
        "<td>Loss</td><td>1.5</td><td></td><td>1,234</td><td></td>",
        "<td>what was measured</td>",
    ] {
        assert!(page.contains(part), "{part:?} is missing");
    }
}

fn reply(topic: &str, prompt: &str, said: &str, right: bool) -> String {
    let reply = fireclay_rlhf::BatteryReply {
        topic: Some(topic.into()),
        messages: vec![fireclay_tokenizer::Message::new("user", prompt)],
        greedy: said.into(),
        greedy_right: right,
        sampled: said.into(),
        sampled_right: right,
    };
    serde_json::to_string(&reply).expect("JSON") + "\n"
}

#[test]
fn what_each_stage_replies_stands_side_by_side() {
    let run = Scratch::new();
    run.file("recipe.toml", "stages = [\"sft\", \"ppo\"]\n");
    for (stage, sum, right) in [("sft", "4", true), ("ppo", "<b>5", false)] {
        let replies = [reply("greeting", "Hi & bye", "Hello.", true), reply("sum", "2 + 2", sum, right)];
        run.file(&format!("{stage}/metrics.jsonl"), "{\"step\":1,\"battery\":0.5,\"battery_sum\":0.5}\n")
            .file(&format!("{stage}/battery.jsonl"), &replies.concat());
    }
    let page = run.page();
    for part in [
        "href=\"#battery\"",
        "after sft it answers 100.0 % of first messages correctly",
        "<dt>Correct replies</dt><dd>100.0 %</dd>",
        "<th scope=\"row\">sum</th><td>100.0</td><td>100.0</td><td>0.0</td><td>0.0</td>",
        "<th scope=\"row\">all</th><td>100.0</td><td>100.0</td><td>50.0</td><td>50.0</td>",
        "<th scope=\"row\">most frequent reply</th><td>50.0</td><td></td>",
        "Hi &amp; bye",
        "<td class=\"right\"><p dir=\"auto\">4</p><span class=\"mark\">✓ right</span></td>\
         <td class=\"wrong\"><p dir=\"auto\">&lt;b&gt;5</p><span class=\"mark\">✗ wrong</span></td>",
        "sft/battery.jsonl",
        "Battery, greedy",
    ] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    assert!(!page.contains("Battery sum"), "topics have no chart");
    run.file("sft/battery.jsonl", "").file("ppo/battery.jsonl", "");
    assert!(!run.page().contains("id=\"battery\""));
}

#[test]
fn a_long_run_makes_a_small_page() {
    let run = Scratch::new();
    let page = run.file("pretrain/metrics.jsonl", &metrics(50_000)).page();
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

#[test]
fn an_older_report_is_replaced_and_nothing_else_left() {
    let run = Scratch::new();
    run.file("pretrain/metrics.jsonl", &metrics(3)).file("report.html", "old");
    assert!(run.page().starts_with("<!DOCTYPE html>"));
    let left = fs::read_dir(run.path()).expect("reads").count();
    assert_eq!(left, 2, "pretrain and report.html");
}

#[test]
fn what_is_no_run_is_refused_in_one_line() {
    let run = Scratch::new();
    check_refused(&run.path().join("absent"), &["absent: no such run folder", "fireclay train --out"]);
    check_refused(run.path(), &["no stage in it (looked for", "/*/metrics.jsonl", "fireclay train"]);
    run.file("note.txt", "").file("pretrain/metrics.jsonl", "{\"st");
    check_refused(&run.path().join("note.txt"), &["a file, not a run folder"]);
    check_refused(&run.path().join("pretrain"), &["one stage of a run", "fireclay report"]);
    check_refused(run.path(), &["pretrain/metrics.jsonl: it has no complete step"]);
    let runs = Scratch::new();
    runs.file("first/pretrain/metrics.jsonl", &metrics(1)).file("second/pretrain/metrics.jsonl", &metrics(1));
    check_refused(&runs.path().join("third"), &["no such run folder; there are: ", "/first, ", "/second"]);
    check_refused(runs.path(), &["a folder of runs", "/first, "]);
}

#[test]
fn a_stage_that_keeps_the_model_it_began_with_is_said_to() {
    let run = Scratch::new();
    run.file("recipe.toml", "stages = [\"ppo\"]\n")
        .file("ppo/metrics.jsonl", &metrics(3))
        .file("ppo/battery.jsonl", &reply("sum", "2 + 2", "4", true))
        .file("ppo/checkpoints/step-000003/config.json", "{}");
    let done = |best: u64| {
        format!(
            "{{\"step\": 3, \"tokens\": 1, \"seconds\": 1.0, \"val_loss\": null, \"val_bits_per_byte\": null, \
             \"best\": {{\"step\": {best}, \"value\": 1.0, \"by\": \"battery\"}}, \"skipped\": 0, \
             \"checkpoint\": \"\"}}"
        )
    };
    run.file("ppo/DONE", &done(0));
    let page = run.page();
    for part in [
        "not changed by training on",
        "; ppo kept the model it began with, which answers 100.0 % of first messages correctly.",
        "first messages by the model before ppo, greedy",
        "kept the model it began with, since no checkpoint answers better: what it learned is in <code>",
        "ppo/checkpoints/step-000003</code>",
    ] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    run.file("ppo/DONE", &done(3));
    let page = run.page();
    assert!(page.contains("after ppo it answers 100.0 %") && !page.contains("kept the model"));
}

#[test]
fn a_last_stage_without_a_battery_is_what_the_run_stands_for() {
    let run = Scratch::new();
    run.file("recipe.toml", "stages = [\"sft\", \"ppo\"]\n")
        .file("sft/metrics.jsonl", &metrics(3))
        .file("sft/battery.jsonl", &reply("sum", "2 + 2", "4", true))
        .file("ppo/metrics.jsonl", &metrics(3));
    assert!(run.page().contains("after sft it answers 100.0 %"), "ppo is not finished");
    run.file("ppo/DONE", "{}");
    assert!(!run.page().contains("after sft it answers"), "chat takes ppo");
}

#[test]
fn a_run_that_can_chat_is_talked_to_first_and_continues_text_only() {
    let run = Scratch::new();
    run.file("recipe.toml", "stages = [\"pretrain\", \"sft\"]\n")
        .file("pretrain/metrics.jsonl", &metrics(3))
        .file("pretrain/samples.jsonl", "{\"step\":1,\"prompt\":\"The kiln\",\"text\":\" is hot\"}\n");
    assert!(!run.page().contains("fireclay chat --model"), "it cannot chat yet");
    run.file("sft/metrics.jsonl", &metrics(3))
        .file("sft/checkpoints/step-000003/config.json", "{}")
        .file("sft/samples.jsonl", "{\"step\":1,\"prompt\":\"user: Hi\",\"text\":\"Hello.\"}\n");
    let page = run.page();
    let places = ["fireclay chat --model", "fireclay serve --model", "--prompt &#39;The kiln&#39;"];
    let places = places.map(|part| page.find(part).unwrap_or_else(|| panic!("{part:?} is missing")));
    assert!(places.is_sorted(), "{places:?}");
    run.file("pretrain/samples.jsonl", "");
    assert!(run.page().contains("Once upon a time") && !run.page().contains("--prompt &#39;user"));
}

/// Names that no stage writes would leave their figures out in silence; an end-to-end test holds the list to what the
/// stages write.
#[test]
fn numbers_are_found_by_the_names_of_the_list() {
    for code in [include_str!("page.rs"), include_str!("figures.rs")] {
        for call in ["column(\"", "last(\"", "lowest(\"", "loss(\"", "last_with(\""] {
            assert!(!code.contains(call), "{call}…) is not a name of the list");
        }
    }
}
