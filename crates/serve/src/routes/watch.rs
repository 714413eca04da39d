//! The run that is watched, for the page `/watch`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::error::ApiError;
use crate::watch::Report;

/// Where nothing is watched: what to start.
const NO_RUN: &str = "this server watches no run; start it with --watch RUN, or `fireclay watch RUN` beside it";

/// The report about the run that is watched: `html`, or `waiting` where there is nothing to tell yet
#[utoipa::path(get, path = "/ui/api/watch", tag = "page",
    responses((status = 200, body = Object), (status = 304, description = "As it was"), (status = 404, body = Object)))]
pub async fn report(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let watched = app.watched.as_ref().ok_or_else(|| ApiError::not_found(NO_RUN))?;
    let Report { body, tag, .. } = watched.report().await?;
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == tag);
    let told = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, tag),
    ];
    Ok(match known {
        true => (StatusCode::NOT_MODIFIED, told).into_response(),
        false => (told, body.to_string()).into_response(),
    })
}

/// The report's style sheet.
pub async fn style(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let watched = app.watched.as_ref().ok_or_else(|| ApiError::not_found(NO_RUN))?;
    Ok(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], watched.style).into_response())
}
