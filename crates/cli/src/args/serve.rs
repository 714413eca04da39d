//! Flags of `serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, LoadArgs};

/// `serve`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay serve --model runs/tiny                          http://127.0.0.1:8080, for this machine alone
  fireclay serve --model runs/tiny --model small=SmolLM2-135M-Instruct
  fireclay serve --model runs/tiny --host 0.0.0.0 --api-key-file keys.txt --db postgres://…
  curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{\"model\": \"tiny\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'

The API is OpenAI's: chat completions, completions with echo and log-probabilities, responses, conversations; /openapi.json lists its routes.
A page to talk to the models is at /. Without an API key file, only this machine is answered. Ctrl-C lets answers finish for --grace seconds.
How tokens are chosen is said by a request, else by the model's generation_config.json. docs/serve.md says more.")]
pub struct ServeArgs {
    /// A run, stage, checkpoint or Hugging Face model directory, and its name in requests [default name: the folder's]; may be repeated
    #[arg(long, value_name = "[NAME=]DIR", num_args = 1.., required = true)]
    pub model: Vec<String>,
    /// The address to listen on; another than this machine's own needs --api-key-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// The port; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// Where conversations are kept: a file of SQLite, :memory:, or a postgres:// URL (in builds with the feature postgres)
    #[arg(long, value_name = "PATH|URL", default_value = "fireclay.sqlite")]
    pub db: String,
    /// A file with one API key a line, each of 16 characters or more, behind it, if wished, the name of its account
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Answer other machines without API keys
    #[arg(long, conflicts_with = "api_key_file")]
    pub no_auth: bool,
    /// Threads that each model computes on [default: as many as the machine has cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Answers of a model that are computed at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub streams: usize,
    /// Answers of a model that wait for their turn; what comes besides is refused with 429
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub queue: usize,
    /// Most tokens of an answer [default: as many as the context holds]
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,
    /// Most MiB of a request's body
    #[arg(long, value_name = "MIB", default_value_t = 4)]
    pub max_body: usize,
    /// Most seconds that an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
    /// Seconds that answers may go on once the server is told to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub grace: u64,
    /// Where, and in which form.
    #[command(flatten)]
    pub load: LoadArgs,
    /// With how much memory for each model.
    #[command(flatten)]
    pub cache: CacheArgs,
}
