//! Rows of hand-written examples.

use fireclay_data::Document;
use fireclay_data::chat::{EncodedChats, encode_preferences};
use fireclay_data::examples::{Conversation, Preference};
use fireclay_tokenizer::{BpeConfig, Message, Tokenizer};

use super::{Paint, ShownRow, conversations, preferences, row::Count, text};

fn tokenizer() -> Tokenizer {
    let config = BpeConfig { vocab_size: 280, ..BpeConfig::default() };
    Tokenizer::train_bpe(std::iter::repeat_n("red clay, wet clay".to_owned(), 4), &config).unwrap()
}

fn conversation(turns: &[(&str, &str)]) -> Conversation {
    let messages = turns.iter().map(|(role, text)| Message::new(*role, *text)).collect();
    Conversation { messages, origin: "test:1".into() }
}

/// The tokens of a part that carry loss, as text; and the rest.
fn learned(row: &ShownRow, part: usize) -> (String, String) {
    let of = |loss: bool| {
        row.parts[part].spans.iter().filter(|span| span.loss == loss).map(|span| span.text.as_str()).collect::<String>()
    };
    (of(true), of(false))
}

#[test]
fn the_assistants_words_carry_loss_and_nothing_else() {
    let tokenizer = tokenizer();
    let chat = [conversation(&[("user", "red?"), ("assistant", "clay"), ("user", "wet?"), ("assistant", "no")])];
    let length = tokenizer.encode_chat(&chat[0].messages).unwrap().ids.len();
    // Room for a few tokens more, for none, and for one less than there are: then the last "\n" is cut off.
    for (context, padding) in [(length + 9, 10), (length, 1), (length - 1, 0), (length - 2, 0)] {
        let chats = EncodedChats::new(&chat, &tokenizer, context).unwrap();
        let rows = conversations::rows(chats, &tokenizer, 2, 1, 0).unwrap();
        assert_eq!((rows.len(), rows[0].parts.len(), rows[0].padding), (2, 1, padding), "context {context}");
        let (loss, rest) = learned(&rows[1], 0);
        assert_eq!(loss, "clay<|im_end|>no<|im_end|>");
        assert!(rest.starts_with("<|im_start|>user\nred?<|im_end|>\n<|im_start|>assistant\n"), "{rest}");
        assert_eq!(Count::of(&rows).tokens, 2 * (context + 1));
    }
}

#[test]
fn conversations_in_a_row_are_told_apart() {
    let tokenizer = tokenizer();
    let chats = ["clay", "red", "wet"].map(|answer| conversation(&[("user", "?"), ("assistant", answer)]));
    let chats = EncodedChats::new(&chats, &tokenizer, 200).unwrap();
    let tokens = chats.tokens() as usize;
    let rows = conversations::rows(chats, &tokenizer, 1, 1, 3).unwrap();
    assert_eq!((rows[0].parts.len(), rows[0].padding), (3, 201 - tokens));
    let mut answers: Vec<String> = (0..3).map(|part| learned(&rows[0], part).0).collect();
    answers.sort();
    assert_eq!(answers, ["clay<|im_end|>", "red<|im_end|>", "wet<|im_end|>"]);
    let shown = Paint::Marks.rows(&rows);
    assert!(shown.contains("<|im_start|>assistant⏎\n⟦clay<|im_end|>⟧⏎\n── "), "{shown}");
    assert!(shown.contains(&format!("── padding: {} tokens ──", 201 - tokens)), "{shown}");
    assert!(Paint::Colour.rows(&rows).contains("\u{1b}[32mclay<|im_end|>\u{1b}[0m⏎"));
}

#[test]
fn answers_of_a_pair_stand_below_each_other() {
    let tokenizer = tokenizer();
    let pair = Preference {
        prompt: vec![Message::new("user", "?")],
        chosen: "clay".into(),
        rejected: "wet wet".into(),
        margin: None,
        kind: Some("repetitive".into()),
        origin: "test:1".into(),
    };
    let pairs = encode_preferences(&[pair], &tokenizer, 100).unwrap().items;
    let rows = preferences::rows(&pairs, &tokenizer);
    assert_eq!(rows[0].title, "pair 1 (repetitive)");
    assert_eq!(learned(&rows[0], 0).0, "clay<|im_end|>");
    assert_eq!(learned(&rows[0], 1).0, "wet wet<|im_end|>");
    assert_eq!(learned(&rows[0], 0).1, learned(&rows[0], 1).1);
    assert!(rows[0].parts[1].title.starts_with("rejected, "), "{:?}", rows[0].parts[1].title);
}

#[test]
fn windows_of_text_are_cut_at_documents() {
    let tokenizer = tokenizer();
    let documents = ["red clay", "wet clay"].map(|text| Ok(Document::new(text, "test:1")));
    let ids = text::ids(documents.into_iter(), &tokenizer, 1000).unwrap();
    let context = ids.len() - 1;
    let rows = text::rows(ids, &tokenizer, [1, context, 1], 0).unwrap();
    assert_eq!(rows[0].parts.len(), 2);
    assert_eq!(learned(&rows[0], 1).0, "wet clay<|endoftext|>");
    let count = Count::of(&rows);
    assert_eq!((count.tokens, count.loss, count.padding), (context + 1, context, 0));
}
