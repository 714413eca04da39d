//! Every route: [`router`], and the document about them: [`document`].

pub mod chat;
pub mod completions;
pub mod conversations;
pub mod models;
pub mod responses;
pub mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::app::App;
use crate::error::ApiError;
use crate::middleware::{authorize, check_host, observe, panicked, secure};
use crate::page::PageReplies;
use crate::ui;

/// The document that `/openapi.json` is.
#[derive(OpenApi)]
#[openapi(
    info(title = "Fireclay", description = "Models over HTTP, as OpenAI's API has it, and the conversations that people have with them."),
    paths(
        chat::create,
        completions::create,
        responses::create,
        responses::read,
        responses::delete,
        conversations::create,
        conversations::read,
        conversations::update,
        conversations::delete,
        conversations::list_items,
        conversations::create_items,
        conversations::read_item,
        conversations::delete_item,
        models::list,
        models::read,
        models::health,
        models::ready,
        models::metrics,
        tokens::tokenize,
        tokens::detokenize,
        tokens::info,
        openapi,
    ),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_with(Default::default).add_security_scheme("bearer", scheme);
    }
}

/// The document about the routes.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(ui::UiDocument::openapi());
    document
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "An OpenAPI document")))]
async fn openapi() -> Response {
    axum::Json(document()).into_response()
}

/// All routes, with what stands before each: request ids and logs, panics, headers, the host, the key, the size of bodies.
pub fn router(app: Arc<App>) -> Router {
    let behind_key = Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::read))
        .route("/v1/chat/completions", post(chat::create))
        .route("/v1/completions", post(completions::create))
        .route("/v1/responses", post(responses::create))
        .route("/v1/responses/{response}", get(responses::read).delete(responses::delete))
        .route("/v1/conversations", post(conversations::create))
        .route(
            "/v1/conversations/{conversation}",
            get(conversations::read).post(conversations::update).delete(conversations::delete),
        )
        .route(
            "/v1/conversations/{conversation}/items",
            get(conversations::list_items).post(conversations::create_items),
        )
        .route(
            "/v1/conversations/{conversation}/items/{item}",
            get(conversations::read_item).delete(conversations::delete_item),
        )
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/tokenizer_info", get(tokens::info))
        .route("/ready", get(models::ready))
        .route("/metrics", get(models::metrics))
        .route("/openapi.json", get(openapi))
        .merge(ui::api_router(ui::Ui::new(app.store.clone(), Arc::new(PageReplies(Arc::clone(&app))))))
        .route_layer(from_fn_with_state(Arc::clone(&app), authorize));
    let limit = DefaultBodyLimit::max(app.limits.body);
    Router::new()
        .merge(behind_key)
        .route("/health", get(models::health))
        .merge(ui::page_router())
        .fallback(async || ApiError::not_found("there is no such route; /openapi.json lists them"))
        .method_not_allowed_fallback(async || {
            ApiError::refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "this route takes another method; /openapi.json lists them",
            )
        })
        .layer(limit)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&app), check_host))
        .layer(from_fn(secure))
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}
