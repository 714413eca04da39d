//! The command line as typed. [`commands`](crate::commands) resolves and validates it.
#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    rustdoc::invalid_html_tags,
    reason = "the comments are help texts for a terminal"
)]
#![expect(clippy::struct_excessive_bools, reason = "flags are flags")]

mod bench;
mod chat;
mod constraint;
mod data;
mod eval;
mod export;
mod merge;
mod sampling;
mod serve;
mod tokenizer;
mod watch;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;
use fireclay_model::device::DeviceChoice;
use fireclay_model::{Precision, WeightStorage};

use crate::recipe::embedded;

pub use bench::{BenchArgs, BenchCommand, BenchGenerateArgs, BenchOpsArgs, BenchPreset, BenchTrainArgs, ShapeArgs};
pub use chat::{ChatArgs, DATABASE};
pub use constraint::ConstraintArgs;
pub use data::{DataArgs, DataCommand, DataKind, DataShowArgs, ExportPreferencesArgs};
pub use eval::EvalArgs;
pub use export::{ExportArgs, GGUF_TYPES};
pub use merge::MergeArgs;
pub use sampling::SamplingArgs;
pub use serve::ServeArgs;
pub use tokenizer::{TokenizerArgs, TokenizerCommand, TokenizerDecodeArgs, TokenizerEncodeArgs, TokenizerTrainArgs};
pub use watch::WatchArgs;

const EXAMPLES: &str = "\
Examples:
  fireclay train                                   the embedded corpus
  fireclay train --data book.txt --out runs/book   your own text
  fireclay plan --data book.txt --depth 6          what that would take
  fireclay generate --model runs/book --prompt \"It was\"
  fireclay chat --model SmolLM2-135M-Instruct      a conversation
  fireclay serve --model runs/tiny                 the same over HTTP
  fireclay eval --model runs/tiny --task world     what it knows, as numbers

Environment: RAYON_NUM_THREADS, the number of threads on the CPU; FIRECLAY_ISA, an instruction set for the CPU kernels \
that is lower than the CPU's best (portable, avx2, avx512, avx512-bf16, amx).

`fireclay COMMAND --help` explains a command. Exit codes: 0 done, 2 the input was wrong, 130 interrupted, 1 anything \
else.";

/// Train your own GPT from raw text, and let it write.
#[derive(Debug, Parser)]
#[command(name = "fireclay", version, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Verbosity of messages.
    #[command(flatten)]
    pub talk: TalkArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Verbosity of messages on standard error. Results go to standard output.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct TalkArgs {
    /// Print only errors
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 900)]
    pub quiet: bool,
    /// Print more messages
    #[arg(short, long, global = true, display_order = 901)]
    pub verbose: bool,
}

/// Write RUN/report.html: curves, samples, recipe and machine on one self-contained page.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// The run directory, as in runs/tiny; training may still be going on.
    pub run: PathBuf,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the stages of a recipe: from raw text to an aligned assistant
    #[command(after_help = TRAIN_EXAMPLES)]
    Train(TrainArgs),
    /// Print what `train` would do and take, and run nothing
    #[command(after_help = "\
Examples:
  fireclay plan                                   the embedded corpus
  fireclay plan --depth 12 --data corpus/ --json  as JSON

Takes every flag of `train`.")]
    Plan(PlanArgs),
    /// Train a tokenizer, or turn text into token ids and back
    Tokenizer(TokenizerArgs),
    /// Show data as training sees it, or export ratings as training data
    Data(DataArgs),
    /// Let a model continue a text
    Generate(GenerateArgs),
    /// Talk to a chat model
    Chat(ChatArgs),
    /// Serve models over HTTP, with OpenAI's API and a page to talk to them
    Serve(ServeArgs),
    /// Measure how probable a text is to a model
    Score(ScoreArgs),
    /// Measure what a model can do: benchmarks, held-out questions, preferences, text
    Eval(EvalArgs),
    /// Show a run in the browser while it trains
    Watch(WatchArgs),
    /// Write one self-contained HTML page about a run
    #[command(after_help = "\
