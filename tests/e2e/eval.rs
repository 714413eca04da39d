//! `fireclay eval` on models that know next to nothing: that every kind of task gives the numbers it should have, and
//! mistakes are told in a line.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{fail, fireclay, succeed, train};

/// A run with a pretrained and a fine-tuned model and a reward model, of a context of 128 tokens.
fn assistant(folder: &Path) -> PathBuf {
    let run = folder.join("run");
    let small = [
        "--stages=tokenizer,pretrain,sft,reward",
        "--steps=3",
        "--set=tokenizer.vocab_size=400",
        "--set=pretrain.context=128",
        "--set=sft.batch=2",
        "--set=sft.context=128",
        "--set=sft.conversations=40",
        "--set=sft.validation_conversations=8",
        "--set=reward.batch=4",
        "--set=reward.context=128",
        "--set=reward.pairs=60",
        "--set=reward.validation_pairs=12",
        "--set=battery.per_topic=1",
        "--set=battery.final_per_topic=2",
        "--set=battery.max_tokens=8",
        "--quiet",
    ];
    succeed(&mut train(&run, &small));
    run
}

fn eval(model: &Path, more: &[&str]) -> Command {
    let mut command = fireclay();
    command.args(["eval", "--max-tokens=4", "--quiet", "--model"]).arg(model).args(more);
    command
}

fn json(command: &mut Command) -> Value {
    serde_json::from_str(&succeed(command.arg("--json"))).expect("one JSON object")
}

fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_string_lossy().into_owned()
}

const CHOICES: &str = "{\"query\": \"The clay is\", \"choices\": [\"red\", \"wet\"], \"gold\": 0}\n\
                       {\"query\": \"The clay is\", \"choices\": [\"red\", \"wet\"], \"gold\": 1}\n";

#[test]
fn every_kind_of_task_has_its_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let run = assistant(folder.path());
    let write = |name, content| file(folder.path(), name, content);
    let choices = write("choices.jsonl", CHOICES);
    let schema = write(
        "schema.jsonl",
        "{\"context_options\": [\"a pot\", \"the wheel\"], \"continuation\": \"is red\", \"gold\": 1}\n",
    );
    let completion = write("complete.json", "[{\"context\": \"Once upon\", \"continuation\": \"a time\"}]");
    let sums = write(
        "sums.jsonl",
        "{\"question\": \"1 + 1?\", \"answer\": \"#### 2\"}\n{\"prompt\": \"Say {}\", \"json\": true}\n",
    );
    let text = write("held-out.txt", "Once upon a time there was a potter.\n");

    let files = [choices.as_str(), &schema, &completion, &sums, &text];
    let found =
        json(eval(&run, &["--task", "world", "arithmetic", "preferences", "--limit=6"]).arg("--task").args(files));
    assert_eq!(found["model"], run.to_string_lossy().as_ref());
    let tasks = found["tasks"].as_array().unwrap();
    let kinds: Vec<_> =
        tasks.iter().map(|task| (task["task"].as_str().unwrap(), task["kind"].as_str().unwrap())).collect();
    assert_eq!(
        kinds,
        [
            ("world", "exact_match"),
            ("arithmetic", "exact_match"),
            ("preferences", "preferences"),
            ("choices", "multiple_choice"),
            ("schema", "schema"),
            ("complete", "completion"),
            ("sums", "exact_match"),
            ("held-out", "text"),
        ]
    );
    let task = |name: &str| tasks.iter().find(|task| task["task"] == name).unwrap();
    assert_eq!((&task("world")["n"], &task("choices")["n"], &task("sums")["n"]), (&6.into(), &2.into(), &2.into()));
    assert!(task("world")["baseline"].as_f64().unwrap() > 0.0 && task("world")["metrics"]["exact"].is_number());
    for group in ["correct_one_digit", "correct_two_digit"] {
        assert!(task("arithmetic")["metrics"][group].is_number(), "{}", task("arithmetic"));
    }
    // Asked with either answer as the right one, the question is right once.
    let choices_found = task("choices");
    assert_eq!((&choices_found["metrics"]["accuracy"], &choices_found["baseline"]), (&0.5.into(), &0.5.into()));
    let interval: Vec<f64> = serde_json::from_value(choices_found["intervals"]["accuracy"].clone()).unwrap();
    assert!((interval[0] - 0.0945).abs() < 1e-4 && (interval[1] - 0.9055).abs() < 1e-4, "{interval:?}");

    // The battery is the one that the stage was judged by at its end.
    let asked = json(&mut eval(&run, &["--task", "battery"]));
    let asked = &asked["tasks"][0];
    let done: Value = serde_json::from_slice(&std::fs::read(run.join("sft/DONE")).unwrap()).unwrap();
    for metric in ["battery", "battery_sampled", "battery_most_frequent"] {
        assert_eq!(asked["metrics"][metric], done["metrics"][metric], "{metric}: {asked}, {done}");
    }
    assert!(asked["n"].as_u64().unwrap() > 0 && asked["intervals"]["battery"].is_array(), "{asked}");

    // `score` says the same of a text.
    let score = fireclay().args(["score", "--json", "--text", &text, "--model"]).arg(&run).output().unwrap();
    let score: Value = serde_json::from_slice(&score.stdout).unwrap();
    assert_eq!(score["loss"], task("held-out")["metrics"]["loss"]);
    assert_eq!(score["bits_per_byte"], task("held-out")["metrics"]["bits_per_byte"]);

    // The run keeps them, also when another task follows, and the report shows them.
    let table = succeed(&mut eval(&run, &["--task", &choices, "--limit=1"]));
    assert!(table.starts_with("task ") && table.contains("\nchoices  accuracy "), "{table}");
    let kept: Value = serde_json::from_slice(&std::fs::read(run.join("eval.json")).unwrap()).unwrap();
    assert_eq!(kept["tasks"].as_array().unwrap().len(), 9);
    assert!(kept["checkpoint"].as_str().unwrap().starts_with("sft/checkpoints/"), "{kept}");
    succeed(fireclay().arg("report").arg(&run));
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("<h2 id=\"title-evaluation\">Evaluation</h2>") && report.contains("held-out</th>"));
}

