//! The assistant's turns are learned whole or not at all: words in parts, calls and their arguments, ends of several
//! tokens, and openings that end inside a token.

use fireclay_tokenizer::{Message, RenderOptions, Tokenizer};
use serde_json::{Value, json};

use crate::turns::{learned, tokenizer, tool_call, turns, unchanged};

fn asked(answer: &str) -> Vec<Message> {
    vec![Message::new("user", "One?"), Message::new("assistant", answer)]
}

fn twice() -> Vec<Message> {
    [asked("First."), asked("Second.")].concat()
}

#[test]
fn words_are_given_as_parts_to_a_template_that_takes_only_parts() {
    let template = |part: &str| {
        format!(
            "{{%- for m in messages %}}{{{{- m.role + ':' }}}}{part}{{{{- '<|im_end|>' }}}}{{%- endfor %}}\
             {{%- if add_generation_prompt %}}{{{{- 'assistant:' }}}}{{%- endif %}}"
        )
    };
    let shows = "{%- for p in m.content if p.type == 'text' %}{{- p.text }}{%- endfor %}";
    let fails = "{%- for p in m.content | selectattr('type', 'equalto', 'text') %}{{- p.text }}{%- endfor %}";
    for part in [shows, fails] {
        let tokenizer = tokenizer(&template(part), unchanged);
        assert_eq!(learned(&tokenizer, &twice()), ["First.<|im_end|>", "Second.<|im_end|>"], "{part}");
        assert_eq!(tokenizer.render_chat(&twice()[..1], true).unwrap(), "user:One?<|im_end|>assistant:");
        assert_eq!(tokenizer.chat_complaints(), Vec::<String>::new());
        assert!(tokenizer.omitted_part(&twice(), &tokenizer.render_options()).is_none());
    }
}

#[test]
fn the_end_of_an_answer_that_is_not_shown_is_not_learned() {
    let template = "{%- for m in messages %}{{- m.role + ':' }}{%- if m.role == 'user' %}{{- m.content }}{%- endif %}\
        {{- '<|im_end|>' }}{%- endfor %}{%- if add_generation_prompt %}{{- 'assistant:' }}{%- endif %}";
    let tokenizer = tokenizer(template, unchanged);
    let encoded = tokenizer.encode_chat(&twice()).unwrap();
    assert_eq!((encoded.hidden, encoded.loss.contains(&true)), (2, false));
}

/// Shows calls, and the name of the call again with its answer. As its last line depends on the last message, no
/// conversation begins with a shorter one.
fn calls(end: &str, beside: &str) -> Tokenizer {
    let template = format!(
        "{{%- set ns = namespace(name='') %}}{{%- for m in messages %}}{{%- if m.tool_calls %}}\
         {{{{- '<|assistant|>' + {beside} }}}}{{%- for c in m.tool_calls %}}{{%- set ns.name = c.function.name %}}\
         {{{{- '[' + c.function.name + (c.function.arguments | tojson) + ']' }}}}{{%- endfor %}}{{{{- {end:?} }}}}\
         {{%- elif m.role == 'tool' %}}{{{{- '<|user|>' + ns.name + ':' + m.content + '<|end|>' }}}}LATER\
         {{%- else %}}{{{{- '<|' + m.role + '|>' + m.content + '<|end|>' }}}}{{%- endif %}}{{%- endfor %}}\
         {{%- if not add_generation_prompt and messages[-1].role == 'assistant' %}}{{{{- '<|system|>note' }}}}\
         {{%- endif %}}{{%- if add_generation_prompt %}}{{{{- '<|assistant|>' }}}}{{%- endif %}}"
    );
    let later = "{%- set before = messages[loop.index0 - 1] %}{%- if before.content and SHOWS %}\
                 {{- before.content + '<|end|>' }}{%- endif %}";
    let later = later.replace("SHOWS", if beside == "''" { "m.name == 'late'" } else { "false" });
    tokenizer(&template.replace("LATER", &later), unchanged)
}

fn with_call(words: &str, arguments: Value) -> Vec<Message> {
    let mut call = tool_call(words);
    call.extra["tool_calls"][0]["function"]["arguments"] = arguments;
    let rest = [call, Message::new("tool", "9"), Message::new("assistant", "It is 9.")];
    [&asked("")[..1], &rest].concat()
}

