use axum::Router;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::{chat, good, request, routes, send};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn methods_of_any_name_are_counted_together() {
    let (router, _server) = routes().await;
    for method in ["EVIL1", "EVIL2", "GET"] {
        let expect = if method == "GET" { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED };
        assert_eq!(send(&router, request(method, "/v1/models", None, None)).await.status, expect);
    }
    let text = send(&router, request("GET", "/metrics", None, None)).await.text;
    let counted = |method: &str| {
        let line = text.lines().find(|line| line.contains(&format!("method=\"{method}\"")));
        line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
    };
    assert_eq!((counted("other").as_deref(), counted("GET").as_deref()), (Some("2"), Some("1")));
    assert!(!text.contains("EVIL"), "{text}");
}

/// A counter of the model.
async fn counted(router: &Router, name: &str) -> u64 {
    let text = send(router, request("GET", "/metrics", None, None)).await.text;
    let line = text.lines().find(|line| line.starts_with(&format!("fireclay_{name}_total{{")));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_counted_however_an_answer_ends_and_a_prompt_once() {
    let (router, _server) = routes().await;
    let usage = good(&router, CHAT, chat("What is hot?", json!({"n": 3, "temperature": 1}))).await["usage"].take();
    for name in ["prompt_tokens", "completion_tokens"] {
        assert_eq!(counted(&router, name).await, usage[name], "{name}");
    }
    let before = counted(&router, "completion_tokens").await;
    let endless = chat("?", json!({"ignore_eos": true, "max_tokens": 2000, "temperature": 1, "stream": true}));
    let mut body = router.clone().oneshot(request("POST", CHAT, None, Some(&endless))).await.unwrap().into_body();
    for _ in 0..10 {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    let begun = std::time::Instant::now();
    while counted(&router, "completion_tokens").await < before + 5 {
        assert!(begun.elapsed().as_secs() < 20, "tokens that nobody waited for are not counted");
        tokio::task::yield_now().await;
    }
    assert!(counted(&router, "prompt_tokens").await > usage["prompt_tokens"].as_u64().unwrap());
}
