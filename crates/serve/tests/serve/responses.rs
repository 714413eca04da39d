use axum::http::StatusCode;
use fireclay_serve::store::{LOCAL, NewConversation, Parent, ReplyOutcome, Status, StoreError};
use serde_json::{Value, json};

use crate::{bad, chat, good, merged, post, request, routes, send};

const PATH: &str = "/v1/responses";

fn asked(input: impl Into<Value>, more: Value) -> Value {
    merged(json!({"model": "tiny", "input": input.into(), "max_output_tokens": 12, "temperature": 0}), more)
}

fn text(response: &Value) -> &str {
    response["output"][0]["content"][0]["text"].as_str().unwrap()
}

/// Tokens that are known together or not at all.
const PAGE: u64 = 16;
/// Turns of a conversation.
const TURNS: usize = 20;

/// All turns as one call each with the whole history: questions and replies, what each read, and the last. Replies with
/// the character NUL, which databases do not hold as it is, are of no use here.
async fn history(router: &axum::Router) -> (Vec<Value>, Vec<Value>) {
    'other: for begin in ["What is hot", "Clay", "Why", "the kiln", "Tell me", "a", "Is it hot", "So"] {
        let (mut messages, mut read) = (vec![], vec![]);
        for turn in 0..TURNS {
            messages.push(json!({"role": "user", "content": format!("{begin}, {turn}?")}));
            let asked = chat("", json!({"messages": messages, "max_tokens": 12}));
            let whole = good(router, "/v1/chat/completions", asked).await;
            let said = whole["choices"][0]["message"]["content"].as_str().unwrap();
            if said.contains('\0') {
                continue 'other;
            }
            messages.push(json!({"role": "assistant", "content": said}));
            read.push(whole["usage"]["prompt_tokens"].clone());
        }
        return (messages, read);
    }
    panic!("every conversation has a NUL in it");
}

