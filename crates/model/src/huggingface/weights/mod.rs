//! Weights in safetensors files.

mod read;
mod write;

pub(super) use read::Checkpoint;
pub(crate) use read::transpose;
pub(crate) use write::{GgufTensor, gguf_tensors};
pub(super) use write::{write_adapter, write_decoder, write_model};

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use crate::ModelError;

/// [`fireclay_files::write_atomically`], with the file and the remedy in its error.
pub(crate) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), ModelError> {
    fireclay_files::write_atomically(path, fill).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
        hint: "check that the folder is writable and the disk has room",
    })
}

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
