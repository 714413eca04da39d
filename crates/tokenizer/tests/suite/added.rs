//! Tokens that the files beside a `tokenizer.json` add to it. The ids are those of transformers 5.24.

use fireclay_tokenizer::Tokenizer;
use serde_json::{Value, json};

/// A tokenizer of bytes with three added tokens, 256 to 258, whose config has these keys too, and these files.
fn load(keys: &Value, files: &[(&str, Value)]) -> Result<Tokenizer, String> {
    let folder = tempfile::tempdir().unwrap();
    let bytes = (0_u8..=255).map(|byte| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        0..=b' ' => char::from_u32(256 + u32::from(byte)).unwrap(),
        0x7F..=0xA0 => char::from_u32(256 + 33 + u32::from(byte - 0x7F)).unwrap(),
        0xAD => '\u{143}',
    });
    let vocabulary: serde_json::Map<String, Value> = bytes.map(String::from).zip((0..).map(Value::from)).collect();
    let added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].into_iter().zip(256..).map(|(content, id)| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    });
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": null, "pre_tokenizer": level, "post_processor": null, "decoder": level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary,
                  "merges": []}
    });
    let mut config = json!({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>",
                            "pad_token": "<|endoftext|>", "bos_token": null});
    config.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    for (name, value) in [("tokenizer.json", tokenizer), ("tokenizer_config.json", config)].iter().chain(files) {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    }
    Tokenizer::load(folder.path()).map_err(|error| error.to_string())
}

#[test]
fn tokens_beside_a_tokenizer_json_get_the_next_ids() {
    let token = |content: &str, special: bool| {
        json!({"content": content, "lstrip": false, "rstrip": false, "normalized": false, "single_word": false,
               "special": special})
    };
    let file = |name, value| vec![(name, value)];
    for (keys, files, added) in [
        (json!({}), file("added_tokens.json", json!({"<b>": 260, "<a>": 259})), vec![("<a>", false), ("<b>", false)]),
        (json!({"added_tokens_decoder": {"259": token("<a>", true)}}), vec![], vec![("<a>", true)]),
        (json!({"added_tokens_decoder": {"259": token("<a>", false)}}), vec![], vec![("<a>", false)]),
        (json!({"added_tokens_decoder": {"259": {"content": "<a>"}}}), vec![], vec![("<a>", false)]),
        (json!({"additional_special_tokens": ["<a>", "<b>"]}), vec![], vec![("<a>", true), ("<b>", true)]),
        (json!({"additional_special_tokens": [token("<a>", false)]}), vec![], vec![("<a>", true)]),
        (json!({"extra_special_tokens": ["<a>", "<b>"]}), vec![], vec![("<a>", true), ("<b>", true)]),
        (json!({"extra_special_tokens": {"image_token": "<a>"}}), vec![], vec![("<a>", true)]),
        (json!({"image_token": "<a>", "add_bos_token": true}), vec![], vec![("<a>", true)]),
        (json!({"eos_token": "</s>"}), vec![], vec![("</s>", true)]),
        (json!({"eos_token": token("</s>", true)}), vec![], vec![("</s>", true)]),
        (
            json!({"pad_token": "<p>", "unk_token": "<u>", "eos_token": "</s>", "bos_token": "<s>",
                   "additional_special_tokens": ["<a>"]}),
            vec![],
            vec![("<s>", true), ("</s>", true), ("<u>", true), ("<p>", true), ("<a>", true)],
        ),
        (
            json!({"eos_token": "</s>"}),
            file("added_tokens.json", json!({"<a>": 259})),
            vec![("<a>", false), ("</s>", true)],
        ),
        (
            json!({}),
            file("special_tokens_map.json", json!({"additional_special_tokens": ["<a>"]})),
            vec![("<a>", true)],
        ),
    ] {
        let tokenizer = load(&keys, &files).unwrap_or_else(|error| panic!("{keys} {files:?}: {error}"));
        assert_eq!(tokenizer.vocab_size(), 259 + added.len(), "{keys} {files:?}");
        for ((content, special), id) in added.into_iter().zip(259..) {
            assert_eq!(tokenizer.encode_with_specials(content), [id], "{keys} {files:?}: {content}");
            assert_eq!(tokenizer.is_special(id), special, "{keys} {files:?}: {content}");
            if content == "</s>" {
                assert_eq!(tokenizer.eos_id(), Some(id));
            }
        }
    }
    let of_vocabulary = load(&json!({"additional_special_tokens": ["!", "<|im_end|>"]}), &[]).unwrap();
    assert_eq!((of_vocabulary.vocab_size(), of_vocabulary.is_special(33)), (259, true));
}

