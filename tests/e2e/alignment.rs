//! From nothing to an aligned assistant, on a model far too small to be one: that the stages fit
//! together, resume exactly, and say what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fireclay_train::metrics::names;

use crate::{fail, last_checkpoint_of, losses_of, run, succeed, text, train};

/// Every stage in a few steps, with several updates a step where there can be.
const ALIGNED: [&str; 24] = [
    "--set=pretrain.context=128",
    "--set=tokenizer.vocab_size=400",
    "--set=sft.batch=2",
    "--set=sft.conversations=40",
    "--set=sft.validation_conversations=8",
    "--set=reward.batch=4",
    "--set=reward.pairs=60",
    "--set=reward.validation_pairs=8",
    "--set=dpo.batch=4",
    "--set=dpo.pairs=60",
    "--set=dpo.validation_pairs=8",
    "--set=kto.batch=4",
    "--set=kto.pairs=60",
    "--set=kto.validation_pairs=8",
    "--set=ppo.batch=6",
    "--set=ppo.minibatch=3",
    "--set=ppo.max_tokens=12",
    "--set=ppo.prompts=30",
    "--set=ppo.held_out=4",
    "--set=ppo.ema_decay=0.9",
    "--set=ppo.pretrain_coefficient=0.1",
    "--set=battery.per_topic=1",
    "--set=battery.final_per_topic=2",
    "--set=battery.max_tokens=8",
];

/// The same for the stages that need no reward model; here rewards come from checks of the answer.
const VERIFIED: [&str; 5] =
    ["batch=2", "max_tokens=12", "prompts=30", "held_out=4", "rewards={learned = 0.0, unfinished = 1.0}"];

fn assistant(out: &Path, stages: &str, more: &[&str]) -> Command {
    let mut flags: Vec<String> = vec![format!("--stages={stages}")];
    for stage in ["grpo", "rloo", "reinforce"] {
        flags.extend(VERIFIED.iter().map(|setting| format!("--set={stage}.{setting}")));
    }
    flags.extend(["grpo", "rloo"].map(|stage| format!("--set={stage}.group_size=3")));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    train(out, &[&ALIGNED[..], &flags, more].concat())
}

/// A step and its loss as it was written.
type Loss = (u64, serde_json::Value);

