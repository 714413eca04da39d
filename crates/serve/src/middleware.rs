//! Layers before every handler.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
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
    // Browsers name a host always; a health check over HTTP/1.0 may not.
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let is_own = host.is_none_or(|host| app.hosts.contains(&name_of(host).to_ascii_lowercase()));
    if !app.hosts.is_empty() && !is_own {
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

/// Gives every request an id, logs it, and counts it.
pub async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let method = name_of_method(request.method());
    let path = request.uri().path().to_owned();
    let has_body = !request.body().is_end_stream();
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, time) = (response.status().as_u16(), begun.elapsed());
    span.in_scope(|| tracing::info!("{method} {path} {status} {:.1} ms", time.as_secs_f64() * 1e3));
    app.metrics.answered(method, &route, status, time);
    response.headers_mut().insert(REQUEST_ID, id);
    // Statuses of requests whose body may not have been read: the connection is then closed, and says so.
    if has_body && matches!(status, 401 | 404 | 405 | 413 | 415 | 421 | 503) {
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
