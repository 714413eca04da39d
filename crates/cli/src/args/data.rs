//! Flags of `data`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

/// `data`
#[derive(Args, Debug)]
pub struct DataArgs {
    /// The sub-command.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// Sub-commands of `data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show a batch as training sees it: which tokens carry loss, where examples meet, what is padding
    #[command(after_help = "\
Examples:
  fireclay data show --model runs/tiny                 the first batch of `sft`
  fireclay data show --tokenizer gpt2-chat/ --data chats.jsonl --context 512
  fireclay data show --model runs/tiny --kind preferences --batch 3
  fireclay data show --model runs/tiny --kind text --json
  fireclay data show --model runs/tiny --stage grpo    that of any stage

On a terminal, tokens that carry loss are green; elsewhere, and with NO_COLOR, they stand between ⟦ and ⟧. Line \
breaks are shown as ⏎.")]
    Show(DataShowArgs),
    /// Write preference and rating files from ratings, better answers and branches in stored conversations
    #[command(after_help = "\
Examples:
  fireclay data export-preferences --db chats.db --out rated/
  fireclay train --stages dpo --model runs/tiny --out runs/better \\
    --set 'dpo.data=[\"rated/preferences.jsonl\"]'
  fireclay train --stages kto --model runs/tiny --out runs/better \\
    --set 'kto.data=[\"rated/ratings.jsonl\"]'

Fewer than a hundred pairs need other settings, as docs/conversations.md has them.
A better answer is chosen over its reply, thumbs up over thumbs down among replies to the same messages, and the \
reply that the conversation went on from over those that were generated again and left.")]
    ExportPreferences(ExportPreferencesArgs),
}

/// `data export-preferences`
#[derive(Args, Debug)]
pub struct ExportPreferencesArgs {
    /// The database of conversations: a file, or a postgres:// URL where the build has PostgreSQL
    #[arg(long, value_name = "FILE")]
    pub db: String,
    /// The folder for preferences.jsonl and ratings.jsonl
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replace the files of an earlier export
    #[arg(long)]
    pub force: bool,
    /// Print one JSON object: {"conversations", "pairs", "ratings", "left_out", "capped", "repeated"}
    #[arg(long)]
    pub json: bool,
}

/// `data show`
#[derive(Args, Debug)]
pub struct DataShowArgs {
    /// A run, stage, checkpoint or Hugging Face model directory, for its tokenizer; a run's recipe says what else is
    /// not given
    #[arg(long, value_name = "DIR", conflicts_with = "tokenizer")]
    pub model: Option<PathBuf>,
    /// A tokenizer's folder or file
    #[arg(long, value_name = "DIR")]
    pub tokenizer: Option<PathBuf>,
    /// Files or folders; may be repeated [default: the run's, or the embedded corpus]
    #[arg(long, value_name = "PATH", num_args = 1.., action = ArgAction::Append)]
    pub data: Vec<String>,
    /// Kind of the data
    #[arg(long, value_enum, default_value_t = DataKind::Conversations)]
    pub kind: DataKind,
    /// The stage of the run whose first batch is shown, in its own order
    #[arg(long, value_name = "STAGE", requires = "model", conflicts_with_all = ["data", "kind", "tokenizer"])]
    pub stage: Option<String>,
    /// Tokens in a row [default: the run's, or 256]
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Rows, or pairs, in a batch [default: the run's, or 4]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Number of batches to show
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: usize,
    /// Print one JSON object: {"kind", "rows": [{"title", "parts": [{"title", "spans"}], "padding"}], "tokens",
    /// "loss_share", "padding_share"}
    #[arg(long)]
    pub json: bool,
}

/// Kinds of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DataKind {
    /// Conversations, for fine-tuning.
    Conversations,
    /// Preference pairs, for reward models and DPO.
    Preferences,
    /// Text, for pretraining.
    Text,
}
