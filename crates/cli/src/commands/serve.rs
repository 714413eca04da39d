//! `fireclay serve`: models over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use fireclay_serve::{Config, Keys, Limits, Server, Watched};
use fireclay_text::TextModel;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::args::ServeArgs;
use crate::error::{one_line, user};
use crate::model;

/// Threads that answer requests, beside those that compute.
const HANDLERS: usize = 2;
/// Threads that render templates and encode texts.
const ENCODERS: usize = 8;

/// Serves until Ctrl-C or SIGTERM, then lets answers finish for a while.
///
/// # Errors
/// When a flag or a model is wrong, the database cannot be opened, or the port is taken.
pub fn run(args: &ServeArgs) -> Result<()> {
    let config = config(args)?;
    let runtime = runtime()?;
    let models = args.model.iter().map(|named| load(named, args)).collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = models.iter().map(|(name, _)| name.clone()).collect();
    runtime.block_on(async {
        let keyless = config.keys.is_empty();
        let database = config.database.clone();
        let server = Server::bind(config, models).await?;
        let address = server.address();
        if keyless && !address.ip().is_loopback() {
            tracing::warn!("--no-auth: everybody who reaches {address} can use this server and read its conversations");
        }
        tracing::info!("http://{address} serves {}; conversations are kept in {}", names.join(", "), shown(&database));
        server.run(stopped()?).await;
        Ok(())
    })
}

/// Threads that answer requests.
///
/// # Errors
/// When the operating system gives none.
pub fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(HANDLERS)
        .max_blocking_threads(ENCODERS)
        .enable_all()
        .build()
        .context("starting the threads that answer requests")
}

fn config(args: &ServeArgs) -> Result<Config> {
    let positive = [
        ("--streams", args.streams as u64),
        ("--max-body", args.max_body as u64),
        ("--timeout", args.timeout),
        ("--max-tokens", args.max_tokens.unwrap_or(1) as u64),
        ("--threads", args.threads.unwrap_or(1) as u64),
    ];
    if let Some((flag, _)) = positive.into_iter().find(|&(_, number)| number == 0) {
        return Err(user(format!("{flag} 0: give a positive number")));
    }
    let most = [
        ("--streams", args.streams),
        ("--queue", args.queue),
        ("--max-body", args.max_body),
        ("--threads", args.threads.unwrap_or(1)),
    ];
    if let Some((flag, number)) = most.into_iter().find(|&(_, number)| number > 65536) {
        return Err(user(format!("{flag} {number}: give 65536 at most")));
    }
    let keys = args.api_key_file.as_deref().map(Keys::read).transpose()?.unwrap_or_default();
    let limits = Limits {
        streams: args.streams,
        queue: args.queue,
        max_tokens: args.max_tokens.unwrap_or(usize::MAX),
        cache_memory: args.cache.bytes()?,
        body: args.max_body << 20,
        timeout: Duration::from_secs(args.timeout),
        grace: Duration::from_secs(args.grace),
        ..Limits::default()
    };
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    Ok(Config {
        host: args.host,
        port: args.port,
        keys,
        no_auth: args.no_auth,
        database: args.db.clone(),
        threads: args.threads.unwrap_or_else(cores),
        limits,
        watched: args.watch.as_deref().map(watched).transpose()?.map(Arc::new),
    })
}

/// A model and its name in requests: `NAME=DIR`, or the folder's name.
fn load(named: &str, args: &ServeArgs) -> Result<(String, TextModel)> {
    let (name, path) = match named.split_once('=').filter(|_| !Path::new(named).exists()) {
        Some((name, path)) => (name.to_owned(), path),
        None => (model::name_of(Path::new(named)), named),
    };
    if name.is_empty() {
        return Err(user(format!("--model {named}: this folder has no name; give one: --model NAME={path}")));
    }
    Ok((name, model::load(Path::new(path), &args.load)?))
}

/// The run in this folder, whose report is made on demand.
///
/// # Errors
/// When there is no such folder.
pub fn watched(run: &Path) -> Result<Watched> {
    if !run.is_dir() {
        return Err(user(format!("{}: no such folder; give a run directory, as `train --out` has it", run.display())));
    }
    let path = run.to_owned();
    let report = move || super::report::body(&path).map_err(|error| one_line(&error));
    Ok(Watched::new(model::name_of(run), fireclay_report::STYLE, report))
}

/// A database's place without a password.
fn shown(database: &str) -> String {
    match (database.split_once("://"), database.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => database.into(),
    }
}

/// Resolves at the first Ctrl-C or SIGTERM; the next one ends the process at once.
///
/// # Errors
/// When signals cannot be waited for.
pub fn stopped() -> Result<impl Future<Output = ()>> {
    let notify = Arc::new(Notify::new());
    let told = Arc::clone(&notify);
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("waiting for signals")?;
    thread::spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                // This does not return.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            tracing::info!("no new requests; answers may finish, and the same signal again ends them at once");
            told.notify_one();
        }
    });
    Ok(async move { notify.notified().await })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("postgres://ann:secret@db/chat"), "postgres://…@db/chat");
        assert_eq!(shown("fireclay.sqlite"), "fireclay.sqlite");
    }
}
