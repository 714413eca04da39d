//! Runs whose files are damaged, exchanged or gone, and signals before there is anything to save.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{fail, final_weights, fireclay, last_checkpoint_of, run, succeed, text, train};

/// Changes one byte in the middle of a file.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Sends a signal once `when` holds; the exit code.
#[cfg(unix)]
fn signalled(mut command: Command, signal: &str, when: impl Fn() -> bool) -> Option<i32> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !when() {
        assert!(child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_mins(1), "it runs");
        sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap().code()
}

#[test]
#[cfg(unix)]
fn a_base_that_was_exchanged_is_noticed_by_its_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let small =
        ["--set=pretrain.context=128", "--set=tokenizer.vocab_size=400", "--set=battery.per_topic=0", "--quiet"];
    succeed(train(&out, &["--steps=2"]).args(small));
    let dpo = || {
        let mut command = train(&out, &["--stages=dpo", "--steps=2", "--set=dpo.steps=5000"]);
        command.args(small).args(["batch=2", "pairs=40", "validation_pairs=4"].map(|set| format!("--set=dpo.{set}")));
        command
    };
    let logged = || fs::metadata(out.join("dpo/metrics.jsonl")).map_or(0, |metrics| metrics.len());
    assert_eq!(signalled(dpo(), "-INT", || logged() > 0), Some(130));
    let weights = last_checkpoint_of(&out, "pretrain").join("model.safetensors");
    damage(&weights);
    fail(&mut dpo(), 2, &["begins_with was", "pretrain/checkpoints/step-000002 (checksum"]);
    damage(&weights);
    let before = logged();
    assert_eq!(signalled(dpo(), "-INT", || logged() > before), Some(130), "as it was, it goes on");
}

#[test]
fn damaged_shards_are_deleted_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..400).map(|at| format!("Line {at} of a text about {} things.\n", at % 7)).collect();
    let data = folder.path().join("text.txt");
    fs::write(&data, texts.concat()).unwrap();
    let data = format!("--data={}", data.display());
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    let steps = |out: &Path, steps: &str| {
        let mut command = train(out, &[&data, steps, "--quiet", "--set=pretrain.warmup_steps=0"]);
        command.arg("--set=pretrain.schedule=\"constant\"");
        command
    };
    succeed(&mut steps(&whole, "--steps=40"));
    succeed(&mut steps(&cut, "--steps=40"));
    // As if it had been cut off after the first checkpoint.
    fs::remove_dir_all(last_checkpoint_of(&cut, "pretrain")).unwrap();
    fs::remove_file(cut.join("pretrain/DONE")).unwrap();
    let shards: Vec<PathBuf> = fs::read_dir(cut.join("data")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let shard = shards.iter().max_by_key(|shard| fs::metadata(shard).unwrap().len()).unwrap();
    damage(shard);
    fail(&mut steps(&cut, "--steps=40"), 2, &["damaged", "delete its folder"]);
    // The remedy that is printed.
    fs::remove_dir_all(cut.join("data")).unwrap();
    succeed(&mut steps(&cut, "--steps=40"));
    assert!(final_weights(&whole) == final_weights(&cut), "the weights, to the last bit");
}

#[test]
fn a_finished_stage_goes_on_where_it_is_given_more_steps() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, longer) = (folder.path().join("whole"), folder.path().join("longer"));
    let steps = |out: &Path, steps: &str| {
        let mut command = train(out, &[steps, "--quiet", "--set=pretrain.warmup_steps=2"]);
        command.arg("--set=pretrain.schedule=\"constant\"");
        command
    };
    succeed(&mut steps(&whole, "--steps=40"));
    succeed(&mut steps(&longer, "--steps=20"));
    assert!(final_weights(&whole) != final_weights(&longer));
    succeed(&mut steps(&longer, "--steps=40"));
    assert!(final_weights(&whole) == final_weights(&longer), "the weights, to the last bit");
    // A schedule that would have been another is not gone on with.
    let cosine = folder.path().join("cosine");
    succeed(&mut train(&cosine, &["--steps=20", "--quiet"]));
    fail(&mut train(&cosine, &["--steps=40", "--quiet"]), 2, &["pretrain.steps", "--fresh"]);
}

#[test]
fn figures_that_cannot_be_kept_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    succeed(&mut train(&out, &["--steps=2", "--quiet"]));
    let file = folder.path().join("text.txt");
    fs::write(&file, "Once upon a time there was a cat.\n").unwrap();
    // Nobody, not even root, can write a file where a folder is.
    fs::create_dir(out.join("eval.json")).unwrap();
    let output = run(fireclay().args(["eval", "--model"]).arg(&out).args(["--task", "text"]).arg(&file));
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(shown.contains("text") && said.contains("the results could not be saved"), "{shown}\n{said}");
}

#[test]
#[cfg(unix)]
fn a_signal_is_heard_while_text_is_tokenised() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let data = folder.path().join("text.txt");
    let line = "It was the best of times, it was the worst of times, it was the age of wisdom.\n";
    fs::write(&data, line.repeat(1_000_000)).unwrap();
    let data = format!("--data={}", data.display());
    let tokenising = train(&out, &[&data, "--steps=2", "--quiet", "--set=tokenizer.max_bytes=100000"]);
    let begun = || out.join("data").exists();
    let code = signalled(tokenising, "-TERM", begun);
    assert_eq!(code, Some(130));
    assert!(!out.join("data/manifest.json").exists(), "it ended before all was tokenised");
}
