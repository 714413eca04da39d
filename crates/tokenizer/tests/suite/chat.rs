//! Conversations, against `transformers`' `apply_chat_template` (see `fixtures/make_fixtures.py`).

use std::collections::BTreeMap;

use fireclay_tokenizer::{
    BpeConfig, CHATML, CharConfig, ChatTemplate, Message, RenderOptions, Tokenizer, TokenizerError,
};
use serde_json::{Map, Value};

#[derive(serde::Deserialize)]
struct Fixtures {
    templates: BTreeMap<String, String>,
    conversations: BTreeMap<String, Vec<Message>>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    template: String,
    conversation: String,
    options: Map<String, Value>,
    text: Option<String>,
    error: Option<String>,
    ids: Option<Vec<u32>>,
    mask: Option<Vec<u8>>,
}

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn fixtures() -> Fixtures {
    serde_json::from_str(&std::fs::read_to_string(format!("{FIXTURES}/chat.json")).unwrap()).unwrap()
}

fn options(case: &Case) -> RenderOptions {
    let mut variables = case.options.clone();
    let mut flag = |name: &str| variables.remove(name).is_some_and(|value| value == true);
    RenderOptions {
        add_generation_prompt: flag("add_generation_prompt"),
        continue_final_message: flag("continue_final_message"),
        bos_token: Some("<s>".into()),
        eos_token: Some("</s>".into()),
        tools: variables.remove("tools").map(|tools| tools.as_array().unwrap().clone()),
        variables,
        ..RenderOptions::default()
    }
}

