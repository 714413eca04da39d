//! Flags of `chat`.

use std::path::PathBuf;

use clap::Args;

use super::{CacheArgs, LoadArgs, SamplingArgs};

/// `chat`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay chat --model runs/tiny
  fireclay chat --model SmolLM2-135M-Instruct --system \"Answer in one sentence.\"
  printf 'Hello\\nHow are you?\\n' | fireclay chat --model runs/tiny --quiet

A line is a message; in a terminal, lines pasted together are one. /help, while it runs, lists the commands: /new, /system TEXT, /undo, /quit.
Ctrl-C stops an answer; at the prompt it leaves.
Only replies go to standard output. The model's own chat template is used; a model that was only pretrained has not learnt to answer.
When the conversation fills the context, its oldest exchanges are dropped, never the system message.
A reply ends at the model's end token, or at the end of a sentence when --max-tokens or the end of the context is near.
How tokens are chosen is said by the flags, else by the model's generation_config.json (do_sample, temperature, top_p, top_k,
repetition_penalty). A run may suggest what to ask: at most eight lines of suggestions.txt in its folder.
The same seed and the same lines give the same replies.")]
pub struct ChatArgs {
    /// A run, stage, checkpoint or Hugging Face model directory
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// What the model is told before the conversation
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub system: Option<String>,
    /// Most tokens in a reply
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub max_tokens: usize,
    /// How to choose.
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Where, and in which form.
    #[command(flatten)]
    pub load: LoadArgs,
    /// KV cache memory.
    #[command(flatten)]
    pub cache: CacheArgs,
}
