//! Models as GGUF files, which are read like a model directory: the counterparts of [`load`](crate::load) and similar
//! functions for a path that is a file.

mod config;
mod read;
mod write;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
pub use fireclay_gguf::NumberType;
use fireclay_gguf::{GgufError, GgufFile};

pub use write::{GgufOptions, save_gguf};

use crate::config::DecoderConfig;
use crate::huggingface::TokenIds;
use crate::init::{Rounded, build};
use crate::linear::WeightStorage;
use crate::{Decoder, ModelError};

/// Whether a path is a GGUF file, and not a model directory.
#[must_use]
pub fn is_gguf(path: &Path) -> bool {
    GgufFile::is_gguf(path)
}

pub(crate) fn load(path: &Path, device: &Device) -> Result<Decoder, ModelError> {
    load_frozen(path, device, Some(WeightStorage::F32))
}

/// Loads the decoder in the file, with its matrices in a format that cannot be trained, unless that is f32. `None`: the
/// format of the file.
pub(crate) fn load_frozen(path: &Path, device: &Device, format: Option<WeightStorage>) -> Result<Decoder, ModelError> {
    let file = Arc::new(GgufFile::open(path)?);
    let config = config::read(&file)?;
    let mut weights = read::Weights::new(&file, &config, format.is_none());
    let decoder = match format {
        None | Some(WeightStorage::F32) => build(&config, &mut weights, device)?,
        Some(format) => build(&config, &mut Rounded { source: &mut weights, format }, device)?,
    };
    weights.refuse_unused()?;
    Ok(decoder)
}

/// Size of the tensors in a file, in bytes.
///
/// # Errors
/// When the file is not a GGUF file or is truncated.
pub fn tensor_bytes(path: &Path) -> Result<u64, ModelError> {
    let file = GgufFile::open(path)?;
    Ok(file.tensors().map(|(_, tensor)| file.bytes(tensor).len() as u64).sum())
}

pub(crate) fn load_config(path: &Path) -> Result<DecoderConfig, ModelError> {
    config::read(&GgufFile::open(path)?)
}

pub(crate) fn load_token_ids(path: &Path) -> Result<TokenIds, ModelError> {
    let file = GgufFile::open(path)?;
    let id = |name: &str| {
        let id = file.unsigned(&format!("tokenizer.ggml.{name}_token_id"))?;
        u32::try_from(id).ok()
    };
    let mut eos: Vec<u32> = vec![];
    for id in ["eos", "eot", "eom"].into_iter().filter_map(id) {
        if !eos.contains(&id) {
            eos.push(id);
        }
    }
    Ok(TokenIds { bos: id("bos"), eos, pad: id("padding") })
}

impl From<GgufError> for ModelError {
    fn from(error: GgufError) -> Self {
        match error {
            GgufError::Io { path, source } => Self::Io {
                path,
                source,
                hint: "a model is a folder with config.json and model.safetensors, or a GGUF file",
            },
            GgufError::Invalid { path, message } => Self::Weights { path, message },
        }
    }
}
