use axum::Router;
use axum::http::StatusCode;
use fireclay_serve::{Config, Keys};
use serde_json::{Value, json};

use crate::{Answer, config, request, send, start};

const ANN: &str = "sk-of-ann-0123456789";
const BOB: &str = "sk-of-bob-0123456789";

pub fn keys() -> Keys {
    Keys::parse(&format!("{ANN} ann\n{BOB} bob\n")).unwrap()
}

/// Every method and path of the document.
fn documented() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&fireclay_serve::openapi()).unwrap();
    let mut all = vec![];
    for (path, methods) in document["paths"].as_object().unwrap() {
        all.extend(methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    assert!(all.len() >= 30, "{all:?}");
    all
}

/// A path with the id of each of its parameters.
fn filled(path: &str, id: impl Fn(&str) -> String) -> String {
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => id(name),
        None => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

async fn ask(router: &Router, key: &str, method: &str, path: &str, body: Value) -> Answer {
    let body = (!body.is_null()).then_some(&body);
    send(router, request(method, path, Some(key), body)).await
}

#[tokio::test]
async fn without_a_key_nothing_but_health_answers() {
    let server = start(Config { keys: keys(), ..config() }).await;
    let router = server.router();
    for (method, path) in documented() {
        let path = filled(&path, |_| "nobodys".into());
        for key in [None, Some("sk-of-nobody-0123456789")] {
            let answer = send(&router, request(&method, &path, key, Some(&json!({})))).await;
            let expect = if path == "/health" { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            assert_eq!(answer.status, expect, "{method} {path}");
            if path != "/health" {
                assert_eq!(answer.json()["error"]["code"], "invalid_api_key", "{method} {path}");
            }
        }
        let answer = send(&router, request(&method, &path, Some(ANN), Some(&json!({})))).await;
        assert!(
            answer.status != StatusCode::UNAUTHORIZED && answer.status != StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path}"
        );
        assert!(!answer.status.is_server_error(), "{method} {path}: {}", answer.text);
    }
}

/// Data of an account.
struct Owned {
    conversation: String,
    response: String,
    message: String,
}

impl Owned {
    async fn make(router: &Router, key: &str) -> Self {
        let id = |answer: &Answer| answer.json()["id"].as_str().unwrap().to_owned();
        let conversation = id(&ask(router, key, "POST", "/v1/conversations", json!({})).await);
        let turn = json!({"model": "tiny", "input": "hot?", "conversation": conversation, "max_output_tokens": 4});
        let response = ask(router, key, "POST", "/v1/responses", turn).await;
        let message = response.json()["output"][0]["id"].as_str().unwrap().to_owned();
        Self { conversation, response: id(&response), message }
    }

    /// The path of a route about what the account has, and a body that is right for it.
    fn fill(&self, method: &str, path: &str) -> (String, Value) {
        let of_message = path.contains("/messages/");
        let filled = filled(path, |name| {
            let id = match name {
                "conversation" => &self.conversation,
                "id" if !of_message => &self.conversation,
                "id" | "item" => &self.message,
                "response" => &self.response,
                other => panic!("{{{other}}} of {path} is new; say here what it is"),
            };
            id.clone()
        });
        let body = match (method, path.rsplit('/').next().unwrap()) {
            ("GET" | "DELETE", _) | (_, "stop") => Value::Null,
            (_, "items") => json!({"items": [{"role": "user", "content": "a"}]}),
            (_, "branch") => json!({"message": self.message}),
            (_, "replies") => json!({"model": "tiny", "text": "a", "max_tokens": 2}),
            (_, "rating") => json!({"verdict": "up"}),
            ("PATCH", _) => json!({"title": "a"}),
            _ => json!({"metadata": {}}),
        };
        (filled, body)
    }
}

#[tokio::test]
async fn another_accounts_ids_are_as_unknown_ones() {
    let server = start(Config { keys: keys(), ..config() }).await;
    let router = server.router();
    let (anns, bobs) = (Owned::make(&router, ANN).await, Owned::make(&router, BOB).await);
    let with_ids = |(_, path): &(String, String)| path.contains('{') && !path.contains("{model}");
    let routes: Vec<(String, String)> = documented().into_iter().filter(with_ids).collect();
    assert!(routes.len() >= 15, "{routes:?}");
    let export = format!("/ui/api/conversations/{}/export", anns.conversation);
    let before = ask(&router, ANN, "GET", &export, Value::Null).await.text;
    for (method, path) in &routes {
        let (path, body) = anns.fill(method, path);
        let answer = ask(&router, BOB, method, &path, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.text);
    }
    let turn = json!({"model": "tiny", "input": "a", "max_output_tokens": 2});
    for (field, id) in [("previous_response_id", &anns.response), ("conversation", &anns.conversation)] {
        let turn = crate::merged(turn.clone(), json!({field: id}));
        assert_eq!(ask(&router, BOB, "POST", "/v1/responses", turn).await.status, StatusCode::NOT_FOUND, "{field}");
    }
    // Nor are another account's messages reached from an own conversation.
    let own = format!("/ui/api/conversations/{}", bobs.conversation);
    let reply = json!({"model": "tiny", "text": "a", "parent": anns.message, "max_tokens": 2});
    for (path, body) in [("branch", json!({"message": anns.message})), ("replies", reply)] {
        let answer = ask(&router, BOB, "POST", &format!("{own}/{path}"), body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.text);
    }
    let listed = ask(&router, BOB, "GET", "/ui/api/conversations", Value::Null).await;
    assert!(listed.text.contains(&bobs.conversation) && !listed.text.contains(&anns.conversation), "{}", listed.text);
    assert_eq!(ask(&router, ANN, "GET", &export, Value::Null).await.text, before, "nothing was changed");

    // The same requests are right for whom the ids belong to.
    for (method, path) in &routes {
        let (path, body) = Owned::make(&router, ANN).await.fill(method, path);
        let answer = ask(&router, ANN, method, &path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_account_does_not_learn_from_the_cache_what_another_one_has_sent() {
    let server = start(Config { keys: keys(), ..config() }).await;
    let router = server.router();
    // Each with words of its own, so that one route's prompt is not found by the next.
    let chat = json!({"model": "tiny", "messages": [{"role": "user", "content": "hot hot hot hot hot hot hot hot"}]});
    let completion = json!({"model": "tiny", "prompt": "What is hot? What is in the kiln? Tell me more of it."});
    let turn = json!({"model": "tiny", "input": "Is the kiln hot? Is the glaze hot? Is it all hot?"});
    let brief = |body: Value, field: &str| crate::merged(body, json!({field: 2}));
    for (path, details, body) in [
        ("/v1/chat/completions", "prompt_tokens_details", brief(chat, "max_tokens")),
        ("/v1/completions", "prompt_tokens_details", brief(completion, "max_tokens")),
        ("/v1/responses", "input_tokens_details", brief(turn, "max_output_tokens")),
    ] {
        let cached = async |key| {
            let answer = ask(&router, key, "POST", path, body.clone()).await;
            answer.json()["usage"][details]["cached_tokens"].as_u64().unwrap_or_else(|| panic!("{}", answer.text))
        };
        cached(ANN).await;
        assert!(cached(ANN).await >= 16, "{path}: an account finds its own");
        assert_eq!(cached(BOB).await, 0, "{path}: another one does not");
    }
}
