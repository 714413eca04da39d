//! Weights in safetensors files.

mod read;
mod write;
mod atomic;

pub(crate) use atomic::write_atomically;
pub(super) use read::Checkpoint;
pub(crate) use read::transpose;
pub(crate) use write::{Stored as GgufTensor, gguf_tensors};
pub(super) use write::{write_adapter, write_model};

use crate::ModelError;
use std::path::Path;

/// Number format of the weights in a file that we write. Both are read back as f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormat {
    /// 32-bit: exact.
    #[default]
    F32,
    /// bfloat16: half the size, rounded to 8 significant bits.
    Bf16,
}

fn weights_error(path: &Path, message: String) -> ModelError {
    ModelError::Weights { path: path.to_owned(), message }
}
