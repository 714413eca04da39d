//! A server's settings: [`Config`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::{Keys, Watched};

/// Configuration of the server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port; 0 for any that is free.
    pub port: u16,
    /// The API keys.
    pub keys: Keys,
    /// Whether to accept requests from other machines without keys.
    pub no_auth: bool,
    /// The conversations' database: see [`Store::open`](crate::store::Store::open).
    pub database: String,
    /// Threads that each model computes on.
    pub threads: usize,
    /// Limits of requests.
    pub limits: Limits,
    /// Questions that a model can answer, by its name: the page offers them before a conversation begins.
    pub suggestions: BTreeMap<String, Vec<String>>,
    /// A run to show while it trains, on the page `/watch`.
    pub watched: Option<Arc<Watched>>,
}

/// Limits of requests.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest number of answers of a model that are computed at once.
    pub streams: usize,
    /// Largest number of answers of a model that wait; more are refused with 429.
    pub queue: usize,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Bytes of keys and values of each model.
    pub cache_memory: usize,
    /// Largest size of a request's body in bytes.
    pub body: usize,
    /// Time limit of an answer.
    pub timeout: Duration,
    /// Time limit for answers to finish after the server is told to stop.
    pub grace: Duration,
    /// Largest number of connections.
    pub connections: usize,
    /// Time limit for a client that reads nothing.
    pub reader: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 32,
            queue: 64,
            max_tokens: usize::MAX,
            cache_memory: 1 << 30,
            body: 4 << 20,
            timeout: Duration::from_mins(10),
            grace: Duration::from_secs(10),
            connections: 1024,
            reader: Duration::from_secs(30),
        }
    }
}
