//! Flags of `merge`.

use std::path::PathBuf;

use clap::Args;
use fireclay_model::huggingface::WeightFormat;

use super::one_of;

/// `merge`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay merge --model runs/tuned --out tuned        the adapters of a run
  fireclay merge --model my-adapter --out merged       a folder of PEFT's
  fireclay merge --model my-adapter --out merged --dtype f32

The folder opens in transformers and here like any model: merged weights, tokenizer, chat template, generation \
settings.")]
pub struct MergeArgs {
    /// A folder of adapters, or a run, stage or checkpoint that trained some
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The folder to write; it must be empty or not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number format of the weights [default: the one that the base model's config.json names, or f32]
    #[arg(long, value_name = "f32|bf16|f16", value_parser = one_of(&DTYPES))]
    pub dtype: Option<WeightFormat>,
}

/// The number formats of `--dtype`, by name.
const DTYPES: [(&str, WeightFormat); 3] =
    [("f32", WeightFormat::F32), ("bf16", WeightFormat::Bf16), ("f16", WeightFormat::F16)];
