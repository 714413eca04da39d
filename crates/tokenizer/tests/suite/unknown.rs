//! Characters that a vocabulary has no token for: named, never left out in silence.

use fireclay_tokenizer::{CharConfig, ChatTemplate, Message, RenderOptions, Tokenizer, TokenizerError};

use crate::turns::tokenizer as byte_level;

/// A character tokenizer of these characters, with a template that writes lines.
fn tokenizer(characters: &str) -> Tokenizer {
    let template = "{%- for m in messages %}{{- m.content + '\n' }}{%- endfor %}";
    Tokenizer::train_char([characters.to_owned()].into_iter())
        .unwrap()
        .with_chat_template(ChatTemplate::new(template).unwrap())
}

fn named(characters: impl IntoIterator<Item = char>) -> String {
    characters.into_iter().collect()
}

fn chat() -> [Message; 2] {
    [Message::new("user", "Hé?"), Message::new("assistant", "Hö, hé!")]
}

#[test]
fn characters_without_a_token_are_named_once_each() {
    let tokenizer = tokenizer("Hhe?!, \n");
    assert_eq!(named(tokenizer.unknown_characters("hö hé hö").unwrap()), "éö");
    assert_eq!(named(tokenizer.encode_chat(&chat()).unwrap().unknown), "éö");
    let answer = tokenizer.encode_answer(&chat(), &RenderOptions::default()).unwrap().unwrap();
    assert_eq!(named(answer.unknown), "éö");
    let error = tokenizer.encode_prompt(&chat()[..1]).unwrap_err();
    assert_eq!(error.to_string(), "the vocabulary has no token for 'é'");
    let error = tokenizer.try_encode_with_specials("hé").unwrap_err();
    assert!(matches!(error, TokenizerError::UnknownCharacter { character: 'é', .. }), "{error}");
    assert_eq!(tokenizer.chat_complaints().len(), 1, "{:?}", tokenizer.chat_complaints());
}

#[test]
fn characters_of_the_template_are_told_once_not_with_every_conversation() {
    let tokenizer = tokenizer("Hhe?!, é");
    assert_eq!(named(tokenizer.encode_chat(&chat()).unwrap().unknown), "ö");
    let complaints = tokenizer.chat_complaints();
    assert!(
        complaints[0].starts_with("the chat template writes '\\n', for which the tokenizer has no token"),
        "{complaints:?}"
    );
}

#[test]
fn tokenizers_of_bytes_know_every_character() {
    let tokenizer = byte_level("{{ messages[0].content }}", |_| {});
    assert_eq!(named(tokenizer.unknown_characters("hö 热 <|im_end|>").unwrap()), "");
    assert!(tokenizer.try_encode_with_specials("热<|im_end|>").is_ok());
}

#[test]
fn an_unknown_token_stands_for_every_character() {
    let config = CharConfig { unknown_token: Some("<unk>".into()), special_tokens: vec![] };
    let tokenizer = Tokenizer::train_char_with(["abc".to_owned()].into_iter(), &config).unwrap();
    assert_eq!(named(tokenizer.unknown_characters("aé").unwrap()), "");
}
