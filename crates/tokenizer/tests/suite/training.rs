//! Tokenizers made here.

use fireclay_tokenizer::{BpeConfig, CharConfig, Tokenizer, TokenizerError};

use crate::shared;

fn documents() -> impl Iterator<Item = String> + Send {
    (0..200).map(|n| format!("{n} potters fire {} pots in the old kiln's heat, 窑里的火。\n", n * 37))
}

fn config(vocab_size: usize) -> BpeConfig {
    BpeConfig { vocab_size, ..BpeConfig::default() }
}

#[test]
fn specials_come_first_then_bytes_then_merges() {
    let tokenizer = Tokenizer::train_bpe(documents(), &config(300)).unwrap();
    assert_eq!(tokenizer.vocab_size(), 300);
    for (id, token) in (0..).zip(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]) {
        assert_eq!(tokenizer.token_to_id(token), Some(id));
        assert!(tokenizer.is_special(id));
    }
    assert!(!tokenizer.is_special(3));
    assert_eq!(tokenizer.id_to_token(3).as_deref(), Some("!"));
    assert_eq!(tokenizer.eos_id(), Some(0));
    assert_eq!(tokenizer.end_of_text_id(), Some(0));
    assert_eq!(tokenizer.stop_ids(), [0, 2]);
    let larger = Tokenizer::train_bpe(documents(), &config(350)).unwrap();
    assert_eq!(larger.encode(" potters").len(), 1, "a word seen in every document is one token");
}

#[test]
fn the_same_text_gives_the_same_tokenizer() {
    let hashes: Vec<_> = (0..3).map(|_| Tokenizer::train_bpe(documents(), &config(300)).unwrap().hash()).collect();
    assert!(hashes.iter().all(|hash| hash == &hashes[0]));
    assert_ne!(Tokenizer::train_bpe(documents(), &config(299)).unwrap().hash(), hashes[0]);
}

#[test]
fn digits_stand_alone_if_asked() {
    let digits = |split_digits| {
        let config = BpeConfig { split_digits, ..config(600) };
        let documents = (0..500).map(|_| "1234".to_owned());
        Tokenizer::train_bpe(documents, &config).unwrap().encode("1234").len()
    };
    assert_eq!(digits(true), 4);
    assert_eq!(digits(false), 2, "123 and 4");
}

#[test]
fn text_that_looks_special_is_ordinary() {
    let tokenizer = Tokenizer::train_bpe(documents(), &config(300)).unwrap();
    assert!(tokenizer.encode("<|im_end|>").iter().all(|&id| id > 2));
    assert_eq!(tokenizer.encode_with_specials("<|im_end|>"), [2]);
}

#[test]
fn characters_are_numbered_in_code_point_order() {
    let tokenizer = Tokenizer::train_char(["bab\n".into(), "窑".into()].into_iter()).unwrap();
    assert_eq!(tokenizer.vocab_size(), 4);
    assert_eq!(tokenizer.encode("a窑\nb"), [1, 3, 0, 2]);
    assert_eq!(tokenizer.decode(&[1, 3, 0, 2]), "a窑\nb");
    assert_eq!(tokenizer.end_of_text_id(), None);
    assert!(tokenizer.chat_template().is_none());
}

#[test]
fn an_unknown_character_is_left_out_refused_or_marked() {
    let documents = || ["abc ".to_owned()].into_iter();
    let plain = Tokenizer::train_char(documents()).unwrap();
    assert_eq!(plain.decode(&plain.encode("aéb")), "ab");
    let error = plain.try_encode("ab éa").unwrap_err();
    assert!(matches!(error, TokenizerError::UnknownCharacter { character: 'é', position: 3 }), "{error}");
    assert_eq!(plain.try_encode("cab").unwrap(), plain.encode("cab"));

    let config = CharConfig { unknown_token: Some("<unk>".into()), special_tokens: vec!["<|endoftext|>".into()] };
    let marked = Tokenizer::train_char_with(documents(), &config).unwrap();
    assert_eq!(marked.vocab_size(), 6);
    assert_eq!(marked.end_of_text_id(), Some(0));
    assert_eq!(marked.unk_id(), Some(1));
    assert_eq!(marked.try_encode("aéé").unwrap(), [3, 1, 1]);
    assert_eq!(marked.decode(&[3, 1]), "a<unk>");
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn shakespeare_has_65_characters() {
    let path = shared("data/text/tinyshakespeare.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let tokenizer = Tokenizer::train_char([text.clone()].into_iter()).unwrap();
    assert_eq!(tokenizer.vocab_size(), 65);
    let ids = tokenizer.try_encode(&text).unwrap();
    assert_eq!(ids.len(), text.len());
    // nanoGPT's ids of the corpus's first words.
    assert_eq!(ids[..5], [18, 47, 56, 57, 58]);
    assert_eq!(tokenizer.decode(&ids), text);
}

#[test]
fn impossible_settings_are_refused() {
    let refused = |config: BpeConfig| Tokenizer::train_bpe(documents(), &config).unwrap_err().to_string();
    assert_eq!(
        refused(config(258)),
        "vocab_size = 258 is too small: 259 ids are needed for the 256 bytes and the special tokens"
    );
    let twice = vec!["<a>".to_owned(), "<a>".to_owned()];
    assert!(refused(BpeConfig { special_tokens: twice, ..config(400) }).contains("\"<a>\" is listed twice"));
    assert!(refused(BpeConfig { special_tokens: vec![String::new()], ..config(400) }).contains("is empty"));
    let nothing = || std::iter::repeat_n(String::new(), 3);
    assert!(matches!(Tokenizer::train_bpe(nothing(), &config(300)), Err(TokenizerError::NoText)));
    assert!(matches!(Tokenizer::train_char(nothing()), Err(TokenizerError::NoText)));
}

#[test]
fn composed_characters_are_the_same_text_where_that_is_asked() {
    let documents = ["the kiln is hot", "caf\u{e9} and tea"].map(String::from);
    let ids = |composed: bool| {
        let config = BpeConfig { vocab_size: 270, composed, ..BpeConfig::default() };
        let tokenizer = Tokenizer::train_bpe(documents.clone().into_iter(), &config).unwrap();
        ["e\u{301}", "\u{e9}"].map(|text| tokenizer.encode(text))
    };
    let [apart, together] = ids(true);
    assert_eq!(apart, together);
    let [apart, together] = ids(false);
    assert_ne!(apart, together);
}
