//! Models as GGUF files, which are read like a model directory: the counterparts of [`load`](crate::load) and similar
//! functions for a path that is a file.

mod config;
mod unsupported;
mod read;
mod forms;
mod write;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
pub use fireclay_gguf::NumberType;
use fireclay_gguf::{GgufError, GgufFile, Value};

pub use write::{GgufOptions, save_gguf};

use crate::config::DecoderConfig;
use crate::huggingface::TokenIds;
use crate::init::{Purpose, build};
use crate::{Decoder, ModelError};

/// The id of no token, −1 in 32 bits.
const NO_TOKEN: u64 = u32::MAX as u64;

/// Whether a path is a GGUF file, and not a model directory.
#[must_use]
pub fn is_gguf(path: &Path) -> bool {
    GgufFile::is_gguf(path)
}

/// Loads the decoder in the file.
pub(crate) fn load_for(path: &Path, device: &Device, purpose: Purpose) -> Result<Decoder, ModelError> {
    let file = Arc::new(GgufFile::open(path)?);
    let config = config::read(&file)?;
    let mut weights = read::Weights::new(&file, &config, purpose == Purpose::Adapters(None));
    let decoder = build(&config, &mut weights, device, purpose)?;
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
    let id = |name: &str| -> Result<Option<u32>, ModelError> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        // Some files write −1 for none.
        let none = |value: &&Value| matches!(value, Value::Signed(-1) | Value::Unsigned(NO_TOKEN));
        let Some(value) = file.value(&key).filter(|value| !none(value)) else { return Ok(None) };
        match file.unsigned(&key).and_then(|id| u32::try_from(id).ok()) {
            Some(id) => Ok(Some(id)),
            None => Err(file
                .error(format!("{key} is {}; it must be a token id: copy the file again", unsupported::shown(value)))
                .into()),
        }
    };
    let mut eos: Vec<u32> = vec![];
    for name in ["eos", "eot", "eom"] {
        if let Some(id) = id(name)?.filter(|id| !eos.contains(id)) {
            eos.push(id);
        }
    }
    Ok(TokenIds { bos: id("bos")?, eos, pad: id("padding")? })
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
