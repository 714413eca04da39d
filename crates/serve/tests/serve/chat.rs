use fireclay_serve::Server;
use fireclay_text::TextModel;
use fireclay_tokenizer::Message;
use serde_json::{Value, json};

use crate::{bad, chat, config, engine_says, good, merged, model, post, routes};

const PATH: &str = "/v1/chat/completions";

fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

/// The text of a stream's answers, one a choice.
fn joined(events: &[Value], n: usize) -> Vec<String> {
    let mut texts = vec![String::new(); n];
    for choice in events.iter().flat_map(|event| event["choices"].as_array().unwrap()) {
        texts[choice["index"].as_u64().unwrap() as usize] += choice["delta"]["content"].as_str().unwrap_or_default();
    }
    texts
}

#[tokio::test]
async fn a_reply_is_the_engines_own_to_the_token() {
    let (router, _server) = routes().await;
    for question in ["What is hot?", "热 🦊"] {
        let prompt = model().chat_prompt(&[Message::new("user", question)]).unwrap();
        let (completion, text) = engine_says(prompt.clone(), 24, true);
        let answer = good(&router, PATH, chat(question, json!({"logprobs": true}))).await;
        assert_eq!(content(&answer), text);
        let told = answer["choices"][0]["logprobs"]["content"].as_array().unwrap();
        assert_eq!(told.len(), completion.ids_before_stop().len());
        for (token, logprob) in told.iter().zip(&completion.logprobs) {
            assert_eq!((token["logprob"].as_f64().unwrap() as f32).to_bits(), logprob.to_bits());
        }
        let usage = &answer["usage"];
        assert_eq!(usage["prompt_tokens"], prompt.len());
        assert_eq!(usage["completion_tokens"], completion.ids.len());
        assert_eq!(usage["total_tokens"], prompt.len() + completion.ids.len());
        let reason = if completion.stop_tokens > 0 { "stop" } else { "length" };
        assert_eq!(answer["choices"][0]["finish_reason"], reason);
        assert_eq!((answer["object"].as_str(), answer["model"].as_str()), (Some("chat.completion"), Some("tiny")));
    }
}

