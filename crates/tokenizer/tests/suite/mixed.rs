//! A thousand mixed texts, whose ids are those of sentencepiece itself.

use std::fs;

use fireclay_tokenizer::Tokenizer;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sentencepiece");

/// As in `make.py`. Two kinds of text are not among them, of which the tokenizers library, and so `transformers`, makes
/// something else than sentencepiece: a combining mark after a character that the model's rules rewrite (`½`, U+3000),
/// which is lost with the rest of its grapheme, and `▁` itself at the ends of a text, which is no white space here.
#[rustfmt::skip]
const PARTS: [&str; 42] = [
    " ", "  ", "\n", "\t", "the", "kiln", " the kiln ", "cl", "ay", "fire", "1234", "7", ",", ".", "!?", "<", ">",
    "<unk>", "<0x41>", "热", "窑里的火", "陶土", "é", "e\u{301}", "ﬁ", "½", "Ａ", "　", "\u{a0}", "\u{200b}",
    "\u{ad}", "\u{7}", "🙂", "👩\u{200d}👧", "한국어", "ไทย", "हिन्दी", "ß", "İ", "Σ", "x", "qz",
];

/// The texts that `make.py` draws (xorshift, Marsaglia 2003).
fn texts() -> Vec<String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % end as u64) as usize
    };
    let text = |_| {
        let parts = 1 + below(24);
        (0..parts).map(|_| PARTS[below(PARTS.len())]).collect()
    };
    (0..1000).map(text).collect()
}

/// FNV-1a of the ids of texts.
fn sum(tokenizer: &Tokenizer, texts: &[String]) -> String {
    let ids = texts.iter().flat_map(|text| tokenizer.encode(text).into_iter().chain([u32::MAX]));
    let add = |sum: u64, id: u32| (sum ^ u64::from(id)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", ids.fold(0xcbf2_9ce4_8422_2325, add))
}

#[test]
fn a_thousand_mixed_texts_have_the_ids_of_sentencepiece() {
    let expected: Value = serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/mixed.json")).unwrap()).unwrap();
    let texts = texts();
    for (name, sums) in expected.as_object().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(format!("{FOLDER}/{name}.model"), folder.path().join("tokenizer.model")).unwrap();
        let tokenizer = Tokenizer::load(folder.path()).unwrap();
        let found: Vec<Value> = texts.chunks(100).map(|texts| sum(&tokenizer, texts).into()).collect();
        assert_eq!(found, *sums.as_array().unwrap(), "{name}");
    }
}
