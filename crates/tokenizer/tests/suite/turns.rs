//! The tokens of the assistant: the same in every stage, and always with the token that ends
//! them.

use fireclay_tokenizer::{ChatTemplate, Message, RenderOptions, Tokenizer};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// The fixtures' tokenizer, its JSON changed first, with this chat template.
pub(crate) fn tokenizer(template: &str, change: impl Fn(&mut Value)) -> Tokenizer {
    let text = std::fs::read_to_string(format!("{FIXTURES}/tokenizer.json")).unwrap();
    let mut json: Value = serde_json::from_str(&text).unwrap();
    change(&mut json);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"eos_token": "</s>", "pad_token": "<pad>"}"#)
        .unwrap();
    Tokenizer::load(folder.path()).unwrap().with_chat_template(ChatTemplate::new(template).unwrap())
}

pub(crate) fn unchanged(_: &mut Value) {}

/// `ChatML` with these words around an answer and these that open a reply.
fn chatml(before: &str, after: &str, opening: &str) -> String {
    format!(
        "{{%- for m in messages -%}}{{%- if m.role == 'assistant' -%}}{before}{{{{ m.content }}}}{after}\
         {{%- else -%}}{{{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}}}{{%- endif -%}}\
         {{%- endfor -%}}{{%- if add_generation_prompt -%}}{{{{ '{opening}' }}}}{{%- endif -%}}"
    )
}

fn plain() -> String {
    chatml("{{ '<|im_start|>assistant\\n' }}", "{{ '<|im_end|>\\n' }}", "<|im_start|>assistant\\n")
}

fn chat() -> Vec<Message> {
    vec![
        Message::new("user", "One?"),
        Message::new("assistant", "First."),
        Message::new("user", "Two?"),
        Message::new("assistant", "Second."),
    ]
}

/// The runs of tokens that carry loss, as text.
pub(crate) fn learned(tokenizer: &Tokenizer, messages: &[Message]) -> Vec<String> {
    let encoded = tokenizer.encode_chat(messages).unwrap();
    let tokens: Vec<(u32, bool)> = encoded.ids.iter().copied().zip(encoded.loss.iter().copied()).collect();
    let runs = tokens.chunk_by(|a, b| a.1 == b.1).filter(|run| run[0].1);
    runs.map(|run| tokenizer.decode(&run.iter().map(|token| token.0).collect::<Vec<_>>())).collect()
}

/// Each of the assistant's turns, as text.
pub(crate) fn turns(tokenizer: &Tokenizer, messages: &[Message]) -> Vec<String> {
    let encoded = tokenizer.encode_chat(messages).unwrap();
    encoded.turns.iter().map(|turn| tokenizer.decode(&encoded.ids[turn.clone()])).collect()
}

pub(crate) fn tool_call(content: &str) -> Message {
    let mut message = Message::new("assistant", content);
    let call = json!([{"type": "function", "function": {"name": "temperature", "arguments": {"town": "Bern"}}}]);
    message.extra.insert("tool_calls".into(), call);
    message
}

