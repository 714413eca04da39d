//! Flags of `serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, DATABASE, LoadArgs, port};

/// `serve`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay serve --model runs/tiny            http://127.0.0.1:8080
  fireclay serve --model runs/tiny --model small=SmolLM2-135M-Instruct
  fireclay serve --model runs/tiny --host 0.0.0.0 --api-key-file keys.txt
  curl http://127.0.0.1:8080/v1/chat/completions \\
    -H 'Content-Type: application/json' \\
    -d '{\"model\": \"tiny\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}'

The API is OpenAI's: chat completions, completions with echo and log-probabilities, responses, conversations; \
/openapi.json lists its routes.
A page to talk to the models is at /. Without an API key file the server answers this machine only. After Ctrl-C \
running answers have --grace seconds to finish.
Sampling settings come from the request, else from the model's generation_config.json. docs/serve.md says more.")]
pub struct ServeArgs {
    /// A run, stage, checkpoint or Hugging Face model directory, and its name in requests [default name: the folder's];
    /// may be repeated
    #[arg(long, value_name = "[NAME=]DIR", num_args = 1.., required = true)]
    pub model: Vec<String>,
    /// Address to listen on; any but a loopback address needs --api-key-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080, value_parser = port)]
    pub port: u16,
    /// Database of conversations: an SQLite file, :memory:, or a postgres:// URL (in builds with the feature postgres)
    #[arg(long, value_name = "PATH|URL", default_value = DATABASE)]
    pub db: String,
    /// File with one API key per line (16 characters or more), optionally followed by the name of its account
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Listen on a non-loopback address without API keys
    #[arg(long, conflicts_with = "api_key_file")]
    pub no_auth: bool,
    /// Show this run while it trains, at /watch: the page of `fireclay watch`
    #[arg(long, value_name = "RUN")]
    pub watch: Option<PathBuf>,
    /// Compute threads per model, whatever RAYON_NUM_THREADS says [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Requests that a model computes at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub streams: usize,
    /// Requests that may wait for a model; further ones are refused with 429
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub queue: usize,
    /// Maximum number of tokens in an answer [default: what the context holds]
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,
    /// Maximum size of a request body, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4)]
    pub max_body: usize,
    /// Time limit for one answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
    /// Time that running answers get after a shutdown signal, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub grace: u64,
    /// Device and weight format.
    #[command(flatten)]
    pub load: LoadArgs,
    /// KV cache memory of each model.
    #[command(flatten)]
    pub cache: CacheArgs,
}
