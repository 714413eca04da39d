//! `/v1/models`, `/health`, `/ready`, `/metrics`

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::ApiError;
use crate::model::Served;
use crate::path::Path;

fn object(model: &Served) -> Value {
    json!({
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": "fireclay",
        "max_model_len": model.context,
        "chat": model.tokenizer.chat_template().is_some(),
    })
}

/// List the models
#[utoipa::path(get, path = "/v1/models", tag = "models", responses((status = 200, description = "A list of models")))]
pub async fn list(State(app): State<Arc<App>>) -> Response {
    let data: Vec<Value> = app.models.iter().map(|model| object(model)).collect();
    axum::Json(json!({"object": "list", "data": data})).into_response()
}

/// Read one model
#[utoipa::path(get, path = "/v1/models/{model}", tag = "models", params(("model" = String, Path, description = "The \
    model's name")),
    responses((status = 200, description = "A model"), (status = 404, description = "An error object")))]
pub async fn read(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(axum::Json(object(&*app.model(&name)?)).into_response())
}

/// Whether the process is alive
#[utoipa::path(get, path = "/health", tag = "server", security(()), responses((status = 200, description = "It does")))]
pub async fn health() -> Response {
    axum::Json(json!({"status": "ok"})).into_response()
}

/// Whether requests are welcome: every model has its engine, the database can be written, the server is not shutting
/// down
#[utoipa::path(get, path = "/ready", tag = "server",
    responses((status = 200, description = "They are"), (status = 503, description = "Not now")))]
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let closing = *app.closing.borrow();
    let status = match (closing, app.store.ping().await) {
        (true, _) => "shutting down",
        (_, Err(error)) => {
            tracing::error!("{error}");
            "the database cannot be written"
        }
        (false, Ok(())) if !app.models.iter().all(|model| model.worker.figures.alive.load(Relaxed)) => "no engine",
        (false, Ok(())) => "ready",
    };
    let code = if status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, axum::Json(json!({"status": status}))).into_response()
}

/// Numbers for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, description = "Prometheus' text \
    format")))]
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let models = app.models.iter();
    let figures = models.map(|served| (served.id.as_str(), &*served.worker.figures, served.free_places()));
    ([(header::CONTENT_TYPE, kind)], app.metrics.text(figures)).into_response()
}
