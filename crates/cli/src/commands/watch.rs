//! `fireclay watch`: a page about a run while it trains.

use std::collections::BTreeMap;

use anyhow::Result;
use fireclay_serve::{Config, Keys, Limits, Server};

use super::serve::{runtime, stopped, watched};
use crate::args::WatchArgs;

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
        suggestions: BTreeMap::new(),
        watched: Some(watched(&args.run)?.into()),
    };
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let server = Server::bind(config, vec![]).await?;
        tracing::info!("http://{}/watch shows {}; Ctrl-C ends it", server.address(), args.run.display());
        server.run(stopped()?).await;
        Ok(())
    });
    // A report that is being made does not hold up the end.
    runtime.shutdown_background();
    served
}
