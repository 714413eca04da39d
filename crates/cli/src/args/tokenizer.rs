//! Flags of `tokenizer`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use crate::tokenizer_kind::TokenizerKind;

/// `tokenizer`
#[derive(Args, Debug)]
pub struct TokenizerArgs {
    /// The sub-command.
    #[command(subcommand)]
    pub command: TokenizerCommand,
}

/// Sub-commands of `tokenizer`.
#[derive(Debug, Subcommand)]
pub enum TokenizerCommand {
    /// Make a tokenizer from text
    #[command(after_help = "\
Examples:
  fireclay tokenizer train --data book.txt --vocab 4096 --out tokenizer
  fireclay tokenizer train --data book.txt --kind char --out tokenizer

The folder opens in transformers' AutoTokenizer as well.")]
    Train(TokenizerTrainArgs),
    /// Text to token ids
    #[command(after_help = "\
Examples:
  fireclay tokenizer encode --tokenizer runs/book --text \"It was\"
  fireclay tokenizer encode --tokenizer gpt2/ --file book.txt --json
  cat book.txt | fireclay tokenizer encode --tokenizer cl100k_base.tiktoken

No token is put before or after the text, and text that looks like a special token is ordinary text.")]
    Encode(TokenizerEncodeArgs),
    /// Token ids to text
    #[command(after_help = "\
Examples:
  fireclay tokenizer decode --tokenizer runs/book --ids \"12 7 301\"
  fireclay tokenizer encode --tokenizer gpt2/ --text hello \\
    | fireclay tokenizer decode --tokenizer gpt2/")]
    Decode(TokenizerDecodeArgs),
}

/// `tokenizer train`
#[derive(Args, Debug)]
pub struct TokenizerTrainArgs {
    /// Text to learn from: files, folders or hf://datasets/…; may be repeated
    #[arg(long, value_name = "PATH", num_args = 1.., action = ArgAction::Append, required = true)]
    pub data: Vec<String>,
    /// bpe: byte-level BPE; words: one token per frequent word, other words in letters; char: one token per character
    #[arg(long, value_enum, default_value_t = TokenizerKind::Bpe)]
    pub kind: TokenizerKind,
    /// Tokens in the vocabulary of `bpe` or `words`, specials and bytes included [default: 4096]
    #[arg(long, value_name = "N")]
    pub vocab: Option<usize>,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `tokenizer encode`
#[derive(Args, Debug)]
pub struct TokenizerEncodeArgs {
    /// A tokenizer's folder or file, a model or a run directory
    #[arg(long, value_name = "PATH")]
    pub tokenizer: PathBuf,
    /// The text
    #[arg(long, allow_hyphen_values = true, conflicts_with = "file")]
    pub text: Option<String>,
    /// A UTF-8 file with the text [default: standard input]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Encode special tokens such as <|endoftext|> in the text as such
    #[arg(long)]
    pub specials: bool,
    /// Print one JSON object: {"ids", "tokens"}
    #[arg(long)]
    pub json: bool,
}

/// `tokenizer decode`
#[derive(Args, Debug)]
pub struct TokenizerDecodeArgs {
    /// A tokenizer's folder or file, a model or a run directory
    #[arg(long, value_name = "PATH")]
    pub tokenizer: PathBuf,
    /// Token ids, separated by spaces or commas [default: standard input]
    #[arg(long, value_name = "IDS", allow_hyphen_values = true)]
    pub ids: Option<String>,
    /// Omit special tokens from the text
    #[arg(long)]
    pub skip_specials: bool,
}
