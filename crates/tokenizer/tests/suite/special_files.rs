//! Special tokens of the files beside a `tokenizer.json`, as `transformers` 5 takes them: `special.json`, which
//! `make_special_fixtures.py` writes.

use fireclay_tokenizer::Tokenizer;
use serde_json::{Value, json};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/special.json");

#[test]
fn special_tokens_of_every_combination_of_files_are_those_of_transformers() {
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(FIXTURE).unwrap()).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() > 100, "{}", cases.len());
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let files = case["files"].as_object().unwrap().iter();
        for (name, content) in
            files.map(|(name, content)| (name.as_str(), content)).chain([("tokenizer.json", &fixture["tokenizer"])])
        {
            std::fs::write(folder.path().join(name), content.to_string()).unwrap();
        }
        let tokenizer = Tokenizer::load(folder.path()).unwrap();
        let spelled = |id: Option<u32>| id.and_then(|id| tokenizer.id_to_token(id));
        let roles = json!({
            "bos_token": spelled(tokenizer.bos_id()), "eos_token": spelled(tokenizer.eos_id()),
            "unk_token": spelled(tokenizer.unk_id()), "pad_token": spelled(tokenizer.pad_id()),
        });
        let added =
            (259..tokenizer.vocab_size() as u32).map(|id| json!([tokenizer.id_to_token(id), tokenizer.is_special(id)]));
        let found = json!({
            "roles": roles, "size": tokenizer.vocab_size(), "added": added.collect::<Vec<_>>(),
            "ids": tokenizer.encode_with_specials(fixture["text"].as_str().unwrap()),
        });
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
}