#[test]
fn conversations_render_as_in_transformers() {
    let fixtures = fixtures();
    let mut wrong = Vec::new();
    for case in &fixtures.cases {
        let template = ChatTemplate::new(&fixtures.templates[&case.template]).unwrap();
        let rendered = template.render(&fixtures.conversations[&case.conversation], &options(case));
        let name = format!("{} over {} {:?}", case.template, case.conversation, case.options);
        match (&rendered, &case.text, &case.error) {
            (Ok(rendered), Some(text), None) if rendered == text => {}
            (Err(TokenizerError::TemplateRender { detail, .. }), None, Some(error))
                if detail == error || !error.contains("Roles must") => {}
            (Err(TokenizerError::Continue(_)), None, Some(error)) if error.contains("continue_final_message") => {}
            _ => wrong.push(format!("{name}\n  ours:   {rendered:?}\n  theirs: {:?} {:?}", case.text, case.error)),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ\n{}",
        wrong.len(),
        fixtures.cases.len(),
        wrong[..wrong.len().min(3)].join("\n")
    );
}

#[test]
fn generation_marks_give_the_mask_of_transformers() {
    let fixtures = fixtures();
    let tokenizer = Tokenizer::load(format!("{FIXTURES}/tokenizer.json")).unwrap();
    let mut compared = 0;
    for case in &fixtures.cases {
        let (Some(ids), Some(mask)) = (&case.ids, &case.mask) else { continue };
        let template = ChatTemplate::new(&fixtures.templates[&case.template]).unwrap();
        assert!(template.marks_generation());
        let tokenizer = tokenizer.with_chat_template(template);
        let messages = &fixtures.conversations[&case.conversation];
        let encoded = tokenizer.encode_chat_with(messages, &options(case)).unwrap();
        assert_eq!(&encoded.ids, ids);
        let loss: Vec<u8> = encoded.loss.iter().map(|&loss| loss.into()).collect();
        assert_eq!(&loss, mask, "{} over {}", case.template, case.conversation);
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} masks compared");
}

/// Renders by a template without marks, and checks which tokens carry loss.
fn check_spans(template: &str, messages: &[Message], expected: &[&str]) {
    let tokenizer = Tokenizer::load(format!("{FIXTURES}/tokenizer.json")).unwrap();
    let tokenizer = tokenizer.with_chat_template(ChatTemplate::new(template).unwrap());
    let options =
        RenderOptions { bos_token: Some("<s>".into()), eos_token: Some("</s>".into()), ..RenderOptions::default() };
    let encoded = tokenizer.encode_chat_with(messages, &options).unwrap();
    let spans = encoded.ids.iter().zip(&encoded.loss).collect::<Vec<_>>();
    let spans = spans.chunk_by(|a, b| a.1 == b.1).filter(|span| *span[0].1);
    let spans = spans.map(|span| tokenizer.decode(&span.iter().map(|(id, _)| **id).collect::<Vec<_>>()));
    assert_eq!(spans.collect::<Vec<_>>(), expected);
}

#[test]
fn without_marks_the_assistants_words_are_found() {
    let fixtures = fixtures();
    let check = |template: &str, conversation: &str, expected: &[&str]| {
        check_spans(&fixtures.templates[template], &fixtures.conversations[conversation], expected);
    };
    let marked = &fixtures.templates["chatml"];
    let unmarked = marked.replace("{% generation %}", "").replace("{% endgeneration %}", "");
    for (conversation, expected) in
        [("same_words", &["yes<|im_end|>", "yes<|im_end|>"][..]), ("empty_reply", &["<|im_end|>"]), ("question", &[])]
    {
        check_spans(&unmarked, &fixtures.conversations[conversation], expected);
        check_spans(marked, &fixtures.conversations[conversation], expected);
    }
    // No opening for a reply in this template, so the words start where the messages before end.
    check("instructions", "same_words", &[" yes </s>", " yes </s>"]);
    check("zephyr", "same_words", &["yes</s>", "yes</s>"]);
    check("headers", "one_turn", &["It is, at 1,240 °C.<|eot|>"]);
    let call = "{\"name\": \"weather\", \"parameters\": {\"city\": \"景德镇\", \"days\": 2, \"exact\": true, \"p\": 0.5, \"u\": null}}<|eot|>";
    check("headers", "tools", &[call, "Clear.<|eot|>"]);
    // The first turn's reasoning is dropped by the time of the second question.
    check("reasoning", "reasoning", &["4<|im_end|>", "<think>\nThree and three.\n</think>\n\n6<|im_end|>"]);
}

#[test]
fn the_built_in_template_is_chatml() {
    let documents = ["some text".to_owned()].into_iter();
    let tokenizer = Tokenizer::train_bpe(documents, &BpeConfig { vocab_size: 259, ..BpeConfig::default() }).unwrap();
    let chat = [Message::new("system", " s\n"), Message::new("user", "u"), Message::new("assistant", "a")];
    let text =
        "<|im_start|>system\n s\n<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n";
    assert_eq!(tokenizer.render_chat(&chat, false).unwrap(), text);
    assert_eq!(tokenizer.render_chat(&chat[..2], true).unwrap(), text.replace("a<|im_end|>\n", ""));
    let encoded = tokenizer.encode_chat(&chat).unwrap();
    assert_eq!(encoded.ids, tokenizer.encode_with_specials(text));
    let learnt: Vec<u32> =
        encoded.ids.iter().zip(&encoded.loss).filter(|(_, loss)| **loss).map(|(id, _)| *id).collect();
    assert_eq!(tokenizer.decode(&learnt), "a<|im_end|>");
    assert!(ChatTemplate::new(CHATML).unwrap().marks_generation());
}

#[test]
fn messages_read_as_data_sets_write_them() {
    let read = |json: &str| serde_json::from_str::<Message>(json).unwrap();
    assert_eq!(read(r#"{"role": "user", "content": "hi"}"#), Message::new("user", "hi"));
    assert_eq!(read(r#"{"role": "assistant", "content": null}"#).content, "");
    let named = read(r#"{"content": "x", "role": "user", "name": "ann"}"#);
    assert_eq!(named.extra["name"], "ann");
    assert_eq!(serde_json::to_value(&named).unwrap()["name"], "ann");
}

#[test]
fn no_template_is_an_error() {
    let tokenizer = Tokenizer::train_char_with(["abc".into()].into_iter(), &CharConfig::default()).unwrap();
    let error = tokenizer.render_chat(&[Message::new("user", "a")], false).unwrap_err();
    assert!(matches!(error, TokenizerError::NoChatTemplate));
}

/// Writes files beside a saved tokenizer and tells which templates it then has.
fn templates_of(files: &[(&str, &str)]) -> (Option<String>, Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    Tokenizer::train_char(["abc".into()].into_iter()).unwrap().save(folder.path()).unwrap();
    std::fs::create_dir(folder.path().join("additional_chat_templates")).unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    let again = tempfile::tempdir().unwrap();
    tokenizer.save(again.path()).unwrap();
    let again = Tokenizer::load(again.path()).unwrap();
    let source = |name| again.chat_template_named(name).map(|template| template.source().to_owned());
    assert_eq!(again.chat_template(), tokenizer.chat_template());
    (source("default"), source("tool_use"))
}

#[test]
fn templates_are_found_wherever_they_have_been_kept() {
    let config = ("tokenizer_config.json", r#"{"chat_template": "old"}"#);
    let named = r#"{"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}]}"#;
    let own = |text: &str| Some(text.to_owned());
    assert_eq!(templates_of(&[]), (None, None));
    assert_eq!(templates_of(&[config]), (own("old"), None));
    assert_eq!(templates_of(&[config, ("chat_template.jinja", "new")]), (own("new"), None));
    assert_eq!(templates_of(&[("tokenizer_config.json", named)]), (own("d"), own("t")));
    assert_eq!(templates_of(&[("chat_template.json", r#"{"chat_template": "j"}"#)]), (own("j"), None));
    assert_eq!(templates_of(&[("additional_chat_templates/tool_use.jinja", "t")]), (None, own("t")));
}

#[test]
fn a_message_without_content_has_no_words_in_the_built_in_template() {
    let calls = serde_json::json!([{"function": {"name": "f", "arguments": "{}"}}]);
    let mut call = Message { no_content: true, ..Message::new("assistant", "") };
    call.extra.insert("tool_calls".into(), calls);
    let messages = [Message::new("user", "Hot?"), call];
    let built_in = ChatTemplate::new(CHATML).unwrap().render(&messages, &RenderOptions::default()).unwrap();
    assert_eq!(built_in, "<|im_start|>user\nHot?<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n");
}