#[test]
fn calls_are_learned_with_their_arguments_and_end_before_the_name_that_their_answer_repeats() {
    let tokenizer = calls("<|end|>", "m.content");
    for words in ["", "Let me look."] {
        for arguments in [json!({"town": "Bern"}), json!({}), json!("{\"town\": \"Bern\"}")] {
            let shown = if arguments == json!({}) { "{}" } else { "{\"town\": \"Bern\"}" };
            let expected = [format!("{words}[temperature{shown}]<|end|>"), "It is 9.<|end|>".to_owned()];
            let messages = with_call(words, arguments);
            assert_eq!(learned(&tokenizer, &messages), expected);
            assert_eq!(turns(&tokenizer, &messages), expected);
            assert!(!tokenizer.encode_chat(&messages).unwrap().is_torn);
            // In a long conversation too.
            let long: Vec<Message> = (0..8).flat_map(|_| messages.clone()).collect();
            assert_eq!(turns(&tokenizer, &long), vec![expected; 8].concat());
        }
    }
}

#[test]
fn calls_without_an_end_are_torn() {
    let tokenizer = calls("", "m.content");
    let messages = with_call("", json!({"town": "Bern"}));
    assert!(tokenizer.encode_chat(&messages).unwrap().is_torn);
    let mut unlearned = messages.clone();
    unlearned[1].extra.insert("train".into(), false.into());
    assert!(!tokenizer.encode_chat(&unlearned).unwrap().is_torn);
}

#[test]
fn words_that_a_template_shows_after_a_later_message_are_torn() {
    let tokenizer = calls("<|end|>", "''");
    let mut messages = with_call("Let me look.", json!({"town": "Bern"}));
    messages[2].extra.insert("name".into(), "late".into());
    assert!(tokenizer.render_chat(&messages, false).unwrap().contains("9<|end|>Let me look.<|end|>"));
    assert!(tokenizer.encode_chat(&messages).unwrap().is_torn);
    messages[1].content.clear();
    let call = "[temperature{\"town\": \"Bern\"}]<|end|>";
    assert_eq!(learned(&tokenizer, &messages), [call, "It is 9.<|end|>"]);
}

#[test]
fn words_beside_calls_that_are_not_shown_are_counted() {
    let tokenizer = calls("<|end|>", "''");
    let messages = with_call("Let me look.", json!({"town": "Bern"}));
    assert_eq!(tokenizer.encode_chat(&messages).unwrap().hidden_words, 1);
    assert_eq!((tokenizer.omitted_words(&messages), tokenizer.omitted_words(&twice())), (1, 0));
    assert_eq!(tokenizer.omitted_words(&with_call("", json!({}))), 0);
    assert_eq!(calls("<|end|>", "m.content").omitted_words(&messages), 0);
}

/// Shows words, with this text after the system's, this one after answers, and this one after those that are not the
/// last message.
fn ended(system: &str, close: &str, later: &str) -> Tokenizer {
    let template = format!(
        "{{{{- '<|system|>Hi.' + {system:?} }}}}{{%- for m in messages %}}{{{{- '<|' + m.role + '|>' + m.content }}}}\
         {{%- if m.role == 'assistant' %}}{{{{- {close:?} }}}}{{%- if not loop.last %}}{{{{- {later:?} }}}}{{%- endif %}}\
         {{%- else %}}{{{{- '<|/head|>' }}}}{{%- endif %}}{{%- endfor %}}\
         {{%- if add_generation_prompt %}}{{{{- '<|assistant|>' }}}}{{%- endif %}}"
    );
    tokenizer(&template, unchanged)
}

#[test]
fn an_end_of_several_tokens_is_learned_whole() {
    let check = |close: &str, end: &str| {
        let tokenizer = ended("<|/head|>", close, "");
        let expected = ["First.", "Second."].map(|answer| format!("{answer}{close}"));
        assert_eq!(learned(&tokenizer, &twice()), expected);
        assert_eq!(tokenizer.turn_end_id(), tokenizer.token_to_id(end));
        assert_eq!(tokenizer.chat_complaints(), Vec::<String>::new());
        let answer = tokenizer.encode_answer(&asked("First."), &RenderOptions::default()).unwrap().unwrap();
        assert_eq!(answer.ids.last().copied(), tokenizer.token_to_id(end));
    };
    check("<|im_end|><|eot|>", "<|eot|>");
    check("<|im_end|><|/head|>", "<|/head|>");
    check("<|head|>answer<|im_end|></s>", "</s>");
}

