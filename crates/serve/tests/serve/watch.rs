use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use fireclay_serve::{Config, Server, Watched};
use serde_json::{Value, json};

use crate::accounts::keys;
use crate::{Answer, config, request, routes, send};

/// A server without models that watches a run, and how often the run's report was made.
async fn watching(
    make: impl Fn(usize) -> Result<String, String> + Send + Sync + 'static,
) -> (Server, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let make = move || make(counted.fetch_add(1, Ordering::Relaxed));
    let watched = Some(Arc::new(Watched::new("tiny".into(), "p { margin: 0 }", make)));
    (Server::bind(Config { watched, ..config() }, vec![]).await.unwrap(), made)
}

async fn get(server: &Server, path: &str) -> Answer {
    send(&server.router(), request("GET", path, None, None)).await
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

#[tokio::test]
async fn a_run_is_shown_with_nothing_but_the_servers_own() {
    let (server, _) = watching(|_| Ok("<h1>tiny</h1>".into())).await;
    let front = get(&server, "/").await;
    assert_eq!((front.status, text(&front.headers, "location")), (StatusCode::SEE_OTHER, "/watch"));
    let page = get(&server, "/watch").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(text(&page.headers, "content-security-policy").starts_with("default-src 'self'; object-src 'none'"));
    for path in ["/js/watch.js", "/watch.css"] {
        assert!(page.text.contains(&path[1..]), "{path}");
        assert_eq!(get(&server, path).await.status, StatusCode::OK);
    }
    assert_eq!(get(&server, "/ui/api/watch").await.json(), json!({"name": "tiny", "html": "<h1>tiny</h1>"}));
    assert_eq!(get(&server, "/ready").await.status, StatusCode::OK);
    assert_eq!(get(&server, "/v1/models").await.json()["data"], json!([]));
}

#[tokio::test]
async fn what_needs_a_model_is_refused_where_there_is_none() {
    let (server, _) = watching(|_| Ok(String::new())).await;
    let router = server.router();
    assert_eq!(get(&server, "/tokenizer_info").await.status, StatusCode::NOT_FOUND);
    for (path, asked) in [
        ("/tokenize", json!({"prompt": "a"})),
        ("/detokenize", json!({"tokens": [1]})),
        ("/tokenize", json!({"model": "tiny", "prompt": "a"})),
        ("/v1/chat/completions", json!({"model": "tiny", "messages": [{"role": "user", "content": "a"}]})),
        ("/v1/completions", json!({"model": "tiny", "prompt": "a"})),
        ("/v1/responses", json!({"model": "tiny", "input": "a"})),
    ] {
        let error = crate::bad(&router, path, asked, 404).await;
        assert_eq!((&error["param"], &error["code"]), (&json!("model"), &json!("model_not_found")), "{path}");
        assert!(error["message"].as_str().unwrap().contains("no model"), "{error}");
    }
}

#[tokio::test]
async fn a_report_is_made_once_for_many_and_sent_once_unchanged() {
    let (server, made) = watching(|_| Err("no step yet".into())).await;
    let first = get(&server, "/ui/api/watch").await;
    assert_eq!(first.json(), json!({"name": "tiny", "waiting": "no step yet"}));
    let known = || {
        let mut request = request("GET", "/ui/api/watch", None, None);
        request.headers_mut().insert(header::IF_NONE_MATCH, first.headers[header::ETAG].clone());
        request
    };
    for _ in 0..3 {
        let again = send(&server.router(), known()).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(send(&server.router(), known()).await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_run_is_behind_the_key() {
    let watched = Some(Arc::new(Watched::new("tiny".into(), "", || Ok("secret".into()))));
    let server = Server::bind(Config { watched, keys: keys(), ..config() }, vec![]).await.unwrap();
    assert_eq!(get(&server, "/ui/api/watch").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&server, "/watch").await.status, StatusCode::OK, "the page itself asks for the key");
}

#[tokio::test]
async fn beside_models_the_page_to_talk_names_the_run() {
    let (_, server) = routes().await;
    assert_eq!(get(&server, "/ui/api/models").await.json()["run"], Value::Null);
    assert_eq!(get(&server, "/ui/api/watch").await.status, StatusCode::NOT_FOUND);
    let watched = Some(Arc::new(Watched::new("next".into(), "", || Ok("so far".into()))));
    let server = crate::start(Config { watched, ..config() }).await;
    assert_eq!(get(&server, "/ui/api/models").await.json()["run"], "next");
    assert_eq!(get(&server, "/").await.status, StatusCode::OK);
}