#[tokio::test]
async fn turns_by_id_are_one_call_with_the_whole_history() {
    let (messages, read) = history(&routes().await.0).await;
    // Another server: its prefix cache has only the turns before.
    let (router, _server) = routes().await;
    let conversation = good(&router, "/v1/conversations", json!({})).await;
    let (mut previous, mut before) = (Value::Null, 0);
    for (turn, (exchange, read)) in messages.chunks(2).zip(read).enumerate() {
        let (question, expect) = (&exchange[0]["content"], exchange[1]["content"].as_str().unwrap());
        let more = json!({"previous_response_id": previous});
        let by_response = good(&router, PATH, asked(question.clone(), more)).await;
        assert_eq!(text(&by_response), expect, "turn {turn}");
        let more = json!({"conversation": {"id": conversation["id"]}});
        let by_conversation = good(&router, PATH, asked(question.clone(), more)).await;
        assert_eq!(text(&by_conversation), expect, "turn {turn}");
        assert_eq!(by_conversation["conversation"]["id"], conversation["id"]);
        assert_eq!(by_response["usage"]["input_tokens"], read);
        for answer in [&by_response, &by_conversation] {
            let known = answer["usage"]["input_tokens_details"]["cached_tokens"].as_u64().unwrap();
            assert!(known + PAGE > before, "turn {turn} knew {known} of the {before} tokens that were read before");
        }
        before = read.as_u64().unwrap();
        previous = by_response["id"].clone();
    }
    let path = format!("/v1/conversations/{}/items?order=asc&limit=100", conversation["id"].as_str().unwrap());
    let items = send(&router, request("GET", &path, None, None)).await.json();
    let said: Vec<Value> = items["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| json!({"role": item["role"], "content": item["content"][0]["text"]}))
        .collect();
    assert_eq!(said, messages);
}

#[tokio::test]
async fn an_earlier_response_begins_a_branch() {
    let (router, _server) = routes().await;
    let first = good(&router, PATH, asked("What is hot?", json!({}))).await;
    let follow =
        async |input: &str| good(&router, PATH, asked(input, json!({"previous_response_id": first["id"]}))).await;
    let (one, _, again) = (follow("And?").await, follow("Why?").await, follow("And?").await);
    assert_eq!(text(&one), text(&again), "what was said in another branch changes nothing");
}

#[tokio::test]
async fn a_response_is_kept_until_it_is_deleted() {
    let (router, _server) = routes().await;
    let made = good(&router, PATH, asked("hot?", json!({"instructions": "Be short.", "metadata": {"a": "b"}}))).await;
    assert_eq!((made["object"].as_str(), made["error"].clone()), (Some("response"), Value::Null));
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!(send(&router, request("GET", &path, None, None)).await.json(), made);
    let gone = send(&router, request("DELETE", &path, None, None)).await.json();
    assert_eq!(gone["deleted"], true);
    assert_eq!(send(&router, request("GET", &path, None, None)).await.status, StatusCode::NOT_FOUND);
    let unstored = good(&router, PATH, asked("hot?", json!({"store": false, "instructions": "Be short."}))).await;
    assert_eq!(text(&unstored), text(&made));
    let path = format!("{PATH}/{}", unstored["id"].as_str().unwrap());
    assert_eq!(send(&router, request("GET", &path, None, None)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_end_that_is_not_whole_has_its_reason() {
    let (router, server) = routes().await;
    let cut = good(&router, PATH, asked("hot?", json!({"max_output_tokens": 1}))).await;
    assert_eq!(cut["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!((&cut["error"], &cut["completed_at"]), (&Value::Null, &Value::Null));
    let store = server.store();
    let conversation = store.create_conversation(LOCAL, NewConversation::default()).await.unwrap().id;
    let (failed, cancelled) = (json!("server_error"), json!("cancelled"));
    for (ended, status, code, reason) in
        [("interrupted", "failed", &failed, &Value::Null), ("cancelled", "incomplete", &Value::Null, &cancelled)]
    {
        let reply = store.begin_reply(LOCAL, &conversation, Parent::Root, "tiny", None).await.unwrap();
        let response = store.create_response(LOCAL, &reply.id, serde_json::Map::new()).await.unwrap();
        let (content, finish_reason) = ("so".into(), Some(ended.into()));
        let outcome =
            ReplyOutcome { content, tool_calls: None, status: Status::Incomplete, finish_reason, usage: None };
        store.finish_reply(LOCAL, &reply.id, outcome).await.unwrap();
        let read = send(&router, request("GET", &format!("{PATH}/{}", response.id), None, None)).await.json();
        assert_eq!((&read["status"], &read["error"]["code"]), (&json!(status), code), "{read}");
        assert_eq!((&read["incomplete_details"]["reason"], &read["completed_at"]), (reason, &Value::Null), "{read}");
    }
}

#[tokio::test]
async fn a_chain_without_a_conversation_is_deleted_with_its_last_response() {
    let (router, server) = routes().await;
    let first = good(&router, PATH, asked("hot?", json!({}))).await;
    let second = good(&router, PATH, asked("And?", json!({"previous_response_id": first["id"]}))).await;
    let hidden = server.store().response(LOCAL, first["id"].as_str().unwrap()).await.unwrap().conversation;
    let delete = async |response: &Value| {
        let path = format!("{PATH}/{}", response["id"].as_str().unwrap());
        send(&router, request("DELETE", &path, None, None)).await.status
    };
    assert_eq!(delete(&second).await, StatusCode::OK);
    assert_eq!(server.store().path(LOCAL, &hidden).await.unwrap().len(), 4, "the first response is still there");
    good(&router, PATH, asked("Why?", json!({"previous_response_id": first["id"], "store": false}))).await;
    assert_eq!(delete(&first).await, StatusCode::OK);
    assert!(matches!(server.store().conversation(LOCAL, &hidden).await, Err(StoreError::NotFound { .. })));
    // One with an id of its own stays.
    let conversation = good(&router, "/v1/conversations", json!({})).await["id"].clone();
    let turn = good(&router, PATH, asked("hot?", json!({"conversation": conversation}))).await;
    assert_eq!(delete(&turn).await, StatusCode::OK);
    assert_eq!(server.store().path(LOCAL, conversation.as_str().unwrap()).await.unwrap().len(), 2);
    assert_eq!(delete(&turn).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_conversation_that_ends_with_the_users_words_is_answered_without_input() {
    let (router, _server) = routes().await;
    let items = json!([{"role": "user", "content": "hot?"}]);
    let conversation = good(&router, "/v1/conversations", json!({"items": items})).await["id"].clone();
    let without = json!({"model": "tiny", "conversation": conversation, "max_output_tokens": 12, "temperature": 0});
    let answer = good(&router, PATH, without.clone()).await;
    assert_eq!(text(&answer), text(&good(&router, PATH, asked("hot?", json!({}))).await));
    let path = format!("/v1/conversations/{}/items", conversation.as_str().unwrap());
    let kept = send(&router, request("GET", &path, None, None)).await.json();
    assert_eq!((kept["data"].as_array().unwrap().len(), &kept["data"][0]), (2, &answer["output"][0]));
    // Now the last words are the model's.
    for wrong in [without.clone(), merged(without, json!({"input": []})), json!({"model": "tiny"})] {
        assert_eq!(bad(&router, PATH, wrong, 400).await["param"], "input");
    }
    let other = json!({"model": "tiny", "previous_response_id": answer["id"]});
    assert_eq!(bad(&router, PATH, other, 400).await["param"], "input");
}

#[tokio::test]
async fn instructions_are_a_system_message_of_one_turn() {
    let (router, _server) = routes().await;
    let with = good(&router, PATH, asked("hot?", json!({"instructions": "Be short."}))).await;
    let messages = json!([{"role": "system", "content": "Be short."}, {"role": "user", "content": "hot?"}]);
    let whole = good(&router, "/v1/chat/completions", chat("", json!({"messages": messages, "max_tokens": 12}))).await;
    assert_eq!(whole["choices"][0]["message"]["content"], text(&with));
    let next = good(&router, PATH, asked("And?", json!({"previous_response_id": with["id"]}))).await;
    let messages = json!([{"role": "user", "content": "hot?"}, {"role": "assistant", "content": text(&with)}, {"role": "user", "content": "And?"}]);
    let whole = good(&router, "/v1/chat/completions", chat("", json!({"messages": messages, "max_tokens": 12}))).await;
    assert_eq!(whole["choices"][0]["message"]["content"], text(&next));
}

#[tokio::test]
async fn instructions_without_words_are_none() {
    let (router, server) = routes().await;
    let new = NewConversation { persona: Some("Be kind to everybody.".into()), ..NewConversation::default() };
    let conversation = server.store().create_conversation(LOCAL, new).await.unwrap().id;
    let items = json!({"items": [{"role": "user", "content": "hot?"}]});
    good(&router, &format!("/v1/conversations/{conversation}/items"), items).await;
    let asked = |more: Value| {
        let turn = json!({"model": "tiny", "max_output_tokens": 1, "store": false, "temperature": 0});
        merged(merged(turn, json!({"input": "And?"})), more)
    };
    let bare = good(&router, PATH, asked(json!({}))).await;
    let empty = good(&router, PATH, asked(json!({"instructions": ""}))).await;
    assert_eq!(
        (&empty["usage"]["input_tokens"], &empty["instructions"]),
        (&bare["usage"]["input_tokens"], &Value::Null)
    );
    let turn = json!({"conversation": conversation, "store": true, "instructions": ""});
    good(&router, PATH, asked(turn)).await;
    let tree = server.store().tree(LOCAL, &conversation).await.unwrap();
    assert_eq!(tree.messages.last().unwrap().instructions.as_deref(), Some("Be kind to everybody."));
}

#[tokio::test]
async fn what_the_database_does_not_hold_is_answered_as_it_is_kept() {
    let (router, _server) = routes().await;
    let more = json!({"instructions": "Be\u{0}kind.", "metadata": {"a": "b\u{0}"}});
    let made = good(&router, PATH, asked("hot?", more)).await;
    assert_eq!((&made["instructions"], &made["metadata"]), (&json!("Be\u{fffd}kind."), &json!({"a": "b\u{fffd}"})));
    let made = good(&router, "/v1/conversations", json!({"metadata": {"a\u{0}": "b"}})).await;
    assert_eq!(made["metadata"], json!({"a\u{fffd}": "b"}));
    let path = format!("/v1/conversations/{}", made["id"].as_str().unwrap());
    let items = json!({"items": [{"role": "user", "content": "a\u{0}b"}]});
    let added = good(&router, &format!("{path}/items"), items).await;
    assert_eq!(added["data"][0]["content"][0]["text"], "a\u{fffd}b");
    let changed = good(&router, &path, json!({"metadata": {"a": "\u{0}"}})).await;
    assert_eq!(changed["metadata"], json!({"a": "\u{fffd}"}));
    assert_eq!(send(&router, request("GET", &path, None, None)).await.json(), changed);
}

#[tokio::test]
async fn a_stream_tells_a_response_from_beginning_to_end() {
    let (router, _server) = routes().await;
    let whole = good(&router, PATH, asked("hot?", json!({}))).await;
    let answer = post(&router, PATH, asked("hot?", json!({"stream": true}))).await;
    let events = answer.events();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let begin =
        ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"];
    let last = if whole["status"] == "completed" { "response.completed" } else { "response.incomplete" };
    let end = ["response.output_text.done", "response.content_part.done", "response.output_item.done", last];
    assert_eq!(kinds[..4], begin);
    assert_eq!(kinds[kinds.len() - 4..], end);
    assert!(kinds[4..kinds.len() - 4].iter().all(|kind| *kind == "response.output_text.delta"), "{kinds:?}");
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index);
        assert!(answer.text.contains(&format!("event: {}\n", event["type"].as_str().unwrap())));
    }
    let pieces: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(pieces, text(&whole));
    let response = &events.last().unwrap()["response"];
    assert_eq!(text(response), pieces);
    let kept =
        send(&router, request("GET", &format!("{PATH}/{}", response["id"].as_str().unwrap()), None, None)).await.json();
    assert_eq!(kept, *response);
}

#[tokio::test]
async fn a_reply_whose_reader_left_is_kept_as_incomplete() {
    let (router, server) = routes().await;
    let conversation = good(&router, "/v1/conversations", json!({})).await;
    let id = conversation["id"].as_str().unwrap().to_owned();
    for stream in [true, false] {
        let endless = asked("hot?", json!({"conversation": id, "stream": stream, "max_output_tokens": 1900}));
        let (router, asking) = (
            router.clone(),
            tokio::spawn({
                let router = router.clone();
                async move { post(&router, PATH, endless).await }
            }),
        );
        let path = format!("/v1/conversations/{id}/items");
        let last = async || send(&router, request("GET", &path, None, None)).await.json()["data"][0].clone();
        let begun = std::time::Instant::now();
        while last().await["status"] != "in_progress" && !asking.is_finished() {
            assert!(begun.elapsed().as_secs() < 20);
            tokio::task::yield_now().await;
        }
        asking.abort();
        while last().await["status"] == "in_progress" {
            assert!(begun.elapsed().as_secs() < 20, "a reply without a reader stays in progress");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(last().await["role"], "assistant");
    }
    let begun = std::time::Instant::now();
    while server.used_pages() > 0 {
        assert!(begun.elapsed().as_secs() < 20, "the engine goes on for nobody");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn turns_that_contradict_themselves_are_refused() {
    let (router, _server) = routes().await;
    let error = bad(&router, PATH, asked("a", json!({"previous_response_id": "resp_x"})), 404).await;
    assert_eq!(error["param"], "previous_response_id");
    assert_eq!(bad(&router, PATH, asked("a", json!({"conversation": "conv_x"})), 404).await["param"], "conversation");
    let both = json!({"conversation": "conv_x", "previous_response_id": "resp_x"});
    assert_eq!(bad(&router, PATH, asked("a", both), 400).await["param"], "conversation");
    assert_eq!(
        bad(&router, PATH, asked("a", json!({"conversation": "c", "store": false})), 400).await["param"],
        "store"
    );
    assert_eq!(bad(&router, PATH, asked(json!([]), json!({})), 400).await["param"], "input");
    assert_eq!(
        bad(&router, PATH, asked(json!([{"role": "user", "content": 1}]), json!({})), 400).await["param"],
        "input[0].content"
    );
}

#[tokio::test]
async fn the_input_of_a_response_is_listed_by_pages() {
    let (router, _server) = routes().await;
    let first = good(&router, PATH, asked("hot?", json!({}))).await;
    let items = json!([{"role": "user", "content": "And?"}, {"role": "user", "content": "Why?"}]);
    let second = good(&router, PATH, asked(items, json!({"previous_response_id": first["id"]}))).await;
    let get = async |id: &Value, query: &str| {
        let path = format!("{PATH}/{}/input_items{query}", id.as_str().unwrap());
        send(&router, request("GET", &path, None, None)).await
    };
    let said = |list: &Value| -> Vec<String> {
        let items = list["data"].as_array().unwrap().iter();
        items.map(|item| item["content"][0]["text"].as_str().unwrap().to_owned()).collect()
    };
    let of_first = get(&first["id"], "").await.json();
    assert_eq!((of_first["object"].as_str(), said(&of_first)), (Some("list"), vec!["hot?".to_owned()]));
    let all = get(&second["id"], "?order=asc").await.json();
    assert_eq!(said(&all), ["hot?", text(&first), "And?", "Why?"]);
    assert_eq!((&all["data"][1], &all["has_more"]), (&first["output"][0], &json!(false)));
    let page = get(&second["id"], "?limit=1").await.json();
    assert_eq!((said(&page), &page["has_more"]), (vec!["Why?".to_owned()], &json!(true)));
    let after = page["last_id"].as_str().unwrap();
    assert_eq!(said(&get(&second["id"], &format!("?limit=1&after={after}")).await.json()), ["And?"]);
    assert_eq!(get(&json!("resp_x"), "").await.status, StatusCode::NOT_FOUND);
    let path = format!("{PATH}/{}", first["id"].as_str().unwrap());
    let kinds = "include[]=reasoning.encrypted_content&include[]=file_search_call.results";
    for path in [
        format!("{path}/input_items?{kinds}"),
        format!("{path}?{kinds}"),
        format!("{path}?include=web_search_call.results"),
    ] {
        assert_eq!(send(&router, request("GET", &path, None, None)).await.status, StatusCode::OK, "{path}");
    }
    for query in ["?limit=0", "?order=up", "?colour=red", "?include[]=message.output_text.logprobs", "?limit=1&limit=2"]
    {
        let answer = get(&first["id"], query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let param = query[1..].split(['=', '[']).next();
        assert_eq!(answer.json()["error"]["param"].as_str(), param, "{}", answer.text);
    }
}
