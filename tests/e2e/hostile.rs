//! Three hundred model folders, tokenizers, templates and archives as a stranger might make them: each ends soon, with
//! one line if it is refused, and takes little memory.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{fireclay, text};

const LONGEST: Duration = Duration::from_secs(10);
const MOST_MEMORY_KIB: u64 = 1 << 20;

/// Numbers that are the same each time (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folders of small models.
fn models() -> Vec<PathBuf> {
    let families = crates().join("model/tests/fixtures/families");
    let mut found: Vec<PathBuf> =
        fs::read_dir(families).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Values of unexpected types.
fn extreme(dice: &mut Dice) -> Value {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let values = [
        json!(0),
        json!(-1),
        json!(1),
        json!(3),
        json!(0.5),
        json!(2_147_483_647),
        json!(4_294_967_296_u64),
        json!(u64::MAX),
        json!(1e308),
        json!(1e-308),
        json!(-1e-9),
        json!(null),
        json!(true),
        json!(""),
        json!("x".repeat(100_000)),
        json!("\u{1b}[31m\n\u{0}"),
        json!([]),
        json!({}),
        json!(vec![0; 1000]),
        json!({"rope_type": "yarn", "factor": 1e300}),
        json!({"rope_type": "longrope", "short_factor": [1], "long_factor": vec![1; 100_000]}),
        deep,
    ];
    dice.of(&values).clone()
}

/// Puts an extreme value somewhere into a JSON value.
fn break_somewhere(value: &mut Value, dice: &mut Dice) {
    let inside = match value {
        Value::Object(entries) if !entries.is_empty() && dice.below(8) > 0 => {
            let at = dice.below(entries.len());
            entries.values_mut().nth(at)
        }
        Value::Array(items) if !items.is_empty() && dice.below(8) > 0 => {
            let at = dice.below(items.len());
            items.get_mut(at)
        }
        _ => None,
    };
    match inside {
        Some(inside) => break_somewhere(inside, dice),
        None => *value = extreme(dice),
    }
}

/// Changes some bytes, or cuts the end off.
fn damage(bytes: &mut Vec<u8>, dice: &mut Dice, first: usize) {
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len().min(first));
        bytes[at] = *dice.of(&[0, 1, 0x7f, 0xff, b'9', b'{', b'"']);
    }
    if dice.below(3) == 0 {
        let length = dice.below(bytes.len());
        bytes.truncate(length);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// The largest memory that a process had, in KiB, where the system tells.
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Runs to the end, which must be soon, and gives whether it was refused.
fn check(what: &str, command: &mut Command, input: &str) -> bool {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have gone before it read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let mut errors = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut said = vec![];
        let _ = std::io::Read::read_to_end(&mut errors, &mut said);
        text(&said)
    });
    let mut memory = 0;
    let status = loop {
        memory = memory.max(peak(&child));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LONGEST {
            child.kill().unwrap();
            panic!("{what}: no end in {LONGEST:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let said = reader.join().unwrap();
    assert!(matches!(status.code(), Some(0 | 2)), "{what}: {status}\n{said}");
    assert!(!said.contains("panicked") && !said.contains('\u{1b}'), "{what}: {said:?}");
    assert!(memory < MOST_MEMORY_KIB, "{what}: {memory} KiB");
    let refused = status.code() == Some(2);
    if refused {
        let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{what}: {said}");
    }
    refused
}

/// Runs cases on two threads, and asserts that most are refused.
fn all(count: usize, least_refused: usize, case: impl Fn(usize, &mut Dice) -> bool + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let refused = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (index as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
                    if case(index, &mut dice) {
                        refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let refused = refused.into_inner();
    assert!(refused >= least_refused, "only {refused} of {count} were refused");
}

fn score(model: &Path) -> Command {
    let mut command = fireclay();
    command.args(["score", "--ids", "1 2 3", "--model"]).arg(model);
    command
}

#[test]
fn a_hundred_and_twenty_configurations() {
    let models = models();
    all(120, 60, |index, dice| {
        let folder = tempfile::tempdir().unwrap();
        copy(&models[index % models.len()], folder.path());
        let path = folder.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for _ in 0..=dice.below(3) {
            break_somewhere(&mut config, dice);
        }
        let mut bytes = config.to_string().into_bytes();
        if dice.below(6) == 0 {
            damage(&mut bytes, dice, usize::MAX);
        }
        fs::write(&path, bytes).unwrap();
        check(&format!("configuration {index}"), &mut score(folder.path()), "")
    });
}

#[test]
fn sixty_files_of_weights() {
    let models = models();
    all(60, 30, |index, dice| {
        let folder = tempfile::tempdir().unwrap();
        copy(&models[index % models.len()], folder.path());
        let path = folder.path().join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes, dice, 3000);
        fs::write(&path, bytes).unwrap();
        check(&format!("weights {index}"), &mut score(folder.path()), "")
    });
}

#[test]
fn sixty_tokenizers() {
    let tokenizer = fs::read(crates().join("tokenizer/tests/fixtures/tokenizer.json")).unwrap();
    all(60, 20, |index, dice| {
        let folder = tempfile::tempdir().unwrap();
        let mut json: Value = serde_json::from_slice(&tokenizer).unwrap();
        for _ in 0..=dice.below(3) {
            break_somewhere(&mut json, dice);
        }
        let mut bytes = json.to_string().into_bytes();
        if dice.below(5) == 0 {
            damage(&mut bytes, dice, usize::MAX);
        }
        fs::write(folder.path().join("tokenizer.json"), bytes).unwrap();
        let mut command = fireclay();
        command
            .args(["tokenizer", "encode", "--text", "Hello  <|im_end|> 你好\n123", "--tokenizer"])
            .arg(folder.path());
        check(&format!("tokenizer {index}"), &mut command, "")
    });
}

#[test]
fn thirty_templates() {
    let tokenizer = crates().join("tokenizer/tests/fixtures/tokenizer.json");
    let parts = [
        "{% for i in range(99999) %}",
        "{{ 'x' * 99999999 }}",
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
        "{{ messages[0].content.x.y }}",
        "{{ raise_exception('no\n\u{1b}[31m') }}",
        "{{ ((((((((((",
        "{% endfor %}",
        "{{ messages }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ range(10**9) | list | length }}",
    ];
    all(30, 15, |index, dice| {
        let folder = tempfile::tempdir().unwrap();
        let template: String = (0..=dice.below(4)).map(|_| *dice.of(&parts)).collect();
        fs::copy(&tokenizer, folder.path().join("tokenizer.json")).unwrap();
        fs::write(folder.path().join("chat_template.jinja"), &template).unwrap();
        let data = folder.path().join("chats.jsonl");
        let chat = r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}"#;
        fs::write(&data, format!("{chat}\n")).unwrap();
        let mut command = fireclay();
        command.args(["tokenizer", "encode", "--text", "Hi", "--tokenizer"]).arg(folder.path());
        let loads = check(&format!("template {index} alone"), &mut command, "");
        let mut command = fireclay();
        command.args(["data", "show", "--tokenizer"]).arg(folder.path()).arg("--data").arg(&data);
        check(&format!("template {index}: {template:?}"), &mut command, "") || loads
    });
}

#[test]
fn thirty_archives() {
    let fixtures = crates().join("data/tests/fixtures");
    let packed = ["stories.zip", "story.txt.br", "story.txt.lz4"];
    all(30, 15, |index, dice| {
        let folder = tempfile::tempdir().unwrap();
        let name = packed[index % packed.len()];
        let mut bytes = fs::read(fixtures.join(name)).unwrap();
        damage(&mut bytes, dice, usize::MAX);
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let mut command = fireclay();
        command
            .args(["tokenizer", "train", "--vocab", "300", "--out"])
            .arg(folder.path().join("t"))
            .arg("--data")
            .arg(path);
        check(&format!("archive {index}"), &mut command, "")
    });
}
