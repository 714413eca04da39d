//! Every route: [`router`], and the document about them: [`document`].

pub mod chat;
pub mod completions;
pub mod conversations;
pub mod models;
pub mod responses;
pub mod tokens;
pub mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::app::App;
use crate::error::ApiError;
use crate::middleware::{authorize, check_host, observe, panicked, secure};
use crate::page::PageReplies;
use crate::query::refuse_query;
use crate::ui;

/// The document at `/openapi.json`.
#[derive(OpenApi)]
#[openapi(
    info(title = "Fireclay", description = "Models over HTTP, as OpenAI's API has it, and the conversations that \
        people have with them."),
    paths(
        chat::create,
        completions::create,
        responses::create,
        responses::read,
        responses::delete,
        responses::input_items,
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
        watch::report,
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
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "An OpenAPI \
    document")))]
async fn openapi() -> Response {
    axum::Json(document()).into_response()
}

/// All routes, with their middleware: request ids and logs, panics, headers, the host, the key, the size of bodies.
pub fn router(app: Arc<App>) -> Router {
    let behind_key = Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::read))
        .route("/v1/chat/completions", post(chat::create))
        .route("/v1/completions", post(completions::create))
        .route("/v1/responses", post(responses::create))
        .route("/v1/conversations", post(conversations::create))
        .route(
            "/v1/conversations/{conversation}",
            get(conversations::read).post(conversations::update).delete(conversations::delete),
        )
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/ready", get(models::ready))
        .route("/metrics", get(models::metrics))
        .route("/openapi.json", get(openapi))
        .route("/ui/api/watch", get(watch::report))
        .route("/v1/responses/{response}", delete(responses::delete))
        .route("/v1/conversations/{conversation}/items/{item}", delete(conversations::delete_item))
        .route_layer(from_fn(refuse_query))
        .route("/v1/responses/{response}", get(responses::read))
        .route("/v1/responses/{response}/input_items", get(responses::input_items))
        .route(
            "/v1/conversations/{conversation}/items",
            get(conversations::list_items).post(conversations::create_items),
        )
        .route("/v1/conversations/{conversation}/items/{item}", get(conversations::read_item))
        .route("/tokenizer_info", get(tokens::info))
        .merge(ui::api_router(page(&app)))
        .route_layer(from_fn_with_state(Arc::clone(&app), authorize));
    let routes = Router::new()
        .merge(behind_key)
        .route("/health", get(models::health))
        .route("/watch.css", get(watch::style))
        .merge(ui::page_router(!app.models.is_empty()))
        .fallback(async || ApiError::not_found("there is no such route; /openapi.json lists them"))
        .method_not_allowed_fallback(async || {
            ApiError::refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "this route takes another method; /openapi.json lists them",
            )
        });
    guarded(routes, app)
}

/// State of the page's routes.
fn page(app: &Arc<App>) -> ui::Ui {
    let run = app.watched.as_ref().map(|watched| watched.name().to_owned());
    ui::Ui::new(app.store.clone(), Arc::new(PageReplies(Arc::clone(app)))).listing(app.running.clone()).watching(run)
}

/// Adds the middleware to all routes, also for unknown paths.
fn guarded(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    let limit = DefaultBodyLimit::max(app.limits.body);
    routes
        .layer(limit)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&app), check_host))
        .layer(from_fn(secure))
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};

    use axum::body::{Body, to_bytes};
    use axum::http::{Request, header};
    use fireclay_model::{DecoderConfig, InferenceDecoder, WeightStorage};
    use fireclay_text::TextModel;
    use fireclay_tokenizer::{BpeConfig, Tokenizer};
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::{Config, Keys, Limits, Server};

    fn model() -> TextModel {
        let config = BpeConfig { vocab_size: 280, ..BpeConfig::default() };
        let tokenizer = Tokenizer::train_bpe(["the kiln is hot".to_owned()].into_iter(), &config).unwrap();
        let device = fireclay_model::device::parse("cpu").unwrap();
        let decoder = DecoderConfig::modern(tokenizer.vocab_size(), 16, 1, 2, 4096).init(7, &device);
        let decoder = InferenceDecoder::new(decoder, WeightStorage::F32);
        TextModel { decoder, tokenizer: Some(tokenizer), dir: "no-such-folder".into() }
    }

    async fn server() -> Server {
        let limits = Limits { streams: 2, cache_memory: 32 << 20, ..Limits::default() };
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (keys, database) = (Keys::default(), ":memory:".into());
        let (suggestions, watched) = (BTreeMap::new(), None);
        let config = Config { host, port: 0, keys, no_auth: false, database, threads: 1, limits, suggestions, watched };
        Server::bind(config, vec![("tiny".into(), model())]).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn ask(router: &Router, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()));
        let response = router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        assert!(response.headers().contains_key("x-request-id"));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn endless() -> Value {
        // Random, so that no token can be guessed.
        json!({"model": "tiny", "prompt": "the", "ignore_eos": true, "max_tokens": 4000, "temperature": 1})
    }

    #[tokio::test]
    async fn a_handlers_panic_is_an_error_without_detail() {
        async fn secret() -> Response {
            panic!("a secret")
        }
        let server = server().await;
        let router = guarded(Router::new().route("/panics", get(secret)), Arc::clone(server.app()));
        for _ in 0..2 {
            let (status, answer) = ask(&router, "GET", "/panics", Value::Null).await;
            assert_eq!((status, &answer["error"]["type"]), (500, &json!("server_error")), "{answer}");
            assert!(!answer.to_string().contains("secret"), "{answer}");
        }
    }

    #[tokio::test]
    async fn schemas_wait_for_a_place_to_be_compiled_and_not_for_ever() {
        let server = server().await;
        let (router, compiling) = (server.router(), Arc::clone(&server.app().models[0].compiling));
        let asked =
            json!({"model": "tiny", "prompt": "the", "max_tokens": 2, "response_format": {"type": "json_object"}});
        let places = compiling.acquire_many(4).await.unwrap();
        assert_eq!(compiling.available_permits(), 0);
        let (status, answer) = ask(&router, "POST", "/v1/completions", asked.clone()).await;
        assert_eq!((status, &answer["error"]["code"]), (429, &json!("rate_limit_exceeded")), "{answer}");
        drop(places);
        assert_eq!(ask(&router, "POST", "/v1/completions", asked).await.0, 200);
        assert_eq!(compiling.available_permits(), 4, "places are given back");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_engines_panic_is_an_error_and_the_next_request_is_answered() {
        let server = server().await;
        let (router, worker) = (server.router(), server.app().models[0].worker.clone());
        let asked = tokio::spawn({
            let router = router.clone();
            async move { ask(&router, "POST", "/v1/completions", endless()).await }
        });
        while worker.figures.used.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        worker.break_down();
        let (status, answer) = asked.await.unwrap();
        assert_eq!((status, &answer["error"]["type"]), (500, &json!("server_error")), "{answer}");
        let short = json!({"model": "tiny", "prompt": "the", "max_tokens": 2});
        assert_eq!(ask(&router, "POST", "/v1/completions", short).await.0, 200);
        assert_eq!(ask(&router, "GET", "/ready", Value::Null).await, (200, json!({"status": "ready"})));
        worker.figures.alive.store(false, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(ask(&router, "GET", "/ready", Value::Null).await, (503, json!({"status": "no engine"})));
    }
}