#[test]
fn an_end_that_only_earlier_answers_have_is_learned_there_and_told() {
    for later in ["<|eot|>", "<|/head|>"] {
        let tokenizer = ended("<|head|>", "", later);
        assert_eq!(learned(&tokenizer, &twice()), [format!("First.{later}"), "Second.".to_owned()]);
        let complaints = tokenizer.chat_complaints();
        assert!(
            complaints.len() == 1 && complaints[0].contains(&format!("separates turns by \"{later}\"")),
            "{complaints:?}"
        );
    }
}

/// Opens a reply with one text and begins answers with another; two line ends are one token.
fn opened(opening: &str, begin: &str) -> Tokenizer {
    let template = format!(
        "{{%- for m in messages %}}{{{{- '<|' + m.role + '|>' + ({begin:?} if m.role == 'assistant' else '') \
         + m.content + '<|end|>' }}}}{{%- endfor %}}{{%- if add_generation_prompt %}}{{{{- '<|assistant|>' + \
         {opening:?} }}}}{{%- endif %}}"
    );
    tokenizer(&template, |json| {
        let tokens = json["added_tokens"].as_array_mut().unwrap();
        let mut blank = tokens[0].clone();
        blank["content"] = "\n\n".into();
        blank["special"] = false.into();
        let ids = json["model"]["vocab"].as_object().unwrap().values().filter_map(Value::as_u64);
        blank["id"] = (ids.max().unwrap() + 1).into();
        json["added_tokens"].as_array_mut().unwrap().push(blank);
    })
}

#[test]
fn a_prompt_ends_at_a_token_where_the_template_opens_replies_otherwise() {
    for (opening, begin) in [("<|head|>", "<|/head|>"), ("\n", "\n\n"), ("<think>\n", "<think>\n\n</think>\n\n")] {
        let tokenizer = opened(opening, begin);
        let answer = |words: &str| {
            let answer = tokenizer.encode_answer(&asked(words), &RenderOptions::default()).unwrap().unwrap();
            assert!(answer.prompt_unchanged, "{opening:?} {begin:?} {words}");
            answer
        };
        let [good, bad] = ["Good.", "Bad."].map(answer);
        assert_eq!(good.prompt_tokens, bad.prompt_tokens);
        let learned = tokenizer.decode(&good.ids[good.prompt_tokens..]);
        assert!(learned.ends_with("Good.<|end|>") && format!("<|assistant|>{begin}").contains(&learned[..1]));
    }
    // Words that merge with the opening still change the prompt.
    let answer = opened("\n", "\n").encode_answer(&asked("\nGood."), &RenderOptions::default()).unwrap().unwrap();
    assert!(!answer.prompt_unchanged);
    let complaints = opened("<|head|>", "<|/head|>").chat_complaints();
    assert!(complaints.len() == 1 && complaints[0].contains("opens a reply with \"<|head|>\""), "{complaints:?}");
}

#[test]
fn a_field_that_the_template_only_mentions_is_unread() {
    let unread = |part: &str, keys: &[(usize, &str)]| {
        let template = format!(
            "thinking image {{%- for m in messages %}}{{{{- m.content }}}}{part}{{{{- '<|end|>' }}}}{{%- endfor %}}"
        );
        let mut messages = twice();
        for &(index, key) in keys {
            messages[index].extra.insert(key.into(), "Hm.".into());
        }
        let tokenizer = tokenizer(&template, unchanged);
        tokenizer.unread_fields(&messages).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let both = [(0, "image"), (1, "reasoning_content")];
    assert_eq!(unread("", &both), ["image", "reasoning_content"]);
    assert_eq!(unread("{{- m.image }}", &both), ["reasoning_content"]);
    assert_eq!(unread("{%- if m.image %}{{- '<image>' }}{%- endif %}", &both), ["reasoning_content"]);
    // Reasoning that only the last answer keeps is read, even if only an earlier one has it.
    assert_eq!(unread("{%- if loop.last %}{{- m.thinking }}{%- endif %}", &both), ["image"]);
}