#[tokio::test]
async fn the_pieces_of_a_stream_are_the_answer() {
    let (router, _server) = routes().await;
    let more = json!({"n": 3, "temperature": 1.0, "seed": 5, "logprobs": true, "top_logprobs": 2});
    let whole = good(&router, PATH, chat("What is hot?", more.clone())).await;
    let more = merged(more, json!({"stream": true, "stream_options": {"include_usage": true}}));
    let answer = post(&router, PATH, chat("What is hot?", more)).await;
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    assert!(answer.text.trim_end().ends_with("data: [DONE]"), "{}", answer.text);
    let events = answer.events();
    assert!(events.len() > 10, "it comes in pieces");
    let texts = joined(&events, 3);
    for (index, text) in texts.iter().enumerate() {
        assert_eq!(whole["choices"][index]["message"]["content"], *text);
        let of_choice = || {
            events
                .iter()
                .flat_map(|event| event["choices"].as_array().unwrap())
                .filter(move |choice| choice["index"] == index)
        };
        let told: Vec<Value> = of_choice()
            .flat_map(|choice| choice["logprobs"]["content"].as_array().cloned().unwrap_or_default())
            .collect();
        assert_eq!(Value::from(told), whole["choices"][index]["logprobs"]["content"]);
        let reasons: Vec<&Value> =
            of_choice().map(|choice| &choice["finish_reason"]).filter(|reason| !reason.is_null()).collect();
        assert_eq!(reasons, [&whole["choices"][index]["finish_reason"]]);
        assert_eq!(of_choice().next().unwrap()["delta"]["role"], "assistant");
    }
    assert_ne!(texts[0], texts[1], "each answer draws its own random numbers");
    let last = events.last().unwrap();
    assert!(last["choices"].as_array().unwrap().is_empty());
    assert_eq!(last["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
    assert!(events[..events.len() - 1].iter().all(|event| event["usage"].is_null()));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_answer_and_another_another() {
    let (router, _server) = routes().await;
    let ask = async |more: Value| {
        let answer = good(&router, PATH, chat("What is hot?", merged(json!({"temperature": 1.0}), more))).await;
        content(&answer).to_owned()
    };
    let first = ask(json!({"seed": 1})).await;
    assert_eq!(ask(json!({"seed": 1})).await, first);
    assert_ne!(ask(json!({"seed": 2})).await, first);
    assert_ne!(ask(json!({})).await, ask(json!({})).await, "without a seed, nobody knows what comes");
}

#[tokio::test]
async fn a_stop_text_ends_the_answer_and_is_no_part_of_it() {
    let (router, _server) = routes().await;
    let free = good(&router, PATH, chat("What is hot?", json!({}))).await;
    let text = content(&free);
    let (begin, _) = text.char_indices().nth(text.chars().count() / 2).unwrap();
    let stop: String = text[begin..].chars().take(3).collect();
    let expect = &text[..text.find(&stop).unwrap()];
    let more = json!({"stop": [stop, "never said"], "logprobs": true});
    let answer = good(&router, PATH, chat("What is hot?", more.clone())).await;
    assert_eq!(content(&answer), expect);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let shorter = answer["usage"]["completion_tokens"].as_u64() < free["usage"]["completion_tokens"].as_u64();
    assert!(shorter, "the engine stops there too");
    let streamed = post(&router, PATH, chat("What is hot?", merged(more, json!({"stream": true})))).await;
    assert_eq!(joined(&streamed.events(), 1), [expect]);
}

#[tokio::test]
async fn biases_and_penalties_reach_the_sampler() {
    let (router, _server) = routes().await;
    let id = model().tokenizer().unwrap().encode("k")[0];
    let answer = good(&router, PATH, chat("?", json!({"logit_bias": {id.to_string(): 100}, "max_tokens": 4}))).await;
    assert_eq!(content(&answer), "kkkk");
    let more = json!({"logit_bias": {id.to_string(): 20}, "max_tokens": 4, "presence_penalty": 100});
    let answer = good(&router, PATH, chat("?", more)).await;
    assert_eq!(content(&answer).matches('k').count(), 1);
    for wrong in
        [json!({"logit_bias": {"99999": 1}}), json!({"logit_bias": {"a": 1}}), json!({"logit_bias": {"1": 101}})]
    {
        assert_eq!(bad(&router, PATH, chat("?", wrong), 400).await["param"], "logit_bias");
    }
}

#[tokio::test]
async fn an_ignored_end_is_a_token_with_its_log_probability() {
    let (router, _server) = routes().await;
    let end = model().tokenizer().unwrap().eos_id().unwrap();
    let more = json!({"logit_bias": {end.to_string(): 100}, "ignore_eos": true, "logprobs": true, "max_tokens": 5});
    let whole = good(&router, PATH, chat("?", more.clone())).await;
    let streamed = post(&router, PATH, chat("?", merged(more, json!({"stream": true})))).await.events();
    let told = |choice: &Value| choice["logprobs"]["content"].as_array().map_or(0, Vec::len);
    assert_eq!((content(&whole), told(&whole["choices"][0])), ("", 5));
    assert_eq!(whole["usage"]["completion_tokens"], 5);
    assert_eq!(streamed.iter().map(|event| told(&event["choices"][0])).sum::<usize>(), 5);
}

#[tokio::test]
async fn the_second_turn_finds_the_first_in_the_cache() {
    let (router, _server) = routes().await;
    let first = good(&router, PATH, chat("What is hot? What is in the kiln? Tell me more of it.", json!({}))).await;
    assert_eq!(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    let messages = json!([{"role": "user", "content": "What is hot? What is in the kiln? Tell me more of it."},
        {"role": "assistant", "content": content(&first)}, {"role": "user", "content": "And?"}]);
    let second = good(&router, PATH, chat("", json!({"messages": messages}))).await;
    let cached = second["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    assert!(cached >= 16 && cached < second["usage"]["prompt_tokens"].as_u64().unwrap(), "{cached}");
}

#[tokio::test]
async fn a_message_without_content_is_one_without_words() {
    // The built-in template with calls, and that of models trained before it took such messages.
    let calls = " ~ (message['tool_calls'] | tojson) + '<|im_end|>' -}}";
    let now = fireclay_tokenizer::CHATML.replace(" + '<|im_end|>' -}}", calls);
    let before = now.replace("(message['content'] or '')", "message['content']");
    assert!(now != fireclay_tokenizer::CHATML && now != before);
    for template in [&now, &before] {
        told_without_content(template).await;
    }
}

async fn told_without_content(template: &str) {
    let template = fireclay_tokenizer::ChatTemplate::new(template).unwrap();
    let tokenizer = model().tokenizer().unwrap().with_chat_template(template);
    let model = TextModel { tokenizer: Some(tokenizer), ..model() };
    let server = Server::bind(config(), vec![("tiny".into(), model)]).await.unwrap_or_else(|error| panic!("{error}"));
    let router = server.router();
    let call = json!({"id": "call_x", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let told = async |content: Value| {
        let mut calling = json!({"role": "assistant", "tool_calls": [call]});
        if content != "missing" {
            calling["content"] = content;
        }
        let result = json!({"role": "tool", "tool_call_id": "call_x", "content": "hot"});
        let messages = json!([{"role": "user", "content": "Is it hot?"}, calling, result]);
        good(&router, PATH, chat("", json!({"messages": messages}))).await["usage"].take()
    };
    let empty = told("".into()).await["prompt_tokens"].clone();
    assert_eq!(told(Value::Null).await["prompt_tokens"], empty);
    assert_eq!(told("missing".into()).await["prompt_tokens"], empty);
}

#[tokio::test]
async fn tools_that_the_template_does_not_show_are_refused() {
    let (router, _server) = routes().await;
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    let error = bad(&router, PATH, chat("?", json!({"tools": tools})), 400).await;
    assert_eq!((error["param"].as_str(), error["code"].as_str()), (Some("tools"), Some("unsupported_parameter")));
    good(&router, PATH, chat("?", json!({"tools": tools, "tool_choice": "none"}))).await;
}
