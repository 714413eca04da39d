//! Tokenizers in other files: `SentencePiece`'s `tokenizer.model`, and GGUF.

use std::fs;
use std::path::{Path, PathBuf};

use fireclay_gguf::{Entry, write};
use fireclay_tokenizer::{Message, Tokenizer, TokenizerError};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

const TEXTS: [&str; 8] = [
    "the kiln is hot",
    "  two  spaces\n\nand\tlines ",
    "I'm 12345, you're 6.7",
    "热的 kiln, naïve 😀",
    "",
    "fn main() { let x = 1; }",
    "e\u{301} é",
    "<|im_start|>user\nhi<|im_end|>",
];

/// A folder with `tokenizer.model` and these files beside it.
fn sentencepiece(files: &[(&str, &str)]) -> tempfile::TempDir {
    sentencepiece_of("tokenizer", files)
}

/// As [`sentencepiece`], for one of the fixtures' models.
fn sentencepiece_of(model: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("{FIXTURES}/sentencepiece/{model}.model");
    fs::copy(path, folder.path().join("tokenizer.model")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Checks that a fixture's model gives the ids that sentencepiece gives.
fn check_sentencepiece(model: &str, expected: &str) {
    let folder = sentencepiece_of(model, &[]);
    let tokenizer = Tokenizer::load(folder.path()).unwrap_or_else(|error| panic!("{error}"));
    let expected = fs::read_to_string(format!("{FIXTURES}/sentencepiece/{expected}.json")).unwrap();
    for case in serde_json::from_str::<Vec<Value>>(&expected).unwrap() {
        let text = case["text"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        assert_eq!(tokenizer.encode(text), ids, "{model}: {text:?}");
        // What is unknown has another spelling here.
        if !ids.contains(&tokenizer.unk_id().unwrap()) {
            assert_eq!(tokenizer.decode(&ids), case["decoded"].as_str().unwrap(), "{model}: {text:?}");
        }
    }
    assert_eq!((tokenizer.unk_id(), tokenizer.bos_id(), tokenizer.eos_id()), (Some(0), Some(1), Some(2)));
    // What is saved is the same tokenizer.
    let saved = tempfile::tempdir().unwrap();
    tokenizer.save(saved.path()).unwrap();
    assert_eq!(Tokenizer::load(saved.path()).unwrap().hash(), tokenizer.hash());
}

#[test]
fn a_sentencepiece_model_gives_its_own_ids() {
    check_sentencepiece("tokenizer", "expected");
}

#[test]
fn a_unigram_model_that_normalises_gives_its_own_ids() {
    check_sentencepiece("unigram", "unigram");
}

#[test]
fn a_unigram_model_with_bytes_and_symbols_gives_its_own_ids() {
    check_sentencepiece("unigram_bytes", "unigram_bytes");
}

#[test]
fn a_bpe_model_with_rules_of_its_own_gives_its_own_ids() {
    check_sentencepiece("bpe_rules", "bpe_rules");
}

#[test]
fn what_stands_beside_a_sentencepiece_model_is_read() {
    let folder = sentencepiece(&[
        ("tokenizer_config.json", r#"{"legacy": false, "eos_token": "<|im_end|>"}"#),
        ("added_tokens.json", r#"{"<|im_end|>": 340}"#),
        ("chat_template.jinja", "{{ messages[0].content }}<|im_end|>"),
    ]);
    let tokenizer = Tokenizer::load(folder.path()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(tokenizer.eos_id(), Some(340));
    assert!(tokenizer.is_special(340) && tokenizer.chat_template().is_some());
    // Where it is not legacy, only a text's beginning has a space put before it.
    let ids = tokenizer.encode_with_specials("<|im_end|>the");
    assert_eq!(ids[0], 340);
    assert_eq!(tokenizer.decode(&ids), "<|im_end|>the");
    let wrong = sentencepiece(&[("added_tokens.json", r#"{"<|im_end|>": 999}"#)]);
    let message = Tokenizer::load(wrong.path()).unwrap_err().to_string();
    assert!(message.contains("the id 999, which does not follow"), "{message}");
}

#[test]
fn damaged_and_other_sentencepiece_models_are_named() {
    let whole = fs::read(format!("{FIXTURES}/sentencepiece/tokenizer.model")).unwrap();
    let message = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tokenizer.model"), bytes).unwrap();
        let message = Tokenizer::load(folder.path()).unwrap_err().to_string();
        assert!(message.contains("tokenizer.model") && !message.contains('\n'), "{message}");
        message
    };
    assert!(message(b"").contains("cut off"));
    assert!(message(b"no such thing at all").contains("not a SentencePiece model"));
    assert!(message(&whole[..whole.len() / 2]).contains("SentencePiece"));
    // A piece without a model type: the format then means a unigram model, which needs an unknown piece.
    let piece = [0x0a, 0x03, 0x0a, 0x01, b'a'];
    assert!(message(&piece).contains("no unknown piece"));
    assert!(message(&[&piece[..], &[0x12, 2, 0x18, 4]].concat()).contains("a model of words or characters"));
    assert!(message(&[&piece[..], &[0x1a, 6, 0x12, 4, 0xff, 0xff, 0, 0]].concat()).contains("its map of characters"));
    let mut dice = 88_172_645_463_325_252_u64;
    let mut below = |end: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice % end as u64) as usize
    };
    let unigram = fs::read(format!("{FIXTURES}/sentencepiece/unigram.model")).unwrap();
    for number in 0..220 {
        let whole = if number < 200 { &whole } else { &unigram };
        let mut bytes = whole.clone();
        for _ in 0..4 {
            let at = below(bytes.len());
            bytes[at] = below(256) as u8;
        }
        bytes.truncate(whole.len() - below(3) * below(whole.len() / 2));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tokenizer.model"), bytes).unwrap();
        if let Ok(tokenizer) = Tokenizer::load(folder.path()) {
            let _ = tokenizer.try_encode("the kiln 热");
        }
    }
}

/// A GGUF file without tensors that has the tokenizer, and these entries instead of its usual ones.
fn gguf(tokenizer: &Tokenizer, folder: &Path, changes: &[(&str, Option<Entry>)]) -> PathBuf {
    let mut metadata = tokenizer.gguf_metadata(tokenizer.vocab_size()).unwrap_or_else(|error| panic!("{error}"));
    for (name, id) in [("bos", tokenizer.bos_id()), ("eos", tokenizer.eos_id())] {
        if let Some(id) = id {
            metadata.push((format!("tokenizer.ggml.{name}_token_id"), Entry::U32(id)));
        }
    }
    for (key, entry) in changes {
        metadata.retain(|(other, _)| other != key);
        metadata.extend(entry.clone().map(|entry| ((*key).to_owned(), entry)));
    }
    let path = folder.join("x.gguf");
    let mut bytes = vec![];
    write(&mut bytes, &metadata, &[], |_| unreachable!("there are no tensors")).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn check_same(tokenizer: &Tokenizer) {
    let folder = tempfile::tempdir().unwrap();
    let again = Tokenizer::load(gguf(tokenizer, folder.path(), &[])).unwrap_or_else(|error| panic!("{error}"));
    for text in TEXTS {
        assert_eq!(again.encode(text), tokenizer.encode(text), "{text:?}");
        assert_eq!(again.encode_with_specials(text), tokenizer.encode_with_specials(text), "{text:?}");
        let ids = tokenizer.encode_with_specials(text);
        assert_eq!(again.decode(&ids), tokenizer.decode(&ids), "{text:?}");
    }
    assert_eq!(again.vocab_size(), tokenizer.vocab_size());
    assert_eq!((again.bos_id(), again.eos_id()), (tokenizer.bos_id(), tokenizer.eos_id()));
    assert_eq!(again.special_ids().collect::<Vec<_>>(), tokenizer.special_ids().collect::<Vec<_>>());
    let chat = [Message::new("user", "Hi"), Message::new("assistant", "Hello")];
    assert_eq!(again.chat_template().is_some(), tokenizer.chat_template().is_some());
    if tokenizer.chat_template().is_some() {
        assert_eq!(again.render_chat(&chat, true).unwrap(), tokenizer.render_chat(&chat, true).unwrap());
    }
}

#[test]
fn tokenizers_are_the_same_from_a_gguf_file() {
    let fixture = Tokenizer::load(format!("{FIXTURES}/tokenizer.json")).unwrap();
    check_same(&fixture);
    let documents = ["the kiln is hot, isn't it?", "the clay 123 is in the kiln 热"].map(String::from);
    for split_digits in [true, false] {
        let config =
            fireclay_tokenizer::BpeConfig { vocab_size: 300, split_digits, ..fireclay_tokenizer::BpeConfig::default() };
        check_same(&Tokenizer::train_bpe(documents.clone().into_iter(), &config).unwrap());
    }
    check_same(&Tokenizer::load(sentencepiece(&[]).path()).unwrap());
}

#[test]
fn what_a_gguf_file_does_not_say_is_an_error() {
    let fixture = Tokenizer::load(format!("{FIXTURES}/tokenizer.json")).unwrap();
    let message = |changes: &[(&str, Option<Entry>)]| {
        let folder = tempfile::tempdir().unwrap();
        let message = Tokenizer::load(gguf(&fixture, folder.path(), changes)).unwrap_err().to_string();
        assert!(message.contains("x.gguf") && !message.contains('\n'), "{message}");
        message
    };
    let text = |text: &str| Some(Entry::Text(text.into()));
    assert!(message(&[("tokenizer.ggml.pre", text("of-tomorrow"))]).contains("\"of-tomorrow\", a way to split text"));
    assert!(message(&[("tokenizer.ggml.pre", None)]).contains("how text is split is unknown"));
    assert!(message(&[("tokenizer.ggml.model", text("bert"))]).contains("\"bert\", which is not supported"));
    assert!(message(&[("tokenizer.ggml.token_type", Some(Entry::I32s(vec![1])))]).contains("one number per token"));
    assert!(message(&[("tokenizer.ggml.merges", Some(Entry::Texts(vec!["a".into()])))]).contains("is not a pair"));
    assert!(message(&[("tokenizer.ggml.merges", None)]).contains("tokenizer.ggml.merges is missing"));
    assert!(message(&[("tokenizer.chat_template", text("{% if %}"))]).contains("x.gguf"));
    let none = message(&[("tokenizer.ggml.tokens", None)]);
    assert!(none.contains("no tokenizer in"), "{none}");
    let characters = Tokenizer::train_char(["abc".to_owned()].into_iter()).unwrap();
    let refused = characters.gguf_metadata(9).unwrap_err();
    assert!(matches!(refused, TokenizerError::InvalidTokenizer { .. }), "{refused}");
}

#[test]
fn an_end_token_that_a_gguf_file_does_not_have_is_refused() {
    let fixture = Tokenizer::load(Path::new(FIXTURES).join("tokenizer.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["bos", "eos", "eot", "eom"] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        for entry in [Entry::U32(99_999), Entry::Text("2".into()), Entry::F32(2.0)] {
            let changes = [(key.as_str(), Some(entry))];
            let message = Tokenizer::load(gguf(&fixture, folder.path(), &changes)).unwrap_err().to_string();
            assert!(message.contains(&key) && !message.contains('\n'), "{message}");
        }
        let none = [(key.as_str(), Some(Entry::U32(u32::MAX)))];
        Tokenizer::load(gguf(&fixture, folder.path(), &none)).unwrap_or_else(|error| panic!("{error}"));
    }
}
