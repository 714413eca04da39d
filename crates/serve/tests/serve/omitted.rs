//! Nothing of a conversation is lost in silence: what the chat template does not show is refused by its place.

use axum::Router;
use fireclay_serve::Server;
use fireclay_text::TextModel;
use fireclay_tokenizer::ChatTemplate;
use serde_json::{Value, json};

use crate::{bad, chat, config, good, merged, model, routes};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const CONVERSATIONS: &str = "/v1/conversations";

/// Shows what the user and the assistant say, and a thought.
const DEAF: &str = "{%- for m in messages -%}{%- if m.role in ['user', 'assistant'] -%}\
    {{- '<|im_start|>' + m.role + (m.reasoning_content or '') + m.content + '<|im_end|>' -}}{%- endif -%}{%- endfor -%}";

fn calling() -> Value {
    json!([{"role": "user", "content": "Is it hot?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls":
            [{"id": "call_x", "type": "function", "function": {"name": "heat", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_x", "content": "hot"}])
}

fn calling_items() -> Value {
    json!([{"role": "user", "content": "Is it hot?"},
        {"type": "function_call", "call_id": "call_x", "name": "heat", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_x", "output": "hot"}])
}

async fn with_template(template: &str) -> (Router, Server) {
    let tokenizer = model().tokenizer().unwrap().with_chat_template(ChatTemplate::new(template).unwrap());
    let model = TextModel { tokenizer: Some(tokenizer), ..model() };
    let server = Server::bind(config(), vec![("tiny".into(), model)]).await.unwrap_or_else(|error| panic!("{error}"));
    (server.router(), server)
}

/// The request is refused by this place, in one line with these words.
async fn check(router: &Router, path: &str, asked: Value, place: &str, words: &str) {
    let error = bad(router, path, asked, 400).await;
    assert_eq!(error["param"], place, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(words) && !message.contains('\n'), "{error}");
}

async fn check_chat(router: &Router, messages: Value, place: &str, words: &str) {
    let asked = chat("", json!({"messages": messages}));
    assert_eq!(bad(router, CHAT, asked.clone(), 400).await["code"], "unsupported_parameter");
    check(router, CHAT, asked, place, words).await;
    check(router, "/tokenize", json!({"messages": messages}), place, words).await;
}

#[tokio::test]
async fn calls_of_earlier_turns_that_the_template_does_not_show_are_refused() {
    let (router, _server) = routes().await;
    let words = "shows no calls of functions";
    check_chat(&router, calling(), "messages[1].tool_calls", words).await;
    let asked = |more: Value| merged(json!({"model": "tiny", "input": "And now?"}), more);
    check(&router, RESPONSES, asked(json!({"input": calling_items()})), "input", words).await;
    check(&router, RESPONSES, asked(json!({"input": calling_items(), "instructions": "Be brief."})), "input", words)
        .await;

    let made = good(&router, CONVERSATIONS, json!({"items": calling_items()})).await;
    check(&router, RESPONSES, asked(json!({"conversation": made["id"]})), "conversation", words).await;
    // The page too, which goes on from the last message.
    let replies = format!("/ui/api/conversations/{}/replies", made["id"].as_str().unwrap());
    let path = format!("{CONVERSATIONS}/{}/items", made["id"].as_str().unwrap());
    let items = crate::send(&router, crate::request("GET", &path, None, None)).await.json();
    let last = items["data"][0]["id"].as_str().unwrap().replace("fco_", "msg_");
    let said = json!({"model": "tiny", "parent": last, "text": "And now?"});
    check(&router, &replies, said, "conversation", words).await;
}

#[tokio::test]
async fn a_reply_that_calls_is_refused_to_a_model_whose_template_does_not_show_it() {
    let models = vec![("tiny".into(), crate::tools::calling_model()), ("plain".into(), model())];
    let server = Server::bind(config(), models).await.unwrap_or_else(|error| panic!("{error}"));
    let router = server.router();
    let tools = json!([{"type": "function", "name": "heat", "parameters": {"type": "object"}}]);
    let asked = json!({"model": "tiny", "input": crate::tools::QUESTION, "tools": tools, "temperature": 0});
    let first = good(&router, RESPONSES, merged(asked, json!({"max_output_tokens": 200}))).await;
    let next = |model: &str| json!({"model": model, "input": "Well?", "previous_response_id": first["id"], "max_output_tokens": 2});
    check(&router, RESPONSES, next("plain"), "previous_response_id", "shows no calls of functions").await;
    good(&router, RESPONSES, next("tiny")).await;
}

#[tokio::test]
async fn messages_names_and_thoughts_that_the_template_does_not_show_are_refused() {
    let (router, _server) = routes().await;
    let named = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "name": "Ann", "content": "?"}]);
    check_chat(&router, named, "messages[1].name", "say it in a message").await;
    let thought = json!([{"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "2", "reasoning_content": "One more."}, {"role": "user", "content": "Why?"}]);
    check_chat(&router, thought.clone(), "messages[1].reasoning_content", "does not show reasoning_content").await;

    let (deaf, _server) = with_template(DEAF).await;
    good(&deaf, CHAT, chat("", json!({"messages": thought}))).await;
    for role in ["system", "tool"] {
        let messages = json!([{"role": "user", "content": "?"}, {"role": role, "content": "Be brief."}]);
        check_chat(&deaf, messages, "messages[1].content", &format!("of role {role}")).await;
        // Nothing is lost of a message without words.
        let messages = json!([{"role": role, "content": " "}, {"role": "user", "content": "?"}]);
        good(&deaf, CHAT, chat("", json!({"messages": messages}))).await;
    }
    let instructed = json!({"model": "tiny", "input": "?", "instructions": "Be brief."});
    check(&deaf, RESPONSES, instructed, "instructions", "of role system").await;
}

#[tokio::test]
async fn variables_that_the_template_does_not_mention_are_refused_unless_they_are_off() {
    let (router, _server) = routes().await;
    let with = |value: Value| chat("?", json!({"chat_template_kwargs": {"enable_thinking": value}}));
    let error = bad(&router, CHAT, with(true.into()), 400).await;
    assert_eq!(
        (error["param"].as_str(), error["code"].as_str()),
        (Some("chat_template_kwargs.enable_thinking"), Some("unsupported_parameter"))
    );
    for off in [false.into(), Value::Null] {
        good(&router, CHAT, with(off)).await;
    }
    let (router, _server) = with_template(&format!("{{{{ enable_thinking }}}}{}", fireclay_tokenizer::CHATML)).await;
    good(&router, CHAT, with(true.into())).await;
}

#[tokio::test]
async fn fields_of_another_role_are_refused() {
    let (router, _server) = routes().await;
    let call = calling()[1]["tool_calls"].clone();
    for (role, field, value, owner) in [
        ("user", "tool_calls", call, "assistant"),
        ("user", "refusal", json!("No."), "assistant"),
        ("system", "reasoning_content", json!("Hm."), "assistant"),
        ("assistant", "tool_call_id", json!("call_x"), "tool"),
    ] {
        let messages = json!([{"role": role, "content": "a", field: value}]);
        let place = format!("messages[0].{field}");
        let words = format!("belongs to messages of role {owner}");
        check(&router, CHAT, chat("", json!({"messages": messages})), &place, &words).await;
    }
}

#[tokio::test]
async fn a_refusal_beside_words_follows_them() {
    let (router, _server) = routes().await;
    let ids = async |message: Value| {
        let messages = json!([{"role": "user", "content": "?"}, message]);
        good(&router, "/tokenize", json!({"messages": messages})).await["tokens"].take()
    };
    let both = ids(json!({"role": "assistant", "content": "Well. ", "refusal": "No."})).await;
    assert_eq!(both, ids(json!({"role": "assistant", "content": "Well. No."})).await);
    let wrong = json!([{"role": "assistant", "content": "a", "refusal": 5}]);
    check(&router, CHAT, chat("", json!({"messages": wrong})), "messages[0].refusal", "give a text").await;
}

#[tokio::test]
async fn annotations_of_items_are_refused_and_those_of_the_servers_own_accepted() {
    let (router, _server) = routes().await;
    let with = |annotations: Value| {
        let content = json!([{"type": "output_text", "text": "Hot.", "annotations": annotations, "logprobs": []}]);
        json!({"model": "tiny", "max_output_tokens": 2, "input":
            [{"role": "user", "content": "?"}, {"role": "assistant", "content": content}, {"role": "user", "content": "?"}]})
    };
    good(&router, RESPONSES, with(json!([]))).await;
    let cited = with(json!([{"type": "url_citation", "url": "https://a.example"}]));
    check(&router, RESPONSES, cited, "input[1].content[0].annotations", "no template shows annotations").await;
}
