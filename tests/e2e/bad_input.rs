//! Wrong input and failing disks: one line with the problem, its place and the remedy; exit code 2; nothing saved is
//! lost.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{fail, final_weights, fireclay, last_checkpoint, succeed, text, train};

fn file(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_string_lossy().into_owned()
}

/// Training on a file of this content is refused with these words.
fn check_data(name: &str, content: &[u8], expect: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), name, content);
    fail(&mut train(&folder.path().join("run"), &["--data", &path, "--steps=2"]), 2, &[&[name], expect].concat());
}

#[test]
fn data() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    fail(&mut train(&absent, &["--data", "no-such.txt"]), 2, &["--data: ", "no-such.txt: no such file or folder"]);
    fail(fireclay().args(["plan", "--data", "no-such.txt"]), 2, &["no-such.txt: no such file or folder"]);
    let examples = "stages = [\"sft\"]\n[sft]\ndata = [\"no-such.jsonl\"]\n";
    let examples = file(folder.path(), "examples.toml", examples.as_bytes());
    fail(fireclay().args(["plan", "--recipe", &examples]), 2, &["sft.data: ", "no-such.jsonl: no such file or folder"]);
    assert!(!absent.exists(), "nothing is made for data that is not there");
    check_data("empty.txt", b"", &["empty"]);
    check_data("binary.txt", b"abc\0\x01\x02def", &[]);
    check_data("latin1.txt", b"caf\xe9 au lait", &["UTF-8"]);
    check_data("bad.jsonl", b"{\"text\": \"good\"}\n{\"text\": \n", &["2"]);
    check_data("keys.jsonl", b"{\"txet\": \"good\"}\n", &["text"]);
    check_data("picture.png", b"\x89PNG", &[]);
    let mut zipped = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut zipped, flate2::Compression::default());
    encoder.write_all("many words, many words. ".repeat(1000).as_bytes()).unwrap();
    encoder.finish().unwrap();
    check_data("cut.txt.gz", &zipped[..zipped.len() / 2], &[]);
    check_data("cut.parquet", b"PAR1abcdef", &[]);
    let short = file(folder.path(), "short.txt", b"a few words");
    fail(&mut train(&folder.path().join("run"), &["--data", &short, "--steps=2"]), 2, &["context", "32"]);
}

#[test]
fn instruction_sets() {
    let ask = |name: &str, expect: &[&str]| {
        let mut command = fireclay();
        fail(command.args(["bench", "train", "--steps", "1"]).env("FIRECLAY_ISA", name), 2, expect);
        fail(fireclay().arg("plan").env("FIRECLAY_ISA", name), 2, expect);
    };
    ask("sse9", &["FIRECLAY_ISA: there is no instruction set \"sse9\"", "avx2"]);
    #[cfg(target_arch = "aarch64")]
    ask("avx2", &["FIRECLAY_ISA: this CPU has no avx2; the best it has is neon"]);
    fail(fireclay().args(["bench", "train", "--isa", "sse9"]), 2, &["sse9", "avx2"]);
    let mut emulated = fireclay();
    let plan = emulated.args(["plan", "--device", "cpu", "--precision", "bf16"]).env("FIRECLAY_ISA", "portable");
    let warning = "pretrain.precision = \"bf16\" stays, but";
    assert!(text(&plan.output().unwrap().stderr).contains(warning));
}

#[test]
fn benchmarks() {
    let generate = |words: &str, expect: &[&str]| {
        fail(fireclay().args(["bench", "generate"]).args(words.split(' ')), 2, expect);
    };
    generate("--context 64 --steps 500", &["--steps 500", "room for 31", "--context 1002"]);
    generate("--streams 2 --model no-such --width 64", &["--model", "cannot be used with", "--width"]);
    generate("--streams 2 --batch 3", &["--batch", "cannot be used with", "--streams"]);
    generate("--checkpointing", &["--checkpointing is of `bench train`"]);
    for threads in ["many", "-3", "1.5"] {
        let expect = format!("RAYON_NUM_THREADS={threads}: give a number of threads");
        fail(fireclay().arg("plan").env("RAYON_NUM_THREADS", threads), 2, &[&expect]);
    }
}

