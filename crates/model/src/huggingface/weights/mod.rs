//! Weights in safetensors files.

mod read;
mod write;
mod atomic;

pub(crate) use atomic::write_atomically;
pub(super) use read::Checkpoint;
pub(crate) use read::transpose;
pub(crate) use write::{Stored as GgufTensor, gguf_tensors};
pub(super) use write::{write_adapter, write_decoder, write_model};

use crate::ModelError;
use std::path::Path;

/// Number format of the weights in a file that we write. All are read back as f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormat {
    /// 32-bit: exact.
    #[default]
    F32,
    /// bfloat16: half the size, rounded to 8 significant bits.
    Bf16,
    /// 16-bit numbers of IEEE 754: half the size, rounded to 11 significant bits, none larger than 65504.
    F16,
}

impl WeightFormat {
    /// The name that `config.json` gives it: `bfloat16`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
        }
    }

    /// The format of that name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::F32, Self::Bf16, Self::F16].into_iter().find(|format| format.name() == name)
    }
}

fn weights_error(path: &Path, message: String) -> ModelError {
    ModelError::Weights { path: path.to_owned(), message }
}
