//! Flags of `watch`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::port;

/// `watch`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay watch runs/tiny                           http://127.0.0.1:8081
  fireclay serve --model runs/tiny --watch runs/next  beside a chat

The page is the run's report, read again while it is open: curves, samples, battery. The folder may be there before \
its first step. `fireclay report` writes the same as a file.")]
pub struct WatchArgs {
    /// The run directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Address to listen on; any but a loopback address needs --api-key-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8081, value_parser = port)]
    pub port: u16,
    /// File with one API key per line (16 characters or more), optionally followed by the name of its account
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Listen on a non-loopback address without API keys
    #[arg(long, conflicts_with = "api_key_file")]
    pub no_auth: bool,
}