#[test]
fn reward_models_judge() {
    let folder = tempfile::tempdir().unwrap();
    let run = assistant(folder.path());
    let (sft, reward) = (run.join("sft"), run.join("reward"));

    let found = json(&mut eval(&reward, &["--task", "preferences"]));
    let metrics = &found["tasks"][0]["metrics"];
    assert_eq!(found["tasks"][0]["n"].as_u64().unwrap() + found["tasks"][0]["left_out"].as_u64().unwrap(), 12);
    for metric in ["accuracy", "reward_chosen_mean", "reward_rejected_std"] {
        assert!(metrics[metric].is_number(), "{metric} in {metrics}");
    }
    assert!(metrics.as_object().unwrap().keys().any(|name| name.starts_with("accuracy_")), "{metrics}");

    // A model against itself: no margin, and every prompt is a draw.
    let itself = ["--reference", &sft.to_string_lossy()].map(str::to_owned);
    let itself: Vec<&str> = itself.iter().map(String::as_str).collect();
    let found = json(eval(&sft, &itself).args(["--task", "preferences", "--limit=4"]));
    assert_eq!(found["tasks"][0]["metrics"]["implicit_margin"], 0.0, "{found}");
    let found = json(eval(&sft, &itself).args(["--task", "wins", "--limit=5", "--reward"]).arg(&run));
    let wins = &found["tasks"][0];
    assert_eq!(wins["n"].as_u64().unwrap() + wins["left_out"].as_u64().unwrap(), 5, "{wins}");
    assert_eq!(wins["metrics"]["win_rate"], 0.5, "{wins}");
    assert_eq!(wins["metrics"]["reward"], wins["metrics"]["reward_of_reference"]);

    fail(
        eval(&sft, &itself).args(["--task", "wins", "--reward"]).arg(&sft),
        2,
        &["--reward", "language model", "stage `reward`"],
    );
    fail(&mut eval(&reward, &["--task", "world"]), 2, &["a reward model", "`world`", "--model"]);
    fail(eval(&sft, &["--task", "preferences", "--reference"]).arg(&reward), 2, &["--reference", "a reward model"]);
    fail(&mut eval(&sft, &["--task", "wins"]), 2, &["--task wins", "--reference DIR"]);
}

#[test]
fn mistakes_are_told_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    succeed(&mut train(&run, &["--steps=2", "--quiet"]));
    let write = |name, content: &str| file(folder.path(), name, content);
    let check = |more: &[&str], expect: &[&str]| fail(&mut eval(&run, more), 2, expect);
    check(&["--task", "wrold"], &["wrold", "did you mean `world`", "arithmetic"]);
    check(&["--task", "no-such.jsonl"], &["no-such.jsonl", "no such file"]);
    let broken = write("broken.jsonl", &format!("{CHOICES}{{\"query\": \n"));
    check(&["--task", "arithmetic", &broken], &["broken.jsonl:3", "not a JSON object"]);
    let gold = write("gold.jsonl", &CHOICES.replace("\"gold\": 1", "\"gold\": 2"));
    check(&["--task", &gold], &["gold.jsonl:2", "`gold` below 2"]);
    check(&["--task", &write("keys.jsonl", "{\"txet\": \"\"}\n")], &["keys.jsonl:1", "expected a benchmark", "txet"]);
    check(&["--task", &write("open.jsonl", "{\"prompt\": \"Hello\"}\n")], &["no right answers are given", "wins"]);
    check(&["--task", "world", "--batch=0"], &["--batch 0", "1 or more"]);
    check(&["--task", "world", "--temperature=-1"], &["temperature"]);
    check(&["--task", "text"], &["--task text", "give a file"]);
    fail(&mut eval(&folder.path().join("nowhere"), &["--task", "world"]), 2, &["nowhere", "nothing there"]);
    assert!(!run.join("eval.json").exists());
}
