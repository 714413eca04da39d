//! The page's routes with a model whose replies the test writes.

mod routes;
mod replies;
mod page;

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use fireclay_serve::store::Store;
use fireclay_serve::ui::{
    Account, ApiError, Generated, PageModel, PageSampling, Replies, ReplyRequest, ReplyStream, Ui, api_router,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tower::ServiceExt;

const ANN: &str = "ann";

/// The page's request, and the test's channel for the reply.
struct PendingReply {
    request: ReplyRequest,
    say: mpsc::Sender<Generated>,
    /// Told when the reply is to end where it is.
    stop: Arc<Notify>,
}

/// A model whose replies the test writes.
#[derive(Default)]
struct Puppet {
    pending: Mutex<Vec<PendingReply>>,
}

impl Puppet {
    /// The last request that was made.
    fn last(&self) -> PendingReply {
        self.pending.lock().unwrap().pop().expect("a reply was asked for")
    }
}

impl Replies for Puppet {
    fn models(&self) -> Vec<PageModel> {
        let defaults = PageSampling { min_p: Some(0.25), ..PageSampling::default() };
        vec![PageModel { id: "tiny".into(), context: 64, defaults, suggestions: vec!["What is 2 + 2?".into()] }]
    }

    fn begin(&self, request: ReplyRequest) -> Pin<Box<dyn Future<Output = Result<ReplyStream, ApiError>> + Send + '_>> {
        Box::pin(async move {
            if request.model != "tiny" {
                return Err(ApiError::not_found("there is no such model"));
            }
            let (say, pieces) = mpsc::channel(16);
            let stop = Arc::new(Notify::new());
            self.pending.lock().unwrap().push(PendingReply { request, say, stop: Arc::clone(&stop) });
            Ok(ReplyStream::new(pieces, stop))
        })
    }
}

struct Server {
    puppet: Arc<Puppet>,
    store: Store,
    router: Router,
}

impl Server {
    async fn new() -> Self {
        let store = Store::open(":memory:").await.unwrap();
        let puppet = Arc::new(Puppet::default());
        let router = api_router(Ui::new(store.clone(), puppet.clone()));
        Self { puppet, store, router }
    }

    async fn send(&self, account: &str, method: &str, path: &str, body: Option<Value>) -> Response<Body> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .extension(Account(account.to_owned()))
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// The status and the JSON of an answer to Ann.
    async fn answer(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        json_of(self.send(ANN, method, path, body).await).await
    }

    /// The JSON of an answer that must succeed.
    async fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, json) = self.answer(method, path, body).await;
        assert_eq!(status, StatusCode::OK, "{method} {path}: {json}");
        json
    }

    /// The message of an answer that must be an error.
    async fn refused(&self, status: StatusCode, method: &str, path: &str, body: Option<Value>) -> String {
        let (found, json) = self.answer(method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {json}");
        json["error"]["message"].as_str().expect("an error has a message").to_owned()
    }

    /// The id of a new conversation.
    async fn conversation(&self) -> String {
        let made = self.ok("POST", "/ui/api/conversations", Some(json!({}))).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// Begins a reply; its events as they come.
    async fn reply(&self, conversation: &str, body: Value) -> Stream {
        let path = format!("/ui/api/conversations/{conversation}/replies");
        Stream::of(self.send(ANN, "POST", &path, Some(body)).await)
    }

    /// The events of a reply that was begun before.
    async fn events(&self, path: &str) -> Stream {
        Stream::of(self.send(ANN, "GET", path, None).await)
    }
}

async fn json_of(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// Events of a reply.
struct Stream {
    body: Body,
    rest: String,
}

impl Stream {
    fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body(), rest: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.find("\n\n") {
                let event: String = self.rest.drain(..end + 2).collect();
                match event.strip_prefix("data: ") {
                    Some(data) => return Some(serde_json::from_str(data).unwrap()),
                    // A comment that keeps the connection alive.
                    None => continue,
                }
            }
            let frame = self.body.frame().await?.unwrap();
            self.rest.push_str(std::str::from_utf8(frame.data_ref()?).unwrap());
        }
    }

    /// The next event, which must be of this type.
    async fn expect(&mut self, kind: &str) -> Value {
        let event = self.next().await.expect("an event follows");
        assert_eq!(event["type"], kind, "{event}");
        event
    }
}
