//! The server with a tiny model of random numbers: asked without connections where that is enough, over loopback where
//! it is not.

mod accounts;
mod chat;
mod completions;
mod connections;
mod conversations;
mod crowd;
mod formats;
mod metrics;
mod omitted;
mod page;
mod refusals;
mod responses;
mod tokens;
mod tool_items;
mod tools;
mod watch;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::sync::OnceLock;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use fireclay_infer::{Completion, SamplingConfig};
use fireclay_model::{DecoderConfig, InferenceDecoder, WeightStorage};
use fireclay_serve::{Config, Keys, Limits, Server};
use fireclay_text::{ReplyText, TextModel};
use fireclay_tokenizer::{BpeConfig, Tokenizer};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const CONTEXT: usize = 2048;

/// A model that was never trained, with strong opinions.
fn model() -> TextModel {
    static MODEL: OnceLock<TextModel> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            let documents =
                ["the kiln is hot, and the clay is in the kiln", "what is hot? the kiln is."].map(String::from);
            let config = BpeConfig { vocab_size: 300, ..BpeConfig::default() };
            let tokenizer = Tokenizer::train_bpe(documents.into_iter(), &config).unwrap();
            let device = fireclay_model::device::parse("cpu").unwrap();
            let vocabulary = tokenizer.vocab_size();
            let config = DecoderConfig { init_std: 0.2, ..DecoderConfig::modern(vocabulary, 32, 2, 4, CONTEXT) };
            let decoder = InferenceDecoder::new(config.init(7, &device), WeightStorage::F32);
            TextModel { decoder, tokenizer: Some(tokenizer), dir: "no-such-folder".into() }
        })
        .clone()
}

fn limits() -> Limits {
    Limits { streams: 8, queue: 8, cache_memory: 64 << 20, body: 1 << 20, ..Limits::default() }
}

fn config() -> Config {
    Config {
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 0,
        keys: Keys::default(),
        no_auth: false,
        database: ":memory:".into(),
        threads: 1,
        limits: limits(),
        suggestions: BTreeMap::new(),
        watched: None,
    }
}

async fn start(config: Config) -> Server {
    Server::bind(config, vec![("tiny".into(), model())]).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The routes of a server that nobody can connect to, and the server.
async fn routes() -> (Router, Server) {
    let server = start(config()).await;
    (server.router(), server)
}

/// A response whose body was read.
struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The events of a stream, without those that are not JSON.
    fn events(&self) -> Vec<Value> {
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

fn request(method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()
}

async fn post(router: &Router, path: &str, body: Value) -> Answer {
    send(router, request("POST", path, None, Some(&body))).await
}

/// The body of an answer that must be good.
async fn good(router: &Router, path: &str, body: Value) -> Value {
    let answer = post(router, path, body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.text);
    answer.json()
}

/// The error of an answer that must be refused with this status.
async fn bad(router: &Router, path: &str, body: Value, status: u16) -> Value {
    let answer = post(router, path, body.clone()).await;
    assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
    let error = answer.json()["error"].take();
    assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
    error
}

/// A greedy chat of one question, with more fields.
fn chat(question: &str, more: Value) -> Value {
    merged(
        json!({"model": "tiny", "messages": [{"role": "user", "content": question}], "max_tokens": 24, "temperature": 0}),
        more,
    )
}

fn merged(mut object: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("an object") };
    object.as_object_mut().unwrap().extend(more);
    object
}

/// Greedy completion of the engine itself for these ids, and its text.
fn engine_says(prompt: Vec<u32>, max_tokens: usize, chat: bool) -> (Completion, String) {
    let model = model();
    let stop = model.stop_ids();
    let sampling =
        SamplingConfig { stop: stop.iter().map(|&id| vec![id]).collect(), ..SamplingConfig::greedy(max_tokens) };
    let request =
        fireclay_infer::Request { guard: model.utf8_guard(), ..fireclay_infer::Request::new(prompt, sampling) };
    let mut engine = model.engine(1, 16 << 20).unwrap();
    let completion = engine.complete(request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let tokenizer = model.tokenizer().unwrap();
    let mut text = if chat { ReplyText::new(tokenizer, stop) } else { ReplyText::with_specials(tokenizer, stop) };
    let mut whole: String = completion.ids.iter().map(|&id| text.push(id).text).collect();
    whole += &text.finish();
    (completion, whole)
}