#[test]
fn added_tokens_are_kept_when_saved() {
    let tokenizer = load(&json!({"eos_token": "</s>", "extra_special_tokens": ["<a>"]}), &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    let again = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(again.hash(), tokenizer.hash());
    assert_eq!(again.encode_with_specials("</s><a>"), [259, 260]);
}

#[test]
fn an_added_token_without_a_place_is_refused_by_name() {
    let token = json!({"content": "<a>", "special": true});
    for (keys, words) in [
        (json!({"added_tokens_decoder": {"300": token}}), "\"<a>\" the id 300"),
        (json!({"added_tokens_decoder": {"10": token}}), "\"<a>\" the id 10"),
        (json!({"added_tokens_decoder": {"259": "<a>"}}), "added_tokens_decoder has \"259\""),
        (json!({"added_tokens_decoder": ["<a>"]}), "added_tokens_decoder is not an object"),
        (json!({"additional_special_tokens": [7]}), "additional_special_tokens in"),
        (json!({"extra_special_tokens": "<a>"}), "extra_special_tokens in"),
        (json!({"eos_token": 7}), "eos_token in"),
    ] {
        let Err(message) = load(&keys, &[]) else { panic!("{keys} was taken") };
        assert!(message.contains(words) && !message.contains('\n'), "{keys}: {message}");
    }
}

#[test]
fn the_id_of_a_tokenizer_json_wins_over_one_beside_it() {
    let moved = [("added_tokens.json", json!({"<|im_end|>": 300}))];
    assert_eq!(load(&json!({}), &moved).unwrap().encode_with_specials("<|im_end|>"), [258]);
}

#[test]
fn an_added_token_without_a_row_in_the_model_stays_text() {
    let load =
        |size: u32| load(&json!({"eos_token": "</s>"}), &[("config.json", json!({"vocab_size": size}))]).unwrap();
    let (without, with) = (load(259), load(260));
    assert_eq!((without.vocab_size(), without.eos_id()), (259, None));
    assert_eq!(without.encode_with_specials("</s>").len(), 4);
    assert_eq!((with.vocab_size(), with.eos_id()), (260, Some(259)));
}

#[test]
fn flags_of_the_config_win_over_those_of_a_tokenizer_json() {
    let ids = |flags: Value, text: &str| {
        let mut token = json!({"content": "<|im_end|>", "special": true, "normalized": false});
        token.as_object_mut().unwrap().extend(flags.as_object().unwrap().clone());
        let tokenizer = load(&json!({"added_tokens_decoder": {"258": token}}), &[]).unwrap();
        assert_eq!(tokenizer.vocab_size(), 259);
        tokenizer.encode_with_specials(text)
    };
    let text = "a <|im_end|> b";
    assert_eq!(ids(json!({}), text), [97, 32, 258, 32, 98]);
    assert_eq!(ids(json!({"lstrip": true, "rstrip": true}), text), [97, 258, 98]);
    assert_eq!(ids(json!({"lstrip": true}), text), [97, 258, 32, 98]);
    assert_eq!(ids(json!({"rstrip": true, "special": false}), text), [97, 32, 258, 98]);
    let word = [97, 60, 124, 105, 109, 95, 101, 110, 100, 124, 62, 98];
    assert_eq!(ids(json!({"single_word": true}), "a<|im_end|>b"), word);
    // Older files leave those of the vocabulary's file alone.
    let older = load(&json!({}), &[("added_tokens.json", json!({"<|im_end|>": 258}))]).unwrap();
    assert_eq!(older.encode_with_specials(text), [97, 32, 258, 32, 98]);
}

#[test]
fn a_map_of_special_tokens_wins_where_the_config_lists_no_added_tokens() {
    let eos = |keys: Value, map: Value| load(&keys, &[("special_tokens_map.json", map)]).unwrap().eos_id();
    assert_eq!(eos(json!({}), json!({"eos_token": "<|im_start|>"})), Some(257));
    assert_eq!(eos(json!({}), json!({"eos_token": {"content": "<|im_start|>", "lstrip": true}})), Some(257));
    assert_eq!(eos(json!({"added_tokens_decoder": {}}), json!({"eos_token": "<|im_start|>"})), Some(258));
}

#[test]
fn the_chat_template_is_that_of_transformers() {
    let shown = |keys: &Value, files: &[(&str, Value)]| {
        let message = fireclay_tokenizer::Message::new("user", "Hi");
        load(keys, files).unwrap().render_chat(&[message], false).unwrap()
    };
    let json_file = ("chat_template.json", json!({"chat_template": "JSON"}));
    assert_eq!(shown(&json!({"chat_template": "CONFIG"}), std::slice::from_ref(&json_file)), "CONFIG");
    assert_eq!(shown(&json!({}), std::slice::from_ref(&json_file)), "JSON");
    // The file's text is `"JINJA"`.
    let listed = json!([{"name": "default", "template": "CONFIG"}, {"name": "tool_use", "template": "TOOLS"}]);
    let tokenizer = load(&json!({"chat_template": listed}), &[("chat_template.jinja", json!("JINJA"))]).unwrap();
    let mut message = fireclay_tokenizer::Message::new("user", "Hi");
    message.extra.insert("tools".into(), json!([{"name": "t"}]));
    assert_eq!(tokenizer.render_chat(&[message], false).unwrap(), "\"JINJA\"");
}
