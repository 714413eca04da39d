//! A run that was cut off anywhere ends as one that was not.
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{final_weights, losses, succeed, train};

/// Checkpoints so often that many kills fall into a save.
const STEPS: [&str; 4] =
    ["--steps=200", "--set=pretrain.checkpoint_every=4", "--set=pretrain.keep_checkpoints=2", "--quiet"];

/// Some seconds long: it starts the binary twenty times and more.
#[test]
fn twenty_kills_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let started = Instant::now();
    succeed(&mut train(&whole, &STEPS));
    let length = started.elapsed();

    let cut = folder.path().join("cut");
    let mut random = 88_172_645_463_325_252u64; // xorshift64 (Marsaglia 2003), always from the same seed
    let mut kills = 0;
    while kills < 20 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut child = train(&cut, &STEPS).spawn().expect("the binary starts");
        sleep(length.mul_f64((random % 1000) as f64 / 1000.0 * 0.4));
        let running = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        if running {
            kills += 1;
        } else {
            // It had finished; another run is cut off instead.
            check_same(&whole, &cut);
            std::fs::remove_dir_all(&cut).unwrap();
        }
    }
    succeed(&mut train(&cut, &STEPS));
    check_same(&whole, &cut);
}

fn check_same(whole: &Path, cut: &Path) {
    assert_eq!(losses(whole), losses(cut), "every step's loss, to the last bit");
    assert!(final_weights(whole) == final_weights(cut), "the weights, to the last bit");
}

/// With Muon, whose state is another.
#[test]
#[cfg(unix)]
fn an_interrupt_saves_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--steps=300", "--set=pretrain.checkpoint_every=0", "--set=pretrain.optimizer=muon", "--quiet"];
    let whole = folder.path().join("whole");
    succeed(&mut train(&whole, &more));

    let cut = folder.path().join("cut");
    let mut child = train(&cut, &more).spawn().unwrap();
    let started = Instant::now();
    let lines = || std::fs::read_to_string(cut.join("pretrain/metrics.jsonl")).map_or(0, |text| text.lines().count());
    while lines() < 20 && started.elapsed() < Duration::from_mins(1) {
        sleep(Duration::from_millis(5));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "interrupted after saving");
    let step = crate::last_checkpoint(&cut);
    let step = step.file_name().unwrap().to_str().unwrap();
    assert!(("step-000001".."step-000300").contains(&step), "it was cut off on its way, not at {step}");
    succeed(&mut train(&cut, &more));
    check_same(&whole, &cut);
}
