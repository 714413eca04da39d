//! Layers before every handler.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tracing::Instrument;

use crate::app::App;
use crate::auth::Account;
use crate::error::ApiError;
use crate::store::new_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Refuses requests without a valid key, and all requests once the server closes; records the account.
pub async fn authorize(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    match app.keys.account(request.headers()) {
        Ok(account) => {
            if *app.closing.borrow() && request.uri().path() != "/ready" {
                return ApiError::ending().into_response();
            }
            request.extensions_mut().insert(Account(account));
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Refuses requests under another host name, if no key protects the server: defence against DNS rebinding, in which a
/// stranger's page reaches the server by a name that resolves to it.
pub async fn check_host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.hosts.is_empty() {
        return next.run(request).await;
    }
    let hosts: Vec<&str> =
        request.headers().get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default()).collect();
    // Browsers name a host always; a health check over HTTP/1.0 may not.
    let is_one = hosts.len() == 1 || (hosts.is_empty() && request.version() <= Version::HTTP_10);
    if !is_one {
        let message = format!("the request has {} headers `Host`; send one", hosts.len());
        return ApiError::invalid(message).into_response();
    }
    // An address may name a host too.
    let mut names = hosts.into_iter().map(name_of).chain(request.uri().host());
    if !names.all(|name| app.hosts.contains(&name.to_ascii_lowercase())) {
        let message = "this server answers under its own address only; start it with API keys to use another name";
        return ApiError::refused(StatusCode::MISDIRECTED_REQUEST, message).into_response();
    }
    next.run(request).await
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A request's body that notes whether it was read to its end.
struct NotedBody {
    body: Body,
    is_read: Arc<AtomicBool>,
}

impl HttpBody for NotedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.is_read.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Gives every request an id, logs it, and counts it.
pub async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let method = name_of_method(request.method());
    let path = request.uri().path().to_owned();
    let is_read = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let request = request.map(|body| Body::new(NotedBody { body, is_read: Arc::clone(&is_read) }));
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, time) = (response.status().as_u16(), begun.elapsed());
    span.in_scope(|| tracing::info!("{method} {path} {status} {:.1} ms", time.as_secs_f64() * 1e3));
    app.metrics.answered(method, &route, status, time);
    response.headers_mut().insert(REQUEST_ID, id);
    // Before the rest of a body no other request can be read: the connection is then closed, and says so.
    if !is_read.load(Ordering::Relaxed) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The name of a method. A client may send any word, of which metrics would keep a series each.
fn name_of_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// The client's own id, if it is a short plain one.
fn request_id(request: &Request) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        (1..=64).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    let given = request.headers().get(REQUEST_ID).filter(plain).cloned();
    given.unwrap_or_else(|| HeaderValue::from_str(&new_id("req")).expect("an id is letters and digits"))
}

/// Adds security headers, which restrict what browsers do with a response. A handler's own headers are kept.
pub async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Response to a client after a panic; the panic itself is in the log.
#[expect(clippy::needless_pass_by_value, reason = "the shape that the layer wants")]
pub fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let words = payload.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without words");
    tracing::error!("a handler panicked: {words}");
    ApiError::defect().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_its_name() {
        for (host, expect) in [
            ("localhost:8080", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(name_of(host), expect);
        }
    }
}
