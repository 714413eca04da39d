//! Flags of `data`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

/// `data`
#[derive(Args, Debug)]
pub struct DataArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// What can be done with data.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show a batch as training sees it: which tokens carry loss, where examples meet, what is padding
    #[command(after_help = "\
Examples:
  fireclay data show --model runs/tiny                       the first batch of the run's stage `sft`
  fireclay data show --tokenizer gpt2-chat/ --data chats.jsonl --context 512
  fireclay data show --model runs/tiny --kind preferences --batch 3
  fireclay data show --model runs/tiny --kind text --json

On a terminal, tokens that carry loss are green; elsewhere, and with NO_COLOR, they stand between ⟦ and ⟧. Line breaks are shown as ⏎.")]
    Show(DataShowArgs),
}

/// `data show`
#[derive(Args, Debug)]
pub struct DataShowArgs {
    /// A run, stage, checkpoint or Hugging Face model directory, for its tokenizer; a run's recipe says what else is not given
    #[arg(long, value_name = "DIR", required_unless_present = "tokenizer", conflicts_with = "tokenizer")]
    pub model: Option<PathBuf>,
    /// A tokenizer's folder or file
    #[arg(long, value_name = "DIR")]
    pub tokenizer: Option<PathBuf>,
    /// Files or folders; may be repeated [default: the run's, or the embedded corpus]
    #[arg(long, value_name = "PATH", num_args = 1.., action = ArgAction::Append)]
    pub data: Vec<String>,
    /// What the data are
    #[arg(long, value_enum, default_value_t = DataKind::Conversations)]
    pub kind: DataKind,
    /// Tokens in a row [default: the run's, or 256]
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Rows, or pairs, in a batch [default: the run's, or 4]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// How many batches to show
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: usize,
    /// Print one JSON object: {"kind", "rows": [{"title", "parts": [{"title", "spans"}], "padding"}], "tokens", "loss_share", "padding_share"}
    #[arg(long)]
    pub json: bool,
}

/// What data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DataKind {
    /// For fine-tuning.
    Conversations,
    /// For reward models and DPO.
    Preferences,
    /// For pretraining.
    Text,
}
