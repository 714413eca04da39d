//! What a chat template leaves out of a conversation.

use fireclay_tokenizer::{Message, OmittedPart};
use serde_json::{Value, json};

use crate::turns::{tokenizer, unchanged};

/// A template that shows what `body` shows of each message.
fn showing(body: &str) -> String {
    format!("{{%- for m in messages -%}}{body}{{%- endfor -%}}")
}

const WORDS: &str = "{{- m.role + ':' + (m.content or '') + '</s>' -}}";
const CALLS: &str = "{%- for call in m.tool_calls or [] -%}{{- call.function.name + (call.function.arguments | tojson) -}}{%- endfor -%}";

fn with(mut message: Message, field: &str, value: Value) -> Message {
    message.extra.insert(field.into(), value);
    message
}

fn call(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "arguments": "{}"}})
}

/// A question, words with two calls, and their results.
fn calling() -> Vec<Message> {
    let calls = json!([call("heat"), call("light")]);
    vec![
        Message::new("user", "Hot?"),
        with(Message::new("assistant", "Let me see."), "tool_calls", calls),
        Message::new("tool", "hot"),
        Message::new("tool", "dark"),
    ]
}

/// Index and field of the first part that the template leaves out.
fn omitted(template: &str, messages: &[Message]) -> Option<(usize, String)> {
    let tokenizer = tokenizer(template, unchanged);
    let part = tokenizer.omitted_part(messages, &tokenizer.render_options());
    part.map(|OmittedPart { message, field, role }| {
        assert_eq!(role, messages[message].role);
        (message, field)
    })
}

#[test]
fn calls_are_shown_all_or_told() {
    let found = |body: &str| omitted(&showing(body), &calling());
    assert_eq!(found(WORDS), Some((1, "tool_calls".into())));
    assert_eq!(found(&format!("{CALLS}{WORDS}")), None);
    // Only the first, or the last.
    for one in ["[:1]", "[1:]"] {
        let body = format!("{}{WORDS}", CALLS.replace("m.tool_calls or []", &format!("(m.tool_calls or []){one}")));
        assert_eq!(found(&body), Some((1, "tool_calls".into())), "{body}");
    }
    // In capital letters, which no stand-in shows.
    assert_eq!(found(&format!("{}{WORDS}", CALLS.replace("name +", "name | upper +"))), None);
    // A template that knows no other calls refuses the stand-ins.
    let picky = "{%- for call in m.tool_calls or [] -%}{%- if call.function.name not in ['heat', 'light'] -%}\
                 {{- raise_exception('unknown') -}}{%- endif -%}{{- call.function.name -}}{%- endfor -%}";
    assert_eq!(found(&format!("{picky}{WORDS}")), None);
}

#[test]
fn a_message_without_words_or_with_calls_instead_of_them_is_no_loss() {
    let instead = format!("{{%- if m.tool_calls -%}}{CALLS}{{%- else -%}}{WORDS}{{%- endif -%}}");
    assert_eq!(omitted(&showing(&instead), &calling()), None);
    let deaf = showing(&format!("{{%- if m.role in ['user', 'assistant'] -%}}{CALLS}{WORDS}{{%- endif -%}}"));
    assert_eq!(omitted(&deaf, &calling()), Some((2, "content".into())));
    let silent = [Message::new("system", " \n"), Message::new("user", "Hot?")];
    assert_eq!(omitted(&deaf, &silent), None);
}

#[test]
fn each_message_counts_and_not_its_role() {
    let first = "{%- if messages[0].role == 'system' -%}{{- messages[0].content -}}{%- endif -%}";
    let others = showing("{%- if m.role != 'system' -%}{{- m.role + m.content -}}{%- endif -%}");
    let system = || Message::new("system", "Be brief.");
    let mut messages = vec![system(), Message::new("user", "Hot?")];
    assert_eq!(omitted(&format!("{first}{others}"), &messages), None);
    messages.push(system());
    assert_eq!(omitted(&format!("{first}{others}"), &messages), Some((2, "content".into())));
}

#[test]
fn names_and_fields_are_told_and_thoughts_of_earlier_turns_are_not() {
    let named = [with(Message::new("user", "Hot?"), "name", "Ann".into())];
    assert_eq!(omitted(&showing(WORDS), &named), Some((0, "name".into())));
    assert_eq!(omitted(&showing(&format!("{{{{- m.name -}}}}{WORDS}")), &named), None);
    let tool = [Message::new("user", "Hot?"), with(Message::new("tool", "hot"), "name", "heat".into())];
    assert_eq!(omitted(&showing(WORDS), &tool), None);
    let thought = [
        Message::new("user", "Hot?"),
        with(Message::new("assistant", "Yes."), "reasoning_content", "Steam.".into()),
        Message::new("user", "Sure?"),
    ];
    assert_eq!(omitted(&showing(WORDS), &thought), Some((1, "reasoning_content".into())));
    let last = format!("{{%- if loop.last -%}}{{{{- m.reasoning_content -}}}}{{%- endif -%}}{WORDS}");
    assert_eq!(omitted(&showing(&last), &thought), None);
}

#[test]
fn variables_of_a_conversation_are_told_where_no_template_mentions_them() {
    let messages = [with(Message::new("user", "Hot?"), "chat_template_kwargs", json!({"loud": true}))];
    let unread = |template: &str| {
        let tokenizer = tokenizer(template, unchanged);
        assert!(tokenizer.omitted_part(&messages, &tokenizer.render_options()).is_none());
        tokenizer.unread_fields(&messages).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(unread(&showing(WORDS)), ["loud"]);
    assert!(unread(&format!("{{{{- loud -}}}}{}", showing(WORDS))).is_empty());
}

/// With a rendering for each message these would take minutes.
#[test]
fn long_conversations_take_little_more_time_than_their_rendering() {
    let named = |index: usize| with(Message::new("user", "Hot?"), "name", format!("Ann{index}").into());
    let many: Vec<Message> = (0..4000).map(named).collect();
    let shown = showing("{{- m.name + ':' + m.content + '</s>' -}}");
    assert_eq!(omitted(&shown, &many), None);
    assert_eq!(omitted(&showing(WORDS), &many), Some((0, "name".into())));
    // Names in capital letters, which no stand-in shows: after some renderings the rest counts as shown.
    let upper = showing("{{- m.name | upper + ':' + m.content + '</s>' -}}");
    assert_eq!(omitted(&upper, &many[..500]), None);
}

#[test]
fn a_field_that_is_empty_says_nothing() {
    let empty = |field: &str| vec![with(Message::new("assistant", "It is."), field, "".into())];
    for field in ["name", "reasoning_content", "mood"] {
        assert_eq!(omitted(&showing(WORDS), &empty(field)), None, "{field}");
        let full = vec![with(Message::new("assistant", "It is."), field, "x".into())];
        assert_eq!(omitted(&showing(WORDS), &full), Some((0, field.to_owned())), "{field}");
    }
}

#[test]
fn a_variable_is_read_by_its_whole_name_and_outside_of_messages() {
    let template = format!("{{%- if enable_thinking is not defined -%}}think{{%- endif -%}}{}", showing(WORDS));
    let tokenizer = tokenizer(&template, unchanged);
    assert!(tokenizer.template_reads("enable_thinking"));
    for other in ["thinking", "think", "role", "content", "m", "a"] {
        assert!(!tokenizer.template_reads(other), "{other}");
    }
    assert!(tokenizer.template_mentions("role") && !tokenizer.template_mentions("rol"));
}