#[test]
fn recipe() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let check = |content: &str, expect: &[&str]| {
        let path = file(folder.path(), "my.toml", content.as_bytes());
        fail(fireclay().args(["train", "--recipe", &path, "--out"]).arg(&out), 2, expect);
    };
    check("[pretrain]\nstpes = 3\n", &["my.toml", "line 2", "did you mean `steps`"]);
    check("[pretrain]\nsteps = \"many\"\n", &["line 2", "string"]);
    check("stages = [\"pretrain\"]\n[pretrain]\nbatch = 0\n", &["batch = 0"]);
    check("stages = [\"pretrain\"]\n[model]\nwidth = 10\nheads = 3\npreset = \"gpt2\"\n", &["width = 10"]);
    check("stages = [\"pretrain\"", &["line 1"]);
    fail(fireclay().args(["train", "--recipe", "no-such"]), 2, &["no-such", "tiny"]);
    fail(&mut train(&out, &["--set", "pretrain.lr=1"]), 2, &["pretrain.lr", "did you mean"]);
    fail(&mut train(&out, &["--device", "cuda:9"]), 2, &["cuda"]);
    fail(&mut train(&out, &["--device", "toaster"]), 2, &["toaster", "available here: cpu"]);
    fail(&mut train(&out, &["--stages", "pretrain", "--steps", "2"]), 2, &["tokenizer"]);
    fail(&mut train(&out, &["--stages", "sft", "--steps", "2"]), 2, &["no tokenizer yet", "--model DIR"]);
    fail(&mut train(&out, &["--stages", "sft,pre"]), 2, &["--stages sft,pre", "the stages are tokenizer, pretrain"]);
    assert!(!out.join("pretrain/checkpoints").exists());
}

#[test]
fn what_does_not_fit_in_memory_or_in_a_day_is_refused_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let huge = ["--set=model.width=65536", "--set=model.heads=512", "--set=model.layers=100"];
    fail(&mut train(&out, &huge), 2, &["memory", "--allow-memory"]);
    fail(&mut train(&out, &["--steps", "99999999999"]), 2, &["hours", "--allow-long"]);
}

#[test]
fn model_directories() {
    let folder = tempfile::tempdir().unwrap();
    let generate = |model: &Path| {
        let mut command = fireclay();
        command.args(["generate", "--prompt", "a", "--model"]).arg(model);
        command
    };
    fail(&mut generate(&folder.path().join("nothing")), 2, &["nothing"]);
    fail(&mut generate(folder.path()), 2, &[]);
    file(folder.path(), "config.json", b"{\"model_type\": \"mamba\"}");
    fail(&mut generate(folder.path()), 2, &["mamba"]);
}

/// A finished run of 40 steps with checkpoints at 20 and 40.
fn finished(folder: &Path) -> PathBuf {
    let out = folder.join("run");
    succeed(&mut train(&out, &["--steps=40", "--quiet"]));
    out
}

fn flip_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_byte_in_a_checkpoint_is_found_on_resume() {
    let folder = tempfile::tempdir().unwrap();
    let out = finished(folder.path());
    std::fs::remove_file(out.join("pretrain/DONE")).unwrap();
    let weights = last_checkpoint(&out).join("model.safetensors");
    flip_byte(&weights);
    fail(&mut train(&out, &["--steps=40"]), 2, &["model.safetensors", "step-000040"]);
    // As the message says: without that checkpoint the run resumes from the one before.
    std::fs::remove_dir_all(last_checkpoint(&out)).unwrap();
    succeed(&mut train(&out, &["--steps=40", "--quiet"]));
    assert!(last_checkpoint(&out).ends_with("step-000040"));
}

