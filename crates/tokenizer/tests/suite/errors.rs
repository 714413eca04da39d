//! Error messages: the problem, its place and its remedy in one line.

use std::path::Path;

use fireclay_tokenizer::Tokenizer;

fn refused(path: &Path) -> String {
    let message = Tokenizer::load(path).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// Puts files in a folder, loads `path` in it, and expects each of `words` in the message.
fn check(files: &[(&str, &[u8])], path: &str, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let message = refused(&folder.path().join(path));
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

#[test]
fn nothing_there() {
    check(&[], "", &["no tokenizer in", "tokenizer.json", "vocab.bpe", "*.tiktoken"]);
    check(&[], "absent.json", &["absent.json", "looked for"]);
    check(&[("encoder.json", b"{}")], "", &["no tokenizer in"]);
    check(&[("encoder.json", b"{}")], "encoder.json", &["vocab.bpe", "as a pair"]);
    check(&[("a.tiktoken", b""), ("b.tiktoken", b"")], "", &["several *.tiktoken"]);
}

#[test]
fn not_json() {
    check(&[("tokenizer.json", b"{\"model\": ")], "", &["tokenizer.json", "not valid JSON", "line 1"]);
    check(&[("tokenizer.json", b"")], "", &["tokenizer.json", "not valid JSON"]);
    check(&[("tokenizer.json", b"\xff\xfe")], "", &["cannot read", "tokenizer.json", "UTF-8"]);
    check(&[("encoder.json", b"[1]"), ("vocab.bpe", b"")], "", &["encoder.json", "not valid JSON"]);
}

#[test]
fn json_of_another_kind() {
    check(&[("tokenizer.json", b"{\"hidden_size\": 8}")], "", &["no \"model\""]);
    check(&[("x.json", b"{\"model\": {\"type\": \"XYZ\"}}")], "x.json", &["x.json", "usable tokenizer"]);
    check(&[("tokenizer.json", b"[]")], "", &["no \"model\""]);
}

#[test]
fn broken_merges() {
    let vocabulary: (&str, &[u8]) = ("encoder.json", b"{\"a\": 0, \"b\": 1, \"ab\": 2}");
    check(&[vocabulary, ("vocab.bpe", b"#version: 0.2\na b\na")], "", &["vocab.bpe, line 3", "two tokens"]);
    check(&[vocabulary, ("vocab.bpe", b"a c")], "", &["vocab.bpe, line 1", "\"c\" is not in the vocabulary"]);
    check(&[vocabulary, ("vocab.bpe", b"b a")], "", &["line 1", "\"ba\""]);
}

#[test]
fn broken_rank_files() {
    check(&[("x.tiktoken", b"IQ== 0\n")], "x.tiktoken", &["x.tiktoken", "cl100k", "rename"]);
    check(&[("r50k.tiktoken", b"IQ== 0\nIg== 1\nIw=")], "", &["r50k.tiktoken, line 3", "expected base64"]);
    check(&[("r50k.tiktoken", b"IQ== 0\nIg= 1\n")], "", &["line 2", "not base64"]);
    check(&[("r50k.tiktoken", b"IQ== 0\nIg== x\n")], "", &["line 2", "\"x\" is not a rank"]);
    check(&[("r50k.tiktoken", b"IQ== 0\nIg== 0\n")], "", &["line 2", "given before"]);
    check(&[("r50k.tiktoken", b"IQ== 0\n")], "", &["no token for byte 0"]);
    check(&[("r50k.tiktoken", b"")], "", &["no token for byte 0"]);
}

#[test]
fn broken_chat_templates() {
    let trained = Tokenizer::train_char(["abc".into()].into_iter()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    trained.save(folder.path()).unwrap();
    std::fs::write(folder.path().join("chat_template.jinja"), "fine\n{% if %}").unwrap();
    let message = refused(folder.path());
    assert!(message.contains("chat_template.jinja: line 2"), "{message}");
    std::fs::write(folder.path().join("chat_template.jinja"), "fine").unwrap();
    std::fs::write(folder.path().join("tokenizer_config.json"), "{\"chat_template\": 3}").unwrap();
    let message = refused(folder.path());
    assert!(message.contains("tokenizer_config.json") && message.contains("must be a string"), "{message}");
}

#[test]
fn a_folder_that_cannot_be_written() {
    let trained = Tokenizer::train_char(["abc".into()].into_iter()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let message = trained.save(file.join("inside")).unwrap_err().to_string();
    assert!(message.starts_with("cannot create") && message.contains("inside"), "{message}");
}
