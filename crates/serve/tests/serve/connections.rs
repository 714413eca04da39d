//! Connections over loopback: clients that disconnect, slow readers, shutdown.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fireclay_serve::{Config, Limits, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::{chat, config, limits, merged, request, routes, send, start};

/// A connection that has sent a chat request.
async fn ask(address: SocketAddr, body: &Value) -> TcpStream {
    ask_at(address, "/v1/chat/completions", body).await
}

async fn ask_at(address: SocketAddr, path: &str, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: \
         close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream
}

/// Four answers of many tokens, drawn, so that none can be guessed.
fn endless(stream: bool) -> Value {
    chat("?", json!({"ignore_eos": true, "max_tokens": 2000, "n": 4, "stream": stream, "temperature": 1, "seed": 3}))
}

/// The response to its end.
async fn read(mut stream: TcpStream) -> String {
    let mut bytes = vec![];
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn metric(address: SocketAddr, name: &str) -> u64 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let text = read(stream).await;
    let line = text.lines().find(|line| line.starts_with(name));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

const USED: &str = "fireclay_cache_pages{model=\"tiny\",state=\"used\"}";

async fn wait_for(address: SocketAddr, what: &str, reached: impl Fn(u64) -> bool) {
    let begun = Instant::now();
    loop {
        let number = metric(address, what).await;
        if reached(number) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} is still {number}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A running server, its address, and the handle that stops it.
async fn running(config: Config) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let server: Server = start(config).await;
    let address = server.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let runs = tokio::spawn(server.run(async move { drop(stopped.await) }));
    (address, stop, runs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_frees_the_engine() {
    let (address, _stop, _runs) = running(config()).await;
    for stream in [true, false] {
        let connection = ask(address, &endless(stream)).await;
        wait_for(address, USED, |pages| pages > 0).await;
        drop(connection);
        wait_for(address, USED, |pages| pages == 0).await;
        wait_for(address, "fireclay_free_places{", |places| places == 16).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_falls_behind_is_dropped() {
    let (address, _stop, _runs) = running(config()).await;
    let more = json!({"n": 8, "max_tokens": 2000, "logprobs": true, "top_logprobs": 20});
    let connection = ask(address, &merged(endless(true), more)).await;
    wait_for(address, USED, |pages| pages > 0).await;
    wait_for(address, USED, |pages| pages == 0).await;
    wait_for(address, "fireclay_dropped_readers{", |readers| readers > 0).await;
    let text = read(connection).await;
    assert!(
        text.matches("\"finish_reason\":\"").count() < 8 && text.contains("\"code\":\"slow_reader\""),
        "it is told that this is not all, and why"
    );
    wait_for(address, "fireclay_free_places{", |places| places == 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_takes_nothing_is_disconnected() {
    let reader = Duration::from_millis(200);
    let (address, _stop, _runs) = running(Config { limits: Limits { reader, ..limits() }, ..config() }).await;
    let prompts = vec![vec![5; 1900]; 16];
    let large = json!({"model": "tiny", "prompt": prompts, "echo": true, "logprobs": 20, "max_tokens": 0});
    let mut connection = ask_at(address, "/v1/completions", &large).await;
    wait_for(address, "fireclay_http_requests_total{method=\"POST\"", |answered| answered == 1).await;
    tokio::time::sleep(5 * reader).await;
    let mut bytes = vec![];
    // The rest is not sent, or the connection was reset.
    let _ = connection.read_to_end(&mut bytes).await;
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
    assert!(length > 16 << 20 && bytes.len() < length, "{} of {length} bytes", bytes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_lets_streams_finish() {
    let (address, stop, runs) = running(config()).await;
    let connection = ask(address, &merged(endless(true), json!({"n": 1, "max_tokens": 1500}))).await;
    wait_for(address, USED, |pages| pages > 0).await;
    stop.send(()).unwrap();
    let text = read(connection).await;
    assert!(text.contains("\"finish_reason\":\"length\"") && text.contains("data: [DONE]"), "{text}");
    runs.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_streams_that_do_not_finish_with_words() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.sqlite").to_str().unwrap().to_owned();
    let grace = Duration::ZERO;
    let settings = Config { limits: Limits { grace, ..limits() }, database: database.clone(), ..config() };
    let (address, stop, runs) = running(settings).await;
    let streamed = ask(address, &endless(true)).await;
    let whole = ask(address, &merged(endless(false), json!({"n": 1}))).await;
    let response = json!({"model": "tiny", "input": "What is hot?", "stream": true, "temperature": 0});
    let response = ask_at(address, "/v1/responses", &response).await;
    wait_for(address, "fireclay_engine_requests{", |requests| requests == 6).await;
    let begun = Instant::now();
    stop.send(()).unwrap();
    let (streamed, whole, response) = tokio::join!(read(streamed), read(whole), read(response));
    let last = response.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(last["response"]["error"]["code"], "shutdown");
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
    let end = &streamed[streamed.len().saturating_sub(200)..];
    assert!(streamed.contains("\"code\":\"shutdown\"") && streamed.contains("data: [DONE]"), "{end}");
    assert!(whole.starts_with("HTTP/1.1 503") && whole.contains("\"code\":\"shutdown\""), "{whole}");
    runs.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Another server reads the response as it was told.
    let server = start(Config { database, ..config() }).await;
    let path = format!("/v1/responses/{}", last["response"]["id"].as_str().unwrap());
    let kept = send(&server.router(), request("GET", &path, None, None)).await.json();
    assert_eq!(kept, last["response"]);
}

#[tokio::test]
async fn a_body_that_was_not_read_closes_the_connection() {
    let (router, _server) = routes().await;
    let body = json!({});
    for (method, path, body, closes) in [
        ("GET", "/v1/models", Some(&body), true),
        ("DELETE", "/v1/conversations/conv_x", Some(&body), true),
        ("POST", "/v1/conversations?limit=2", Some(&body), true),
        ("GET", "/nothing", Some(&body), true),
        ("POST", "/v1/conversations", Some(&body), false),
        ("POST", "/v1/chat/completions", Some(&body), false),
        ("GET", "/v1/models", None, false),
        ("POST", "/v1/conversations", None, false),
    ] {
        let answer = send(&router, request(method, path, None, body)).await;
        let found = answer.headers.get(axum::http::header::CONNECTION).is_some_and(|connection| connection == "close");
        assert_eq!(found, closes, "{method} {path}: {}", answer.text);
    }
}
