//! Flags of `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fireclay_kernels::Isa;
use fireclay_model::device::DeviceChoice;
use fireclay_model::{Precision, WeightStorage};

use super::one_of;

/// `bench`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay bench train                    training steps, and peak memory
  fireclay bench generate --batch 1       tokens a second of generation
  fireclay bench ops                      each kernel beside burn's

RAYON_NUM_THREADS=1 before a command sets the number of threads. --isa holds our kernels to an instruction set that is \
lower than the CPU's best; burn's own operations choose theirs. Speeds are valid only on an idle machine.
In the source tree, `cargo xtask bench --peer pytorch|llamacpp` measures PyTorch or llama.cpp beside ours.")]
pub struct BenchArgs {
    /// The benchmark to run.
    #[command(subcommand)]
    pub command: BenchCommand,
}

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Training steps: forward, backward, clipping and AdamW
    #[command(after_help = "\
Example:
  fireclay bench train --width 384 --layers 6 --steps 8 --json

The decoder has learned positions, layer norm and ReLU, an untied head and no dropout; the data are fixed ids.")]
    Train(BenchTrainArgs),
    /// Generation: prefill of half a context, then one token a step
    #[command(after_help = "\
Example:
  fireclay bench generate --batch 1 --context 1024 --preset gpt2 --weights int8
  fireclay bench generate --streams 8 --model gpt2 --weights int8 --steps 128

The decoder has fresh weights; --steps is the number of tokens decoded after the prompt of half a context. \
`bandwidth_share` is the rate at which a step reads the weights and the KV cache, divided by the memory bandwidth of \
this machine, which is measured as well. Above 1 the caches hold a part of what is read. The bandwidth of a GPU is not \
measured.")]
    Generate(BenchGenerateArgs),
    /// Each CPU kernel of ours beside the same operation composed of burn's
    #[command(after_help = "\
Examples:
  fireclay bench ops
  fireclay bench ops --width 768 --heads 12 --context 512 --batch 4 --json
  RAYON_NUM_THREADS=1 fireclay bench ops

The two take turns; times are medians over the rounds. The ratio is burn's time by the kernel's, the median over the \
rounds: above 1 the kernel is faster. A row that says no more is a forward pass as when generating; `forward and \
backward` is as in training, with the gradients of all inputs. GFLOP/s count the matrix products that the \
mathematics asks for, those of attention below the diagonal alone.")]
    Ops(BenchOpsArgs),
}

/// The shape of what is measured.
#[derive(Args, Clone, Copy, Debug)]
pub struct ShapeArgs {
    /// Sequences at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,
    /// Tokens in a sequence
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub context: usize,
    /// Width of the decoder; of the kernels' feed-forward layer four times as much
    #[arg(long, value_name = "N", default_value_t = 384)]
    pub width: usize,
    /// Attention heads
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub heads: usize,
    /// Tokens in the vocabulary
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub vocab: usize,
}

/// `bench train`
#[derive(Args, Clone, Debug)]
pub struct BenchTrainArgs {
    /// The shape.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Blocks
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub layers: usize,
    /// Steps, of which `train` leaves out the first three; of `generate` the tokens that are decoded
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub steps: usize,
    /// Number format of the matrix products
    #[arg(long, value_name = "f32|bf16", default_value = "f32", value_parser = one_of(&Precision::NAMED))]
    pub precision: Precision,
    /// Keep of each block only its input for the backward pass, which computes the block once more:
    /// less memory, more time
    #[arg(long)]
    pub checkpointing: bool,
    /// cpu, gpu, or a backend with the number of a card such as vulkan:0 [default: a GPU if this
    /// build and machine have one, else cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Hold the CPU kernels to an instruction set [default: FIRECLAY_ISA, else the best of this CPU]
    #[arg(long, value_name = "portable|avx2|avx512|avx512-bf16|amx", value_parser = one_of(&Isa::NAMED))]
    pub isa: Option<Isa>,
    /// Print one JSON object: what was measured, and {"tokens_per_s", "peak_bytes", "parameters", …}
    #[arg(long)]
    pub json: bool,
}

/// Families whose decoding is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenchPreset {
    Modern,
    Gpt2,
}

impl BenchPreset {
    /// Each with its name.
    pub const NAMED: [(&'static str, Self); 2] = [("modern", Self::Modern), ("gpt2", Self::Gpt2)];
}

/// `bench generate`
#[derive(Args, Clone, Debug)]
#[command(
    mut_arg("batch", |arg| arg.conflicts_with_all(["model", "streams", "turns"])),
    mut_arg("context", |arg| arg.conflicts_with("model")),
    mut_arg("width", |arg| arg.conflicts_with("model")),
    mut_arg("heads", |arg| arg.conflicts_with("model")),
    mut_arg("layers", |arg| arg.conflicts_with("model")),
    mut_arg("vocab", |arg| arg.conflicts_with("model")),
    mut_arg("preset", |arg| arg.conflicts_with("model")),
    mut_arg("checkpointing", |arg| arg.hide(true)),
)]
pub struct BenchGenerateArgs {
    /// Options shared with `bench train`.
    #[command(flatten)]
    pub train: BenchTrainArgs,
    /// Of which family the decoder is
    #[arg(long, value_name = "modern|gpt2", default_value = "modern", value_parser = one_of(&BenchPreset::NAMED))]
    pub preset: BenchPreset,
    /// Format of the stored weights
    #[arg(long, value_name = "f32|bf16|int8|int4", default_value = "f32", value_parser = one_of(&WeightStorage::NAMED))]
    pub weights: WeightStorage,
    /// Measure so many requests with prompts of 20 to 400 tokens, one after the other and at once
    #[arg(long, value_name = "N")]
    pub streams: Option<usize>,
    /// Measure a conversation of 4,000 tokens in so many turns: the time to the first token of each
    #[arg(long, value_name = "N", conflicts_with = "streams")]
    pub turns: Option<usize>,
    /// With --streams or --turns: a run, stage, checkpoint or Hugging Face model directory, instead of a shape
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Draft tokens per step, from the request's own text, verified together; 0: none
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub drafts: usize,
}

/// `bench ops`
#[derive(Args, Clone, Copy, Debug)]
pub struct BenchOpsArgs {
    /// The shape.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Number of measurements of each
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rounds: usize,
    /// Hold the CPU kernels to an instruction set [default: FIRECLAY_ISA, else the best of this CPU]
    #[arg(long, value_name = "portable|avx2|avx512|avx512-bf16|amx", value_parser = one_of(&Isa::NAMED))]
    pub isa: Option<Isa>,
    /// Print one JSON array: [{"operation", "pass", "kernel_ms", "reference_ms", "ratio",
    /// "kernel_gflops", "reference_gflops", "instruction_set"}]
    #[arg(long)]
    pub json: bool,
}
