//! Models over HTTP with `OpenAI`'s API, and stored conversations.
//!
//! [`Server::bind`] opens the database, starts an engine for each model and listens; [`Server::run`] answers until it
//! is told to stop. One thread owns each model's engine (`worker.rs`). Handlers send it requests and turn its tokens
//! into text (`generation.rs`); streams and whole answers consist of the same pieces. Path of a request: `listener.rs`
//! → `middleware.rs` (id, host, key) → `routes/` → `worker.rs` → `generation.rs` → `sse.rs` or a whole answer.
//!
//! Unsupported fields of a request are refused by name (`body.rs`); fields that do not change the answer are accepted.

pub mod store;
pub mod ui;
mod watch;
mod config;
mod app;
mod sampling_fields;
mod auth;
mod blocking;
mod body;
mod call_grammar;
mod calls;
mod clock;
mod error;
mod format;
mod usage;
mod figures;
mod generation;
mod include;
mod items;
mod query;
mod item_list;
mod listener;
mod logprobs;
mod messages;
mod metadata;
mod metrics;
mod middleware;
mod model;
mod page;
mod path;
mod routes;
mod server;
mod sse;
mod tools;
mod worker;

pub use auth::Keys;
pub use config::{Config, Limits};
pub use error::ServeError;
pub use items::as_chat;
pub use server::Server;
pub use watch::Watched;

/// The `OpenAPI` document about the server's routes, as JSON.
///
/// # Panics
/// Never: a document can be written.
#[must_use]
pub fn openapi() -> String {
    routes::document().to_pretty_json().expect("a document can be written")
}

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
