//! The page's files, which are part of the binary.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file of the page.
struct Asset {
    path: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! assets {
    ($($path:literal, $file:literal, $kind:literal;)*) => {
        &[$(Asset { path: $path, kind: $kind, content: include_str!(concat!("../../web/", $file)) }),*]
    };
}

const ASSETS: &[Asset] = assets! {
    "/", "index.html", "text/html; charset=utf-8";
    "/style.css", "style.css", "text/css; charset=utf-8";
    "/icon.svg", "icon.svg", "image/svg+xml";
    "/js/main.js", "js/main.js", "text/javascript; charset=utf-8";
    "/js/api.js", "js/api.js", "text/javascript; charset=utf-8";
    "/js/box.js", "js/box.js", "text/javascript; charset=utf-8";
    "/js/dialogs.js", "js/dialogs.js", "text/javascript; charset=utf-8";
    "/js/dom.js", "js/dom.js", "text/javascript; charset=utf-8";
    "/js/files.js", "js/files.js", "text/javascript; charset=utf-8";
    "/js/i18n.js", "js/i18n.js", "text/javascript; charset=utf-8";
    "/js/list.js", "js/list.js", "text/javascript; charset=utf-8";
    "/js/reply.js", "js/reply.js", "text/javascript; charset=utf-8";
    "/js/settings.js", "js/settings.js", "text/javascript; charset=utf-8";
    "/js/sidebar.js", "js/sidebar.js", "text/javascript; charset=utf-8";
    "/js/storage.js", "js/storage.js", "text/javascript; charset=utf-8";
    "/watch", "watch.html", "text/html; charset=utf-8";
    "/js/watch.js", "js/watch.js", "text/javascript; charset=utf-8";
    "/js/thread.js", "js/thread.js", "text/javascript; charset=utf-8";
};

/// The paths of the page's files.
pub fn paths() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|asset| asset.path)
}

/// The file at a path. A browser asks each time whether it changed, which costs nothing on the way to a model.
pub fn serve(path: &str, request: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", &blake3::hash(asset.content.as_bytes()).to_hex()[..32]);
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, HeaderValue::from_str(&tag).expect("a hash is a header's value")),
    ];
    if request.get_all(header::IF_NONE_MATCH).iter().any(|known| has_tag(known, &tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, asset.content).into_response()
}

/// Whether a header `If-None-Match` has a tag, among others, weak or strong; a star is any.
fn has_tag(known: &HeaderValue, tag: &str) -> bool {
    let known = known.to_str().unwrap_or_default();
    known.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
