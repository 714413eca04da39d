//! `fireclay watch`: a page about a run while it trains.

use std::path::Path;

use anyhow::Result;
use fireclay_serve::{Config, Keys, Limits, Server, Watched};

use super::serve::{runtime, stopped};
use crate::args::WatchArgs;
use crate::error::{one_line, user};
use crate::model;

/// Shows the run until Ctrl-C or SIGTERM.
///
/// # Errors
/// When there is no such folder, a flag is wrong, or the port is taken.
pub fn run(args: &WatchArgs) -> Result<()> {
    let config = Config {
        host: args.host,
        port: args.port,
        keys: args.api_key_file.as_deref().map(Keys::read).transpose()?.unwrap_or_default(),
        no_auth: args.no_auth,
        database: ":memory:".into(),
        threads: 1,
        limits: Limits::default(),
        watched: Some(watched(&args.run)?.into()),
    };
    runtime()?.block_on(async {
        let server = Server::bind(config, vec![]).await?;
        tracing::info!("http://{}/watch shows {}; Ctrl-C ends it", server.address(), args.run.display());
        server.run(stopped()?).await;
        Ok(())
    })
}

/// The run in this folder, whose report is read anew when it is asked for.
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
