//! The server: [`Server`].

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use fireclay_text::TextModel;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::App;
use crate::metrics::Metrics;
use crate::model::Served;
use crate::store::Store;
use crate::ui::RunningReplies;
use crate::{Config, ServeError, listener, routes};

/// Time limit for clients to read the last event of a stream.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A server that listens.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
    closing: watch::Sender<bool>,
    ending: watch::Sender<bool>,
}

impl Server {
    /// Opens the database, starts an engine for each model, and listens. `models` are the models with their names in
    /// requests.
    ///
    /// # Errors
    /// When there is neither a model nor a run to watch, two models have one name, the address is not a loopback
    /// address and there are no keys, the database cannot be opened, an engine cannot be started, or the port is taken.
    pub async fn bind(config: Config, models: Vec<(String, TextModel)>) -> Result<Self, ServeError> {
        let Config { host, port, keys, no_auth, database, threads, limits, suggestions, watched } = config;
        if !host.is_loopback() && keys.is_empty() && !no_auth {
            return Err(ServeError::Setting(format!(
                "--host {host}: other machines could use this server without a key; give --api-key-file, or --no-auth \
                 if that is meant"
            )));
        }
        if models.is_empty() && watched.is_none() {
            return Err(ServeError::Setting("there is no model to serve; give --model".into()));
        }
        if let Some((name, _)) =
            models.iter().enumerate().find_map(|(i, model)| models[..i].iter().find(|other| other.0 == model.0))
        {
            return Err(ServeError::Setting(format!("two models are called {name:?}; name them: --model NAME=DIR")));
        }
        let listener = TcpListener::bind((host, port)).await;
        let listen = |source| ServeError::Listen { address: SocketAddr::new(host, port).to_string(), source };
        let listener = listener.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let store = Store::open(&database).await?;
        let mut served = vec![];
        for (name, model) in models {
            served.push(Arc::new(Served::start(name, model, &limits, threads)?));
        }
        let (closing, is_closing) = watch::channel(false);
        let (ending, is_ending) = watch::channel(false);
        let hosts = if keys.is_empty() && host.is_loopback() { own_names(host) } else { vec![] };
        let app = App {
            models: served,
            keys,
            limits,
            suggestions,
            metrics: Arc::new(Metrics::new()),
            store,
            running: RunningReplies::default(),
            watched,
            hosts,
            closing: is_closing,
            ending: is_ending,
        };
        Ok(Self { app: Arc::new(app), listener, address, closing, ending })
    }

    /// Address of the listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its routes, for requests without a connection.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.app))
    }

    #[cfg(test)]
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The conversations.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.app.store
    }

    /// Pages of keys and values that requests to the first model hold now.
    #[must_use]
    pub fn used_pages(&self) -> usize {
        self.app.models[0].worker.figures.used.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Answers requests until `stop` resolves. From then on no request is accepted; those in progress may continue for
    /// [`Limits::grace`](crate::Limits::grace), and are then ended with an error.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let router = self.router();
        let Self { app, listener, closing, ending, .. } = self;
        let grace = app.limits.grace;
        let (closed, mut is_closed) = watch::channel(false);
        let stopped_at = Arc::new(OnceLock::new());
        let time = Arc::clone(&stopped_at);
        let stopped = async move {
            stop.await;
            time.get_or_init(Instant::now);
            closing.send_replace(true);
            closed.send_replace(true);
        };
        let end = ending.clone();
        let ended = async move {
            // An error would mean that it was dropped, which it is only after it was closed.
            let _ = is_closed.wait_for(|closed| *closed).await;
            tokio::time::sleep(grace).await;
            tracing::info!("answers that are not finished after {} s are ended", grace.as_secs());
            ending.send_replace(true);
            tokio::time::sleep(LAST_WORDS).await;
        };
        listener::serve(listener, router, &app.limits, stopped, ended).await;
        // Replies for the page go on without a connection.
        let until = *stopped_at.get_or_init(Instant::now) + grace;
        if tokio::time::timeout_at(until, app.running.finished()).await.is_err() {
            end.send_replace(true);
            let _ = tokio::time::timeout(LAST_WORDS, app.running.finished()).await;
        }
        app.store.close().await;
    }
}

/// Host names under which a server on a loopback address accepts requests.
fn own_names(host: IpAddr) -> Vec<String> {
    let shown = if host.is_ipv6() { format!("[{host}]") } else { host.to_string() };
    let mut names = vec!["localhost".into(), "127.0.0.1".into(), "[::1]".into(), shown];
    names.dedup();
    names
}