/// What a stage left: its losses and every weight file of its last checkpoint, the optimiser's too.
fn outcome(run: &Path, stage: &str) -> (Vec<Loss>, Vec<(String, Vec<u8>)>) {
    fn files(folder: &Path, prefix: &str, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                files(&entry.path(), &format!("{name}/"), found);
            } else if name.ends_with(".safetensors") {
                found.push((name, std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    let mut weights = vec![];
    files(&last_checkpoint_of(run, stage), "", &mut weights);
    weights.sort();
    (losses_of(run, stage), weights)
}

/// Every stage: a unit test compares it with the table of stages.
const ALL: &str = "tokenizer,pretrain,sft,reward,dpo,kto,reinforce,rloo,grpo,ppo";

/// The names of the numbers in the logs of all stages.
fn numbers_of(run: &Path) -> BTreeSet<String> {
    let logs = ALL.split(',').skip(1).map(|stage| std::fs::read_to_string(run.join(stage).join("metrics.jsonl")));
    let logs: Vec<String> = logs.collect::<Result<_, _>>().expect("every stage has metrics");
    let lines = logs.iter().flat_map(|log| log.lines());
    lines.flat_map(|line| serde_json::from_str::<BTreeMap<String, f64>>(line).expect("numbers").into_keys()).collect()
}

#[test]
fn every_stage_runs_and_is_then_done() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let said = succeed(&mut assistant(&out, ALL, &["--steps=3"]));
    for stage in ALL.split(',').skip(1) {
        assert!(said.contains(&format!("\n{stage:<11}3 steps")), "{stage} is told of:\n{said}");
        assert!(out.join(stage).join("DONE").exists(), "{stage}");
    }
    assert!(said.contains("chat --model"), "{said}");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    for title in ["Supervised fine-tuning", "Reward model", "PPO", "GRPO", "DPO", "Clip fraction", "Entropy"] {
        assert!(report.contains(title), "{title}");
    }
    for stage in ALL.split(',').filter(|stage| !["tokenizer", "pretrain", "reward"].contains(stage)) {
        assert!(said.contains(&format!("\n{stage:<11}best checkpoint step ")), "{stage} says what it leaves:\n{said}");
        let asked = std::fs::read_to_string(out.join(stage).join("battery.jsonl")).unwrap().lines().count();
        let done = std::fs::read_to_string(out.join(stage).join("DONE")).unwrap();
        let done: serde_json::Value = serde_json::from_str(&done).unwrap();
        assert!(asked > 0 && done["metrics"]["battery_sampled"].is_number(), "{stage}: {asked}, {done}");
        assert_eq!(done["best"]["by"], "battery", "{stage}");
    }
    let written = numbers_of(&out);
    // Whoever looks for a number by its name finds it. That of skipped steps is written where one is skipped.
    for name in names::ALL.iter().filter(|name| **name != names::SKIPPED) {
        let found = written.contains(*name) || written.contains(&names::validation(name));
        assert!(found, "no stage writes {name}: {written:?}");
    }
    assert!(!out.join("pretrain/battery.jsonl").exists() && !out.join("reward/battery.jsonl").exists());
    assert!(said.contains("\nmost frequent reply ") && report.contains("id=\"battery\""), "{said}");
    let again = succeed(&mut assistant(&out, ALL, &["--steps=3"]));
    assert!(again.contains("\nppo        3 steps"), "{again}");

    // The reward model is a sequence classifier with its scale, the policy a plain decoder, the
    // critic inside its checkpoint.
    let config = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path.join("config.json")).unwrap()).unwrap()
    };
    let reward = config(&last_checkpoint_of(&out, "reward"));
    assert_eq!(reward["architectures"][0], "Qwen3ForSequenceClassification");
    assert!(reward["fireclay_reward"]["std"].as_f64().unwrap() > 0.0, "{reward}");
    let ppo = last_checkpoint_of(&out, "ppo");
    assert_eq!(config(&ppo)["architectures"][0], "Qwen3ForCausalLM");
    assert_eq!(config(&ppo.join("critic"))["architectures"][0], "Qwen3ForSequenceClassification");
    assert_eq!(config(&ppo.join("average"))["architectures"][0], "Qwen3ForCausalLM");
}