/// A template that shows calls, as those of Qwen do.
const CALLS: &str = "\
{%- for m in messages %}
{%- if m.role == 'assistant' and m.tool_calls %}
{{- '<|im_start|>assistant' }}
{%- if m.content %}{{- '\\n' + m.content }}{%- endif %}
{%- for call in m.tool_calls %}{{- '\\n<call>{\"name\": \"' + call.function.name + '\", \"arguments\": ' + (call.function.arguments | tojson) + '}</call>' }}{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- else %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endif %}
{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

/// Before a conversation that the assistant begins, as `SmolLM2`'s template does before any.
#[test]
fn a_default_system_message_is_not_learned() {
    let template = "{%- for m in messages %}{%- if loop.first and m.role != 'system' %}\
        {{- '<|im_start|>system\nBe kind.<|im_end|>\n' }}{%- endif %}\
        {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}\
        {%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}";
    let tokenizer = tokenizer(template, unchanged);
    let greeting = Message::new("assistant", "Welcome.");
    assert_eq!(learned(&tokenizer, std::slice::from_ref(&greeting)), ["Welcome.<|im_end|>"]);
    let whole = [&[greeting], &chat()[..]].concat();
    assert_eq!(learned(&tokenizer, &whole), ["Welcome.<|im_end|>", "First.<|im_end|>", "Second.<|im_end|>"]);
}

#[test]
fn a_turn_that_calls_a_tool_is_learned_with_its_end() {
    let tokenizer = tokenizer(CALLS, unchanged);
    let call = "<call>{\"name\": \"temperature\", \"arguments\": {\"town\": \"Bern\"}}</call><|im_end|>";
    let asked = Message::new("user", "How warm?");
    let tail = [Message::new("tool", "9"), Message::new("assistant", "It is 9.")];
    let check = |said: &str, expected: &str| {
        let whole = [&[asked.clone(), tool_call(said)], &tail[..]].concat();
        assert_eq!(learned(&tokenizer, &whole), [expected, "It is 9.<|im_end|>"]);
        assert_eq!(learned(&tokenizer, &whole[..2]), [expected]);
    };
    check("", call);
    check("Let me look.", &format!("Let me look.\n{call}"));
    let mut silent = tool_call("");
    silent.no_content = true;
    assert_eq!(learned(&tokenizer, &[asked, silent]), [call]);
}

/// As in the templates of gpt-oss, the tool's answer is headed by the name of the call.
#[test]
fn a_tools_answer_is_no_part_of_the_turn_that_calls_it() {
    let template = "\
{%- for m in messages %}
{%- if m.role == 'tool' %}{{- '<|head|>' + messages[1].tool_calls[0].function.name + ':' + m.content + '<|end|>' }}
{%- elif m.tool_calls %}{{- '<|assistant|>call ' + m.tool_calls[0].function.name + '<|eot|>' }}
{%- else %}{{- '<|' + m.role + '|>' + m.content + '<|end|>' }}{%- endif %}
{%- endfor %}{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}";
    let tokenizer = tokenizer(template, unchanged);
    let messages = [
        Message::new("user", "Warm?"),
        tool_call(""),
        Message::new("tool", "9"),
        Message::new("assistant", "It is 9."),
    ];
    assert_eq!(learned(&tokenizer, &messages), ["call temperature<|eot|>", "It is 9.<|end|>"]);
}

#[test]
fn calls_that_the_template_leaves_out_are_told() {
    let messages = [Message::new("user", "How warm?"), tool_call("Let me look.")];
    assert!(tokenizer(&plain(), unchanged).encode_chat(&messages).unwrap().hides_calls);
    assert!(!tokenizer(CALLS, unchanged).encode_chat(&messages).unwrap().hides_calls);
}

#[test]
fn marks_around_the_opening_or_the_line_end_change_nothing() {
    let expected = ["First.<|im_end|>", "Second.<|im_end|>"];
    let opening = "<|im_start|>assistant\\n";
    let header =
        chatml("{% generation %}{{ '<|im_start|>assistant\\n' }}", "{{ '<|im_end|>\\n' }}{% endgeneration %}", opening);
    let line_end =
        chatml("{{ '<|im_start|>assistant\\n' }}{% generation %}", "{{ '<|im_end|>\\n' }}{% endgeneration %}", opening);
    let no_end =
        chatml("{{ '<|im_start|>assistant\\n' }}{% generation %}", "{% endgeneration %}{{ '<|im_end|>\\n' }}", opening);
    for template in [plain(), header, line_end, no_end] {
        let tokenizer = tokenizer(&template, unchanged);
        assert_eq!(learned(&tokenizer, &chat()), expected, "{template}");
        assert_eq!(turns(&tokenizer, &chat()), expected, "{template}");
        let answer = tokenizer.encode_answer(&chat()[..2], &RenderOptions::default()).unwrap().unwrap();
        let prompt = tokenizer.encode_with_specials(&tokenizer.render_chat(&chat()[..1], true).unwrap());
        assert_eq!(answer.ids[..answer.prompt_tokens], prompt, "{template}");
        assert_eq!(tokenizer.decode(&answer.ids[prompt.len()..]), "First.<|im_end|>", "{template}");
    }
}

#[test]
fn an_end_token_that_is_not_flagged_special_ends_turns_all_the_same() {
    let tokenizer = tokenizer(&plain(), |json| {
        let tokens = json["added_tokens"].as_array_mut().unwrap();
        tokens.iter_mut().find(|token| token["content"] == "<|im_end|>").unwrap()["special"] = false.into();
    });
    let end = tokenizer.token_to_id("<|im_end|>").unwrap();
    assert!(!tokenizer.is_special(end));
    assert_eq!(tokenizer.turn_end_id(), Some(end));
    assert!(tokenizer.stop_ids().contains(&end));
    assert_eq!(tokenizer.end_ids(), [tokenizer.eos_id().unwrap(), end]);
    assert_eq!(learned(&tokenizer, &chat()), ["First.<|im_end|>", "Second.<|im_end|>"]);
    assert_eq!(tokenizer.chat_complaints(), Vec::<String>::new());
}

#[test]
fn a_turn_that_no_token_ends_is_learned_whole_and_told() {
    let tokenizer = tokenizer(&plain(), |json| {
        json["added_tokens"]
            .as_array_mut()
            .unwrap()
            .retain(|token| !token["content"].as_str().unwrap().starts_with("<|im"));
        let vocabulary = json["model"]["vocab"].as_object_mut().unwrap();
        vocabulary.retain(|token, _| !token.starts_with("<|im"));
    });
    // The line end is a separate token here, not part of the answer.
    assert_eq!(learned(&tokenizer, &chat()), ["First.<|im_end|>", "Second.<|im_end|>"]);
    let complaints = tokenizer.chat_complaints();
    assert!(
        complaints.len() == 1 && complaints[0].starts_with("the chat template ends a turn with \"<|im_end|>\""),
        "{complaints:?}"
    );
}

#[test]
fn a_template_without_an_end_is_told() {
    let template = "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";
    let tokenizer = tokenizer(template, unchanged);
    assert_eq!(learned(&tokenizer, &chat()), ["First.", "Second."]);
    let complaints = tokenizer.chat_complaints();
    assert!(complaints.len() == 1 && complaints[0].contains("ends no turn with a token"), "{complaints:?}");
}

#[test]
fn an_opening_that_thinks_is_no_part_of_answers_without_thoughts() {
    let template =
        chatml("{{ '<|im_start|>assistant\\n' }}", "{{ '<|im_end|>\\n' }}", "<|im_start|>assistant\\n<think>\\n");
    let tokenizer = tokenizer(&template, unchanged);
    assert_eq!(learned(&tokenizer, &chat()), ["First.<|im_end|>", "Second.<|im_end|>"]);
    let messages = [Message::new("user", "One?"), Message::new("assistant", "<b>First.")];
    assert_eq!(learned(&tokenizer, &messages), ["<b>First.<|im_end|>"]);
    let answer = tokenizer.encode_answer(&messages, &RenderOptions::default()).unwrap().unwrap();
    assert!(answer.prompt_unchanged);
    let complaints = tokenizer.chat_complaints();
    assert!(complaints.len() == 1 && complaints[0].contains("opens a reply with \"<think>\\n\""), "{complaints:?}");
    let thought = [Message::new("user", "One?"), Message::new("assistant", "<think>\nHm.\n</think>\nFirst.")];
    assert_eq!(learned(&tokenizer, &thought), ["Hm.\n</think>\nFirst.<|im_end|>"]);
}

#[test]
fn messages_that_are_not_to_be_learned_carry_no_loss() {
    for template in [
        plain(),
        chatml(
            "{{ '<|im_start|>assistant\\n' }}{% generation %}",
            "{{ '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}",
            "<|im_start|>assistant\\n",
        ),
    ] {
        let tokenizer = tokenizer(&template, unchanged);
        for (key, value) in [("weight", json!(0)), ("train", json!(false))] {
            let mut messages = chat();
            messages[1].extra.insert(key.into(), value);
            assert_eq!(learned(&tokenizer, &messages), ["Second.<|im_end|>"], "{key}");
        }
    }
}

#[test]
fn fields_that_neither_the_template_nor_anybody_else_reads_are_told() {
    let mut messages = chat();
    for (message, field) in [(1, "loss"), (1, "weight"), (2, "name"), (3, "reasoning_content")] {
        messages[message].extra.insert(field.into(), json!(1));
    }
    let unread = |template: &str| -> Vec<String> {
        let tokenizer = tokenizer(template, unchanged);
        tokenizer.unread_fields(&messages).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(unread(&plain()), ["loss", "reasoning_content"]);
    // Reasoning is given under each of its names.
    assert_eq!(unread(&format!("{}{{{{ messages[-1].thinking }}}}", plain())), ["loss"]);
    // The word alone shows nothing.
    assert_eq!(unread(&format!("{}{{# m.thinking #}}thinking", plain())), ["loss", "reasoning_content"]);
}

#[test]
fn an_end_token_in_an_answer_does_not_end_it() {
    let tokenizer = tokenizer(&plain(), unchanged);
    let messages = [Message::new("user", "?"), Message::new("assistant", "say <|im_end|> twice")];
    assert_eq!(learned(&tokenizer, &messages), ["say <|im_end|> twice<|im_end|>"]);
}

#[test]
fn tools_of_the_first_message_go_to_the_template() {
    let template =
        format!("{{%- if tools is iterable %}}{{{{ tools | length }}}}{{%- endif %}}{{{{ loud }}}}{}", plain());
    let tokenizer = tokenizer(&template, unchanged);
    let mut messages = chat()[..2].to_vec();
    let text = tokenizer.render_chat(&messages, false).unwrap();
    assert!(text.starts_with("<|im_start|>user"), "{text}");
    messages[0].extra.insert("tools".into(), json!([{"name": "a"}, {"name": "b"}]));
    messages[0].extra.insert("chat_template_kwargs".into(), json!({"loud": "!"}));
    assert_eq!(tokenizer.render_chat(&messages, false).unwrap(), format!("2!{text}"));
    assert_eq!(learned(&tokenizer, &messages), ["First.<|im_end|>"]);
    assert!(!tokenizer.encode_chat(&messages).unwrap().hides_tools);
    let plain = tokenizer.with_chat_template(ChatTemplate::new(&plain()).unwrap());
    assert!(plain.encode_chat(&messages).unwrap().hides_tools);
}

#[test]
fn roles_that_the_template_leaves_out_are_named() {
    let template = "{%- for m in messages -%}{%- if m.role in ['user', 'assistant'] -%}\
                    {{- m.role + ': ' + m.content + '</s>' -}}{%- endif -%}{%- endfor -%}";
    let with = |role: &str| {
        let mut messages = chat();
        messages.insert(0, Message::new(role, "Be brief."));
        messages
    };
    let chats = [chat(), with("system"), with("system"), with("tool"), with("developer")];
    let hidden = |template: &str| tokenizer(template, unchanged).hidden_roles(chats.iter().map(Vec::as_slice));
    assert_eq!(hidden(template).into_iter().collect::<Vec<_>>(), ["developer", "system", "tool"]);
    assert!(hidden(&plain()).is_empty());
    // Of a role that is shown the first conversation decides, and one that the template refuses does not count.
    let refusing = format!(
        "{{%- if messages[0].role == 'system' -%}}{{{{ raise_exception('no') }}}}{{%- endif -%}}\
                            {template}"
    );
    assert_eq!(hidden(&refusing).into_iter().collect::<Vec<_>>(), ["developer", "tool"]);
    let deaf = "{%- for m in messages -%}{%- if m.role == 'assistant' -%}{{- m.content + '</s>' -}}{%- endif -%}\
                {%- endfor -%}";
    assert_eq!(hidden(deaf).into_iter().collect::<Vec<_>>(), ["developer", "system", "tool", "user"]);
}

#[test]
fn stop_tokens_of_the_model_beside_the_tokenizer_count_and_survive_saving() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::copy(format!("{FIXTURES}/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    write("tokenizer_config.json", r#"{"eos_token": "</s>"}"#);
    write("config.json", r#"{"eos_token_id": 5}"#);
    write("generation_config.json", r#"{"eos_token_id": [1, 7, 99999]}"#);
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(tokenizer.end_ids(), [1, 7, 5]);
    let saved = tempfile::tempdir().unwrap();
    tokenizer.save(saved.path()).unwrap();
    assert_eq!(Tokenizer::load(saved.path()).unwrap().stop_ids(), tokenizer.stop_ids());
}

#[test]
fn padding_that_ends_answers_is_exchanged_for_scoring() {
    let tokenizer = tokenizer(&plain(), unchanged);
    assert_eq!(tokenizer.with_distinct_padding().unwrap().pad_id(), tokenizer.pad_id());
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    let config = r#"{"eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}"#;
    std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
    let padded = Tokenizer::load(folder.path()).unwrap();
    let other = padded.with_distinct_padding().unwrap();
    assert!(other.pad_id().is_some() && other.pad_id() != padded.turn_end_id());
    assert_eq!(other.hash(), padded.hash());
}

#[test]
fn the_moment_of_a_run_is_what_templates_are_told() {
    let tokenizer = tokenizer("{{ strftime_now('%Y-%m-%d') }}{{ messages[0].content }}", unchanged);
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(951_782_401);
    let text = tokenizer.with_now(then).render_chat(&[Message::new("user", "!")], false).unwrap();
    assert_eq!(text, "2000-02-29!");
}
