//! The web page, and the routes beyond `OpenAI`'s that it needs.
//!
//! The page's files are public; everything below `/ui/api` belongs to an [`Account`]. The caller that nests
//! [`api_router`] adds it to each request's extensions after checking the key. Replies come from a [`Replies`]
//! implementation, so that the page knows neither engine nor tokenizer.
//!
//! Reading order: `generate`, `routes`, `running`, `replies`, `markdown`, `assets`.

mod generate;
mod assets;
mod markdown;
mod routes;
mod running;
mod replies;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::Redirect;
use axum::routing::{get, patch, post, put};

use crate::query::refuse_query;
use crate::store::Store;

pub use crate::auth::Account;
pub use crate::error::ApiError;
pub use assets::paths as asset_paths;
pub use generate::{Generated, PageModel, PageSampling, Replies, ReplyRequest, ReplyStream};
pub use markdown::render;
pub(crate) use running::{Guard, RunningReplies};

/// State that the page's routes share.
#[derive(Clone)]
pub struct Ui {
    store: Store,
    replies: Arc<dyn Replies>,
    /// The run that `/watch` shows.
    run: Option<String>,
    running: RunningReplies,
}

impl Ui {
    /// The routes' state.
    pub fn new(store: Store, replies: Arc<dyn Replies>) -> Self {
        Self { store, replies, run: None, running: RunningReplies::default() }
    }

    /// The same, with the replies in this list, so that others can wait for them.
    #[must_use]
    pub(crate) fn listing(self, running: RunningReplies) -> Self {
        Self { running, ..self }
    }

    /// The same beside a page that shows the run of this name, if there is one.
    #[must_use]
    pub fn watching(self, run: Option<String>) -> Self {
        Self { run, ..self }
    }
}

/// The page's files: `/`, `/style.css`, `/js/…`. They are public. Without models, the first page shows the run.
pub fn page_router<S: Clone + Send + Sync + 'static>(with_models: bool) -> Router<S> {
    let serve = |request: Request| async move { assets::serve(request.uri().path(), request.headers()) };
    assets::paths().fold(Router::new(), |router, path| match path {
        "/" if !with_models => router.route(path, get(async || Redirect::to("/watch"))),
        _ => router.route(path, get(serve)),
    })
}

/// The routes below `/ui/api`. Each request needs an [`Account`] among its extensions.
pub fn api_router<S: Clone + Send + Sync + 'static>(ui: Ui) -> Router<S> {
    Router::new()
        .route("/ui/api/models", get(routes::models))
        .route("/ui/api/conversations/import", post(routes::import))
        .route("/ui/api/conversations/{id}", patch(routes::change).get(routes::read).delete(routes::delete))
        .route("/ui/api/conversations/{id}/branch", post(routes::branch))
        .route("/ui/api/conversations/{id}/export", get(routes::export))
        .route("/ui/api/conversations/{id}/replies", post(replies::reply))
        .route("/ui/api/messages/{id}/rating", put(routes::rate).patch(routes::change_rating))
        .route("/ui/api/messages/{id}/stop", post(routes::stop))
        .route("/ui/api/messages/{id}/events", get(replies::events))
        .route("/ui/api/render", post(routes::render))
        .route_layer(from_fn(refuse_query))
        .route(
            "/ui/api/conversations",
            get(routes::list).merge(post(routes::create).route_layer(from_fn(refuse_query))),
        )
        .with_state(ui)
}

/// The page's routes in the `OpenAPI` document.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        routes::models,
        routes::list,
        routes::create,
        routes::import,
        routes::read,
        routes::change,
        routes::delete,
        routes::branch,
        routes::export,
        replies::reply,
        replies::events,
        routes::rate,
        routes::change_rating,
        routes::stop,
        routes::render
    ),
    tags((name = "page", description = "What the web page needs beyond OpenAI's routes"))
)]
pub struct UiDocument;