/// Cuts a stage off three times, somewhere, and compares with one that ran through. PPO makes four
/// updates of actor and critic a step, so most cuts fall inside an epoch.
fn check_resumes(stage: &str, needs: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    let steps = format!("--set={stage}.steps=16");
    let often = format!("--set={stage}.checkpoint_every=3");
    let more = [&steps[..], &often, "--quiet"];
    for out in [&whole, &cut] {
        succeed(&mut assistant(out, needs, &["--steps=3", "--quiet", &steps, &often]));
    }
    let started = Instant::now();
    succeed(&mut assistant(&whole, stage, &[&more[..], &["--steps=3"]].concat()));
    let length = started.elapsed();
    for share in [0.45, 0.6, 0.75] {
        let mut child =
            assistant(&cut, stage, &[&more[..], &["--steps=3"]].concat()).spawn().expect("the binary starts");
        sleep(length.mul_f64(share).max(Duration::from_millis(20)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    succeed(&mut assistant(&cut, stage, &[&more[..], &["--steps=3"]].concat()));
    let (whole, cut) = (outcome(&whole, stage), outcome(&cut, stage));
    assert_eq!(whole.0, cut.0, "every step's loss, to the last bit");
    assert_eq!(whole.0.len(), 16);
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&whole.1), names(&cut.1));
    assert!(whole.1 == cut.1, "the weights and moments of {:?}, to the last bit", names(&whole.1));
}

#[test]
fn fine_tuning_resumes_exactly() {
    check_resumes("sft", "tokenizer,pretrain");
}

#[test]
fn reward_training_resumes_exactly() {
    check_resumes("reward", "tokenizer,pretrain,sft");
}

#[test]
fn ppo_resumes_exactly() {
    check_resumes("ppo", "tokenizer,pretrain,sft,reward");
}

/// A run may be cut when nothing but the model that it began with is saved.
#[test]
fn ppo_resumes_from_before_its_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let flags = ["--steps=3", "--quiet", "--set=ppo.keep_checkpoints=9"];
    succeed(&mut assistant(&out, "tokenizer,pretrain,sft,reward,ppo", &flags));
    let before = crate::losses_of(&out, "ppo");
    std::fs::remove_file(out.join("ppo/DONE")).unwrap();
    for entry in std::fs::read_dir(out.join("ppo/checkpoints")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("step-000000") {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    assert!(out.join("ppo/checkpoints/step-000000").exists(), "the model that the stage began with is saved");
    succeed(&mut assistant(&out, "tokenizer,pretrain,sft,reward,ppo", &flags));
    assert_eq!(crate::losses_of(&out, "ppo"), before);
}

#[test]
fn grpo_resumes_exactly() {
    check_resumes("grpo", "tokenizer,pretrain,sft");
}

#[test]
fn rloo_resumes_exactly() {
    check_resumes("rloo", "tokenizer,pretrain,sft");
}

#[test]
fn reinforce_resumes_exactly() {
    check_resumes("reinforce", "tokenizer,pretrain,sft");
}

#[test]
fn dpo_resumes_exactly() {
    check_resumes("dpo", "tokenizer,pretrain,sft");
}

#[test]
fn kto_resumes_exactly() {
    check_resumes("kto", "tokenizer,pretrain,sft");
}

#[test]
fn a_model_from_elsewhere_is_aligned() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base");
    succeed(&mut assistant(&base, "tokenizer,pretrain,sft", &["--steps=2", "--quiet"]));
    let model = last_checkpoint_of(&base, "sft");
    let out = folder.path().join("aligned");
    let flags = [
        "--model",
        model.to_str().unwrap(),
        "--steps=2",
        "--set=dpo.lora={rank = 2}",
        "--set=ppo.pretrain_coefficient=0.0",
    ];
    succeed(&mut assistant(&out, "reward,dpo,ppo", &flags));
    let adapter = last_checkpoint_of(&out, "dpo").join("adapter");
    assert!(adapter.join("adapter_config.json").exists() && adapter.join("adapter_model.safetensors").exists());
}

#[test]
fn what_a_stage_needs_is_named_when_it_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    fail(&mut assistant(&out, "sft", &["--steps=2"]), 2, &["tokenizer"]);
    succeed(&mut assistant(&out, "tokenizer,pretrain,sft", &["--steps=2", "--quiet"]));
    fail(&mut assistant(&out, "ppo", &["--steps=2"]), 2, &["ppo", "reward model", "ppo.rewards.learned = 0"]);
    let none = ["--steps=2", "--set=ppo.rewards={learned = 0.0, correct = 0.0, unfinished = 0.0}"];
    fail(&mut assistant(&out, "ppo", &none), 2, &["ppo.rewards", "every weight is 0"]);
    let none = ["--steps=2", "--set=ppo.max_tokens=128"];
    fail(&mut assistant(&out, "ppo", &none), 2, &["ppo.max_tokens = 128", "ppo.context = 128"]);
    fail(&mut assistant(&out, "grpo", &["--steps=2", "--set=grpo.group_size=1"]), 2, &["group_size = 1"]);
    fail(&mut assistant(&out, "ppo", &["--set=ppo.kl_coeficient=1"]), 2, &["did you mean `kl_coefficient`"]);
    fail(&mut assistant(&out, "dpo", &["--set=dpo.beta=-1.0"]), 2, &["dpo.beta = -1"]);
}

