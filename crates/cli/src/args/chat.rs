//! Flags of `chat`.

use std::path::PathBuf;

use clap::Args;
use fireclay_serve::store::LOCAL;

use super::{CacheArgs, LoadArgs, SamplingArgs};

/// The default database of conversations.
pub const DATABASE: &str = "fireclay.sqlite";

/// `chat`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay chat --model runs/tiny
  fireclay chat --model SmolLM2-135M-Instruct --system \"Answer in one sentence.\"
  printf 'Hello\\nHow are you?\\n' | fireclay chat --model runs/tiny --quiet
  printf 'And?\\n' | fireclay chat --model runs/tiny --conversation conv_5b…

A line is a message; in a terminal, lines pasted together are one. A line that begins with / is a command, also in a \
pipe and with --json: /help lists them, and // sends text that begins with a slash.
Ctrl-C stops an answer.
A terminal's conversations are kept in the database of `fireclay serve`, so that the web page shows them and either \
goes on with them; those of a pipe are kept where --db or --conversation asks for it. A pipe with lines that could \
not be answered ends with code 2, after the others.
Only replies go to standard output. The model's own chat template is used; a model that was only pretrained is not \
trained to answer.
When the conversation fills the context, its oldest exchanges are dropped, never the system message.
A reply ends at the model's end token, or at the end of a sentence when --max-tokens or the end of the context is \
near.
Sampling settings come from the flags, else from the model's generation_config.json (do_sample, temperature, \
top_p, top_k, repetition_penalty). A run may suggest what to ask: at most eight lines of suggestions.txt in its \
folder.
The same seed and the same lines give the same replies.")]
pub struct ChatArgs {
    /// A run, stage, checkpoint or Hugging Face model directory
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// System message of the conversation
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub system: Option<String>,
    /// Database of conversations, as for `serve` [default: fireclay.sqlite in a terminal or with --conversation, none
    /// in a pipe]
    #[arg(long, value_name = "PATH|URL")]
    pub db: Option<String>,
    /// Continue the stored conversation with this id or prefix of an id
    #[arg(long, value_name = "ID", conflicts_with = "system")]
    pub conversation: Option<String>,
    /// Account of the stored conversations: the name of an API key of the server, or `local`, as without keys
    #[arg(long, value_name = "NAME", default_value = LOCAL)]
    pub account: String,
    /// Print a JSON object for each reply: its text, why it ended, what it cost, the ids of conversation and message;
    /// and for each line that failed
    #[arg(long)]
    pub json: bool,
    /// Most tokens in a reply
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub max_tokens: usize,
    /// Sampling settings.
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Device and weight format.
    #[command(flatten)]
    pub load: LoadArgs,
    /// KV cache memory.
    #[command(flatten)]
    pub cache: CacheArgs,
}
