//! Flags of `export`.

use std::path::PathBuf;

use clap::Args;
use fireclay_model::gguf::NumberType;

use super::one_of;

/// `export`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fireclay export --model runs/tiny --gguf q8_0        writes tiny-q8_0.gguf
  fireclay export --model SmolLM2-135M --gguf f16 --out m.gguf

The file is read back and compared with the model: ids of texts, rendered conversations, predictions. The receipt \
has the figures; a file that differs by more than the rounding of its number format is removed.")]
pub struct ExportArgs {
    /// A run, stage, checkpoint, Hugging Face model directory or GGUF file
    #[arg(long, value_name = "DIR|FILE")]
    pub model: PathBuf,
    /// Number format of matrices
    #[arg(long, value_name = "f32|f16|bf16|q8_0|q4_0", value_parser = one_of(&GGUF_TYPES))]
    pub gguf: NumberType,
    /// The file to write [default: the model's name and the format, in this folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// The number formats of `--gguf`, by name.
pub const GGUF_TYPES: [(&str, NumberType); 5] = [
    ("f32", NumberType::F32),
    ("f16", NumberType::F16),
    ("bf16", NumberType::Bf16),
    ("q8_0", NumberType::Q8_0),
    ("q4_0", NumberType::Q4_0),
];
