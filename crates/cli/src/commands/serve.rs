//! `fireclay serve`: models over HTTP.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use fireclay_serve::{Config, Keys, Limits, Server, Watched};
use fireclay_text::TextModel;
#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::args::ServeArgs;
use crate::chat::suggestions;
use crate::database;
use crate::error::{one_line, user};
use crate::model;
use crate::near_path::nothing_there;

/// Threads that answer requests, beside those that compute.
const HANDLERS: usize = 2;
/// Threads that render templates and encode texts.
const ENCODERS: usize = 8;

/// Longest time limit, in seconds.
const YEAR: u64 = 365 * 24 * 60 * 60;
/// Time at the end for work that cannot be interrupted, such as encoding a long text.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Serves until Ctrl-C or SIGTERM, then lets answers finish for a while.
///
/// # Errors
/// When a flag or a model is wrong, the database cannot be opened, or the port is taken.
pub fn run(args: &ServeArgs) -> Result<()> {
    let mut config = config(args)?;
    let runtime = runtime()?;
    let models = args.model.iter().map(|named| load(named, args)).collect::<Result<Vec<_>>>()?;
    config.suggestions = models.iter().map(|(name, model)| (name.clone(), suggestions(&model.dir))).collect();
    let names: Vec<String> = models.iter().map(|(name, _)| name.clone()).collect();
    let served = runtime.block_on(async {
        let keyless = config.keys.is_empty();
        let database = config.database.clone();
        let server = Server::bind(config, models).await?;
        let address = server.address();
        if keyless && !address.ip().is_loopback() {
            tracing::warn!("--no-auth: everybody who reaches {address} can use this server and read its conversations");
        }
        let names = names.join(", ");
        tracing::info!("conversations are kept in {}", database::shown(&database));
        let place = if address.ip().is_unspecified() {
            format!("http://localhost:{0} (elsewhere http://NAME:{0} with this machine's name)", address.port())
        } else {
            format!("http://{address}")
        };
        tracing::info!("{place} serves {names}: open it in a browser; API at /v1; Ctrl-C ends it");
        server.run(stopped()?).await;
        Ok(())
    });
    runtime.shutdown_timeout(LAST_WORK);
    served
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
    let times = [("--timeout", args.timeout), ("--grace", args.grace)];
    if let Some((flag, seconds)) = times.into_iter().find(|&(_, seconds)| seconds > YEAR) {
        return Err(user(format!("{flag} {seconds}: give {YEAR} seconds at most, a year")));
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
        suggestions: BTreeMap::new(),
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
    let taken = "give a run directory, as `train --out` has it";
    if !run.exists() {
        return Err(nothing_there(run, taken));
    }
    if !run.is_dir() {
        return Err(user(format!("{}: a file, not a run; {taken}", run.display())));
    }
    let path = run.to_owned();
    let report = move || super::report::body(&path).map_err(|error| one_line(&error));
    Ok(Watched::new(model::name_of(run), fireclay_report::STYLE, report))
}

/// Signals that end the server: SIGHUP too, unless it was started with it ignored, as by `nohup`.
fn signals() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        if ignored & 1 << (SIGHUP - 1) == 0 {
            signals.push(SIGHUP);
        }
    }
    signals
}

/// Resolves at the first Ctrl-C, SIGTERM or SIGHUP (the terminal was closed); the next one ends the process at once.
///
/// # Errors
/// When signals cannot be waited for.
pub fn stopped() -> Result<impl Future<Output = ()>> {
    let notify = Arc::new(Notify::new());
    let told = Arc::clone(&notify);
    let mut signals = Signals::new(signals()).context("waiting for signals")?;
    thread::spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                // This does not return.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            tracing::info!("Stopping: running answers may finish. Ctrl-C again ends them.");
            told.notify_one();
        }
    });
    Ok(async move { notify.notified().await })
}
