//! Tokenizers in files of GPT-2's kind, with the files that may stand beside them.

use std::path::Path;

use fireclay_tokenizer::{Message, Tokenizer};

/// A vocabulary of all bytes and two merges.
fn write_pair(folder: &Path) {
    let bytes = (0_u8..=255).map(|byte| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        0..=b' ' => char::from_u32(256 + u32::from(byte)).unwrap(),
        0x7F..=0xA0 => char::from_u32(256 + 33 + u32::from(byte - 0x7F)).unwrap(),
        0xAD => '\u{143}',
    });
    let mut tokens: Vec<String> = bytes.map(String::from).collect();
    tokens.extend(["hi".to_owned(), "Ġhi".to_owned()]);
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        tokens.into_iter().zip((0..).map(Into::into)).collect();
    std::fs::write(folder.join("vocab.json"), serde_json::to_string(&vocabulary).unwrap()).unwrap();
    std::fs::write(folder.join("merges.txt"), "#version: 0.2\nh i\nĠ hi\n").unwrap();
}

fn load(files: &[(&str, &str)]) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    write_pair(folder.path());
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Tokenizer::load(folder.path()).unwrap()
}

#[test]
fn a_chat_template_without_a_tokenizer_config_is_kept() {
    let tokenizer = load(&[("chat_template.jinja", "{{ messages[0].content }}")]);
    assert_eq!(tokenizer.render_chat(&[Message::new("user", "hi")], false).unwrap(), "hi");
}

#[test]
fn added_tokens_of_a_file_of_their_own_are_added_and_special_where_a_role_names_them() {
    let added = r#"{"<|end|>": 259, "<|call|>": 258}"#;
    let tokenizer = load(&[("added_tokens.json", added), ("special_tokens_map.json", r#"{"eos_token": "<|end|>"}"#)]);
    assert_eq!(tokenizer.encode_with_specials("hi<|call|><|end|>"), [256, 258, 259]);
    assert!(tokenizer.is_special(259) && !tokenizer.is_special(258));
    assert_eq!(tokenizer.eos_id(), Some(259));
    let folder = tempfile::tempdir().unwrap();
    write_pair(folder.path());
    std::fs::write(folder.path().join("added_tokens.json"), r#"{"<|end|>": 700}"#).unwrap();
    let message = Tokenizer::load(folder.path()).unwrap_err().to_string();
    assert!(message.contains("added_tokens.json") && message.contains("700"), "{message}");
}

#[test]
fn a_byte_order_mark_is_passed_over_and_a_pointer_of_git_lfs_is_named() {
    let folder = tempfile::tempdir().unwrap();
    load(&[]).save(folder.path()).unwrap();
    let file = folder.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("\u{feff}{text}")).unwrap();
    assert_eq!(Tokenizer::load(folder.path()).unwrap().encode("hi"), [256]);
    std::fs::write(&file, "version https://git-lfs.github.com/spec/v1\noid sha256:00\n").unwrap();
    let message = Tokenizer::load(folder.path()).unwrap_err().to_string();
    assert!(message.contains("git lfs pull"), "{message}");
}

#[test]
fn a_space_is_put_before_texts_where_the_config_says_so() {
    let config = r#"{"add_prefix_space": true}"#;
    assert_eq!(load(&[("tokenizer_config.json", config)]).encode("hi"), [257]);
    assert_eq!(load(&[("tokenizer_config.json", "{}")]).encode("hi"), [256]);
}
