//! Flags of `eval`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::{CacheArgs, LoadArgs};
use crate::eval::named_tasks;

/// The examples, and the tasks with names.
fn after_help() -> String {
    format!(
        "\
Examples:
  fireclay eval --model runs/tiny --task battery world arithmetic
  fireclay eval --model gpt2 --task copa.jsonl arc_easy.jsonl --limit 200
  fireclay eval --model runs/tiny/reward --task preferences
  fireclay eval --model runs/a/dpo --reference runs/a/sft --task preferences
  fireclay eval --model runs/a --reference runs/b --reward runs/a --task wins
  fireclay eval --model runs/book --task text held-out.txt --json

Tasks by name: {}.
Files are known by their keys: `query` and `choices`, `context_options`, or `context` and `continuation`; `chosen` \
and `rejected`; `question` and `answer`, or `prompt` with `answer`, `regex` or `json`; anything else that holds text \
is scored as text.
Intervals are Wilson's, of 95 %. Of a run directory, the results are kept in RUN/eval.json, which `fireclay report` \
shows.",
        named_tasks()
    )
}

/// `eval`
#[derive(Args, Debug)]
#[command(after_help = after_help())]
pub struct EvalArgs {
    /// A run, stage, checkpoint or Hugging Face model directory; a reward model for `preferences`
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Tasks: names and files; may be repeated
    #[arg(long, value_name = "NAME|FILE", num_args = 1.., action = ArgAction::Append, required = true)]
    pub task: Vec<String>,
    /// The model to compare with: its starting model, or any other with the same tokenizer
    #[arg(long, value_name = "DIR")]
    pub reference: Option<PathBuf>,
    /// The reward model that judges `wins`; a run stands for its stage `reward`
    #[arg(long, value_name = "DIR")]
    pub reward: Option<PathBuf>,
    /// Most questions, pairs, prompts or documents of each task
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Sequences computed at once: more takes more memory and less time
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub batch: usize,
    /// Most tokens in an answer
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub max_tokens: usize,
    /// Sampling temperature of answers: 0 always takes the most probable token
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    pub temperature: f32,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Device and weight format.
    #[command(flatten)]
    pub load: LoadArgs,
    /// KV cache memory.
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Print one JSON object: {"model", "tasks": [{"task", "kind", "n", "metrics", "intervals", "baseline", …}]}
    #[arg(long)]
    pub json: bool,
}