#[test]
fn a_flipped_byte_in_a_shard_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let text = file(folder.path(), "text.txt", "the quick brown fox jumps over the lazy dog. ".repeat(500).as_bytes());
    let out = folder.path().join("run");
    let more = ["--data", text.as_str(), "--steps=4", "--quiet"];
    succeed(&mut train(&out, &more));
    std::fs::remove_file(out.join("pretrain/DONE")).unwrap();
    // Steps must be left: tokens are verified when they are read.
    std::fs::remove_dir_all(last_checkpoint(&out)).unwrap();
    let shard = std::fs::read_dir(out.join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("train"))
        .expect("a training shard");
    flip_byte(&shard);
    let name = shard.file_name().unwrap().to_string_lossy().into_owned();
    fail(&mut train(&out, &more), 2, &[&name]);
}

#[test]
fn another_recipe_does_not_touch_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = finished(folder.path());
    let weights = final_weights(&out);
    fail(&mut train(&out, &["--steps=50"]), 2, &["pretrain.steps", "--fresh"]);
    assert!(weights == final_weights(&out));
}

#[test]
fn two_runs_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let long = ["--steps=100000", "--quiet"];
    let mut first: std::process::Child = train(&out, &long).spawn().unwrap();
    while !out.join("pretrain/metrics.jsonl").exists() {
        assert!(first.try_wait().unwrap().is_none(), "the first run goes on");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fail(&mut train(&out, &long), 2, &["another run"]);
    assert!(first.try_wait().unwrap().is_none(), "the first run is untouched");
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn generation_refuses_what_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let out = finished(folder.path());
    let generate = |more: &[&str]| -> Command {
        let mut command = fireclay();
        command.args(["generate", "--model"]).arg(&out).args(more);
        command
    };
    fail(&mut generate(&["--ids", "1 2 99999"]), 2, &["99999"]);
    fail(&mut generate(&["--ids", "1 two"]), 2, &["two"]);
    fail(&mut generate(&["--prompt", "a", "--temperature", "-1"]), 2, &["temperature"]);
    fail(&mut generate(&["--prompt", &"word ".repeat(200)]), 2, &["32"]);
    fail(&mut generate(&["--prompt", "a", "--regex", "("]), 2, &["constrain"]);
    fail(&mut generate(&["--prompt", "a", "--json-schema", "no-such-file"]), 2, &["--json-schema", "no-such-file"]);
    fail(&mut generate(&["--prompt", "a", "--regex", "a", "--choice", "b"]), 2, &["cannot be used with"]);
}

#[test]
fn absurd_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let check = |set: &str, expect: &str| fail(&mut train(&folder.path().join("run"), &["--set", set]), 2, &[expect]);
    check("pretrain.batch=72057594037927936", "2^26");
    check("pretrain.steps=9007199254740993", "2^40");
    check("model.width=9223372036854775807", "width = 9223372036854775807");
    check("pretrain.accumulate=-1", "accumulate");
}

#[test]
fn text_that_changed_since_does_not_touch_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let text = file(folder.path(), "text.txt", "the quick brown fox jumps over the lazy dog. ".repeat(500).as_bytes());
    let out = folder.path().join("run");
    let more = ["--data", text.as_str(), "--steps=30", "--quiet"];
    succeed(&mut train(&out, &more));
    let weights = final_weights(&out);
    // Cut back to the first checkpoint, and the text is gone: the run goes on with the tokens it began with.
    std::fs::remove_file(out.join("pretrain/DONE")).unwrap();
    std::fs::remove_dir_all(last_checkpoint(&out)).unwrap();
    std::fs::remove_file(&text).unwrap();
    succeed(&mut train(&out, &more));
    assert!(weights == final_weights(&out));
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_does_not_stop_training() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = train(&out, &["--steps=20"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(out.join("pretrain/DONE").exists());
}
