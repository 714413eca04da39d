//! Text of people's own, in two languages.
use crate::{fireclay, shared, succeed, train};

fn check(file: &str) {
    let path = shared(file);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let data = path.to_string_lossy().into_owned();
    succeed(&mut train(&out, &["--data", &data, "--steps=30", "--set=tokenizer.vocab_size=2000", "--quiet"]));
    let json =
        succeed(fireclay().args(["generate", "--prompt", "", "--max-tokens", "60", "--json", "--model"]).arg(&out));
    let generated: serde_json::Value = serde_json::from_str(&json).expect("valid UTF-8 and JSON");
    assert!(!generated["text"].as_str().unwrap().is_empty());
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn english() {
    check("text/wikitext2_valid.txt");
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn chinese() {
    check("text/xiyouji.txt");
}
