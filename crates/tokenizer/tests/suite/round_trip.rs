//! Decoding undoes encoding, streamed or not, saved or not.

use std::sync::LazyLock;

use fireclay_tokenizer::{BpeConfig, Tokenizer};
use proptest::prelude::*;

use crate::shared;

static TRAINED: LazyLock<Tokenizer> = LazyLock::new(|| {
    let documents = (0..50).map(|n| format!("The {n}th kiln isn't hot; 窑是冷的。\n\n  It's {n} degrees!\t<|im_end|>"));
    Tokenizer::train_bpe(documents, &BpeConfig { vocab_size: 400, ..BpeConfig::default() }).unwrap()
});

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut stream = tokenizer.stream();
    let mut text: String = ids.iter().filter_map(|&id| stream.push(id)).collect();
    text.extend(stream.finish());
    text
}

/// Text that is hard for tokenizers: white space of all kinds, digits, marks, contractions, special tokens.
fn text() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u{a0}",
        "\u{3000}",
        "'s",
        "'LL",
        "1",
        "12345",
        "é",
        "e\u{301}",
        "한국",
        "窑",
        "👩‍👩‍👧",
        "<|im_start|>",
        "<|endoftext|>",
        "the",
        "\0",
        "\u{feff}",
        "Ġ",
        "\u{FDD0}",
        "٣",
    ]);
    let piece = prop_oneof![tricky.prop_map(String::from), any::<String>(), "[a-zA-Z ,.]{0,12}"];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_survives(text in text()) {
        let ids = TRAINED.encode(&text);
        prop_assert!(ids.iter().all(|&id| !TRAINED.is_special(id)));
        prop_assert_eq!(TRAINED.decode(&ids), text.clone());
        prop_assert_eq!(streamed(&TRAINED, &ids), text.clone());
        prop_assert_eq!(TRAINED.decode(&TRAINED.encode_with_specials(&text)), text);
    }

    #[test]
    fn any_ids_stream_as_they_decode(ids in prop::collection::vec(0_u32..420, 0..40)) {
        prop_assert_eq!(streamed(&TRAINED, &ids), TRAINED.decode(&ids));
    }

    #[test]
    fn a_batch_is_each_text_by_itself(texts in prop::collection::vec(text(), 0..8)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let each: Vec<_> = texts.iter().map(|text| TRAINED.encode(text)).collect();
        prop_assert_eq!(TRAINED.encode_batch(&texts), each);
    }
}

#[test]
fn a_character_comes_out_whole() {
    let ids = TRAINED.encode("热");
    assert_eq!(ids.len(), 3, "not in the training text, so three bytes");
    let mut stream = TRAINED.stream();
    assert_eq!(ids.iter().map(|&id| stream.push(id)).collect::<Vec<_>>(), [None, None, Some("热".into())]);
    assert_eq!(stream.finish(), None);
}

#[test]
fn an_incomplete_character_is_replaced_at_the_end() {
    let ids = TRAINED.encode("热");
    let mut stream = TRAINED.stream();
    assert_eq!(stream.push(ids[0]), None);
    assert_eq!(stream.finish(), Some("\u{FFFD}".into()));
}

#[test]
fn specials_can_be_left_out() {
    let ids = TRAINED.encode_with_specials("<|im_start|>hot<|im_end|>");
    assert_eq!(TRAINED.decode(&ids), "<|im_start|>hot<|im_end|>");
    assert_eq!(TRAINED.decode_skip_specials(&ids), "hot");
    let mut stream = TRAINED.stream_skip_specials();
    let text: String = ids.iter().filter_map(|&id| stream.push(id)).chain(None).collect();
    assert_eq!(text, "hot");
}

/// A `SentencePiece`-like tokenizer: the decoder strips a space and joins bytes, which is the library's business.
#[test]
fn other_decoders_stream_too() {
    let mut tokens = vec![("<unk>".to_owned(), 0)];
    tokens.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), byte + 1)));
    tokens.extend(["▁", "h", "o", "t", "▁h", "▁ho", "▁hot"].iter().map(|&t| t.to_owned()).zip(257..));
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        tokens.into_iter().map(|(token, id)| (token, id.into())).collect();
    let json = serde_json::json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": vocabulary, "merges": ["▁ h", "▁h o", "▁ho t"]},
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, json.to_string()).unwrap();
    let tokenizer = Tokenizer::load(path).unwrap();
    for text in ["hot hot", "it is hot 热 热", "热", " hot ", "hot\n\nhot"] {
        let ids = tokenizer.encode(text);
        assert_eq!(tokenizer.decode(&ids), text);
        assert_eq!(streamed(&tokenizer, &ids), text, "{ids:?}");
    }
}

fn check_saved(tokenizer: &Tokenizer, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    let again = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(again.hash(), tokenizer.hash());
    assert_eq!(again.encode(text), tokenizer.encode(text));
    assert_eq!(again.encode_with_specials(text), tokenizer.encode_with_specials(text));
    assert_eq!(again.vocab_size(), tokenizer.vocab_size());
    assert_eq!(again.stop_ids(), tokenizer.stop_ids());
    assert_eq!(
        [again.bos_id(), again.eos_id(), again.pad_id(), again.unk_id(), again.end_of_text_id()],
        [tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.pad_id(), tokenizer.unk_id(), tokenizer.end_of_text_id()],
    );
    assert_eq!(again.chat_template(), tokenizer.chat_template());
}

#[test]
fn saved_tokenizers_are_the_same() {
    let text = "The kiln isn't <|im_start|>hot, 窑 12345";
    check_saved(&TRAINED, text);
    check_saved(&Tokenizer::train_char(["The kiln isn't hot, 窑 <|>".into()].into_iter()).unwrap(), text);
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn a_saved_gpt2_is_the_same() {
    let path = shared("data/tokenizers/encoder.json");
    let text = "The kiln isn't <|im_start|>hot, 窑 12345";
    check_saved(&Tokenizer::load(path).unwrap(), text);
}