/// A stage's warning about examples that it passed over, and the error for a file in which a line is wrong.
#[test]
fn examples_that_teach_nothing_are_counted_and_broken_ones_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    succeed(&mut assistant(&out, "tokenizer,pretrain,sft", &["--steps=2", "--quiet"]));
    let pair = r#"{"prompt": "Hi", "chosen": "Good day.", "rejected": "Go away."}"#;
    let same = r#"{"prompt": "Hi", "chosen": "Good day.", "rejected": "Good day."}"#;
    let empty = r#"{"prompt": "Hi", "chosen": "", "rejected": "Go."}"#;
    let long = format!(r#"{{"prompt": "{}", "chosen": "Good.", "rejected": "Bad."}}"#, "long ".repeat(200));
    let missing = r#"{"prompt": "Hi", "chosen": "Good day."}"#;
    let write = |name: &str, lines: &[&str]| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let broken = write("broken.jsonl", &[pair, missing]);
    fail(
        &mut assistant(&out, "dpo", &["--steps=2", &format!("--set=dpo.data=[{broken:?}]")]),
        2,
        &["broken.jsonl:2", "rejected"],
    );
    let good = write("pairs.jsonl", &[pair, same, empty, &long, pair, pair]);
    let data = |path: &str| format!("--set=reward.data=[{path:?}]");
    let output =
        run(&mut assistant(&out, "reward", &["--steps=2", &data(&good), "--set=reward.validation_fraction=0.0"]));
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    for part in ["pairs.jsonl:2", "pairs.jsonl:3", "longer than the context of 128 tokens"] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    let silent = write("silent.jsonl", &[r#"{"messages": [{"role": "user", "content": "Anybody there?"}]}"#]);
    let other = folder.path().join("other");
    succeed(&mut assistant(&other, "tokenizer,pretrain", &["--steps=2", "--quiet"]));
    fail(&mut assistant(&other, "sft", &["--steps=2", &format!("--set=sft.data=[{silent:?}]")]), 2, &["silent.jsonl"]);
}

/// A kill before the first step, while files are read, made or measured, costs nothing but time.
#[test]
#[ignore = "minutes long: it kills every stage twenty times"]
fn twenty_kills_in_the_first_moments_of_every_stage_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    let mut random = 88_172_645_463_325_252u64; // xorshift64 (Marsaglia 2003), always from the same seed
    for stage in ALL.split(',') {
        let of = |out: &Path| assistant(out, stage, &["--steps=3", "--quiet"]);
        let started = Instant::now();
        succeed(&mut of(&whole));
        let most = started.elapsed().min(Duration::from_secs(2));
        let mut kills = 0;
        while kills < 20 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut child = of(&cut).spawn().expect("the binary starts");
            sleep(most.mul_f64((random % 1000) as f64 / 1000.0));
            let running = child.try_wait().unwrap().is_none();
            child.kill().unwrap();
            child.wait().unwrap();
            match running {
                true => kills += 1,
                // It had finished; the stage is cut off again from its beginning.
                false => std::fs::remove_dir_all(cut.join(stage)).unwrap(),
            }
        }
        succeed(&mut of(&cut));
        if stage == "tokenizer" {
            let read = |out: &Path| std::fs::read(out.join("tokenizer/tokenizer.json")).unwrap();
            assert!(read(&whole) == read(&cut), "the tokenizer, to the last bit");
            continue;
        }
        let (whole, cut) = (outcome(&whole, stage), outcome(&cut, stage));
        assert_eq!(whole.0, cut.0, "{stage}: every step's loss, to the last bit");
        assert!(whole.1 == cut.1, "{stage}: weights and moments, to the last bit");
    }
}