Example:
  fireclay report runs/tiny      writes runs/tiny/report.html")]
    Report(ReportArgs),
    /// Write a model as one GGUF file, which llama.cpp opens
    Export(ExportArgs),
    /// Write adapters and the model under them as one plain model directory
    Merge(MergeArgs),
    /// Measure speed and memory
    Bench(BenchArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

const TRAIN_EXAMPLES: &str = "\
Examples:
  fireclay train                               the recipe `tiny`
  fireclay train --data corpus/ more.jsonl.gz  folders and files
  fireclay train --recipe shakespeare-char --data tinyshakespeare.txt
  fireclay train --depth 6                     one dial for all sizes
  fireclay train --set pretrain.batch=16       any key of the recipe

The same command again resumes where the last one was cut off; Ctrl-C saves first.
Stages that are done are skipped.";

fn recipe_help() -> String {
    let embedded = embedded().collect::<Vec<_>>().join(", ");
    format!("An embedded recipe ({embedded}) or a TOML file [default: tiny, or text with --data]")
}

/// Arguments of `train`, shared by `plan`
#[derive(Args, Clone, Debug, Default)]
pub struct TrainArgs {
    #[arg(long, value_name = "NAME|FILE", help = recipe_help())]
    pub recipe: Option<String>,
    /// Text to learn from: files, folders or hf://datasets/…; may be repeated
    #[arg(long, value_name = "PATH", num_args = 1.., action = ArgAction::Append)]
    pub data: Vec<String>,
    /// The run directory [default: runs/ and the recipe's name]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only these stages of the recipe, in this order
    #[arg(long, value_name = "a,b,c", value_delimiter = ',')]
    pub stages: Vec<String>,
    /// Steps of every stage that trains, instead of the recipe's
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Layers; width, heads, batch, learning rate and tokens are derived from it
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Begin with the weights of this model: pretraining instead of fresh ones, any other stage
    /// when no stage before it left one
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// cpu, gpu, or a backend with the number of a card such as vulkan:0 [default: a GPU if this
    /// build and machine have one, else cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Number format of the matrix products [default: the recipe's, else in pretrain and sft the
    /// faster on this CPU, and f32]
    #[arg(long, value_name = "f32|bf16", value_parser = one_of(&Precision::NAMED))]
    pub precision: Option<Precision>,
    /// Seed of weights, data order and samples
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Any key of the recipe, for example pretrain.learning_rate=1e-3; may be repeated, and counts
    /// more than a flag
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Start again from the beginning; an existing run is moved aside
    #[arg(long)]
    pub fresh: bool,
    /// Train although the plan does not fit in memory
    #[arg(long)]
    pub allow_memory: bool,
    /// Train although the plan takes more than a day
    #[arg(long)]
    pub allow_long: bool,
}

/// `plan`
#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    /// The `train` command to plan.
    #[command(flatten)]
    pub train: TrainArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `generate`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay generate --model runs/tiny --prompt \"Once upon a time\"
  fireclay generate --model gpt2 --prompt \"Clay is\" --temperature 0
  fireclay generate --model runs/tiny --ids \"12 7 301\" --json
  fireclay generate --model gpt2 --prompt \"As JSON:\" --json-schema person.json

--model takes a run directory (its finished stage with the best battery score), a stage, a checkpoint, or any \
Hugging Face model directory.
The prompt is continued as raw text: chat models see no chat template here.
The text ends at the model's end-of-text token, after --max-tokens, or when the model's context is full.
Sampling settings come from the flags, else from the model's generation_config.json (do_sample, temperature, top_p, \
top_k, repetition_penalty). After --prompt, only tokens are drawn that leave the text valid UTF-8; after --ids, any.")]
pub struct GenerateArgs {
    /// A run, stage, checkpoint or Hugging Face model directory
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The text to continue; empty begins a new document
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        required_unless_present = "ids",
        conflicts_with = "ids"
    )]
    pub prompt: Option<String>,
    /// The prompt as token ids, separated by spaces or commas
    #[arg(long, value_name = "IDS", allow_hyphen_values = true)]
    pub ids: Option<String>,
    /// Most tokens to generate
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub max_tokens: usize,
    /// Sampling settings.
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Constraint.
    #[command(flatten)]
    pub constraint: ConstraintArgs,
    /// Continue after the end-of-text token
    #[arg(long)]
    pub ignore_stop: bool,
    /// When the context is full, continue from its newest half
    #[arg(long)]
    pub slide: bool,
    /// Print the prompt before the text
    #[arg(long, conflicts_with = "json")]
    pub echo: bool,
    /// Device and weight format.
    #[command(flatten)]
    pub load: LoadArgs,
    /// KV cache memory.
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Print one JSON object at the end: {"text", "ids", "logprobs", "finish_reason", "tokens_per_s"}
    #[arg(long)]
    pub json: bool,
}

/// `score`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay score --model runs/tiny --text held-out.txt
  fireclay score --model SmolLM2-135M --ids \"12 7 301\" --json

The first token is never scored, for nothing stands before it. A text longer than the model's context is scored in \
windows that move on by half a context, so that every later token is predicted from at least half a context.")]
pub struct ScoreArgs {
    /// A run, stage, checkpoint or Hugging Face model directory
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// A UTF-8 file with the text
    #[arg(long, value_name = "FILE", required_unless_present = "ids", conflicts_with = "ids")]
    pub text: Option<PathBuf>,
    /// Token ids instead of text, separated by spaces or commas
    #[arg(long, value_name = "IDS", allow_hyphen_values = true)]
    pub ids: Option<String>,
    /// Device and weight format.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Print one JSON object: {"tokens", "logprobs", "loss", "bits_per_byte"}
    #[arg(long)]
    pub json: bool,
}

/// Device and weight format of a model.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// cpu, gpu, or a backend with the number of a card such as vulkan:0 [default: a GPU if this
    /// build and machine have one, else cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Weight format: bf16 halves the time of a token and the memory of all matrices but the
    /// embedding, int8 and int4 nearly halve them again, each a little less exact
    #[arg(long, value_name = "f32|bf16|int8|int4", default_value = "f32", value_parser = one_of(&WeightStorage::NAMED))]
    pub weights: WeightStorage,
}

impl LoadArgs {
    /// The same flags with weights in f32.
    pub fn exact(&self) -> Self {
        Self { weights: WeightStorage::F32, ..self.clone() }
    }
}

/// Memory of generation.
#[derive(Args, Clone, Copy, Debug)]
pub struct CacheArgs {
    /// Memory limit of the KV cache, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub cache_memory: usize,
}

impl CacheArgs {
    /// The memory in bytes.
    ///
    /// # Errors
    /// When it is 0, or more than any machine has.
    pub fn bytes(self) -> anyhow::Result<usize> {
        let expected = "give 1 to 1048576 MiB";
        match self.cache_memory {
            mib @ 1..=0x0010_0000 => Ok(mib << 20),
            mib => Err(crate::error::user(format!("--cache-memory {mib}: {expected}"))),
        }
    }
}

/// Parses one of several named values.
pub fn one_of<T: Copy + Send + Sync + 'static>(
    named: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let names = PossibleValuesParser::new(named.iter().map(|(name, _)| *name));
    names.map(|name| named.iter().find(|(known, _)| *known == name).expect("one of the possible values").1)
}

/// Parses a port.
fn port(text: &str) -> Result<u16, &'static str> {
    text.parse().map_err(|_| "give a number from 0 to 65535")
}

/// `completions`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay completions bash \\
    > ~/.local/share/bash-completion/completions/fireclay
  fireclay completions zsh > ~/.zfunc/_fireclay
  fireclay completions fish > ~/.config/fish/completions/fireclay.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    /// The help after the flags of a command and of those below it.
    fn after_help(command: &clap::Command, check: &mut impl FnMut(&str, &str)) {
        if let Some(text) = command.get_after_help() {
            check(command.get_name(), &text.to_string());
        }
        command.get_subcommands().for_each(|below| after_help(below, check));
    }

    #[test]
    fn help_has_short_examples_and_leaves_paragraphs_to_the_terminal() {
        after_help(&Cli::command(), &mut |name, text| {
            let lines: Vec<&str> = text.lines().collect();
            for line in lines.iter().filter(|line| line.starts_with(' ')) {
                assert!(line.chars().count() <= 80, "{name}: longer than 80 columns: {line}");
            }
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
            for pair in lines.windows(2).filter(|pair| pair.iter().all(|line| is_prose(line))) {
                assert!(pair[0].ends_with(['.', ':']), "{name}: a paragraph broken by hand: {}", pair[0]);
            }
        });
    }

    #[test]
    fn data_may_be_repeated_or_listed() {
        let parsed =
            Cli::try_parse_from(["fireclay", "train", "--data", "a", "b", "--out", "x", "--data", "c"]).unwrap();
        let Command::Train(args) = parsed.command else { panic!("not train") };
        assert_eq!(args.data, ["a", "b", "c"]);
        assert_eq!(args.out, Some("x".into()));
    }

    #[test]
    fn every_train_command_can_be_planned() {
        let flags =
            ["--recipe=r", "--stages=tokenizer,pretrain", "--steps=3", "--depth=4", "--model=m", "--device=cpu"];
        let more = ["--precision=bf16", "--seed=1", "--set=a.b=1", "--fresh", "--allow-memory", "--allow-long"];
        for command in ["train", "plan"] {
            Cli::try_parse_from(["fireclay", command].iter().chain(&flags).chain(&more)).unwrap();
        }
    }
}
