//! Checkpoints as Hugging Face model directories.
use std::path::Path;
use burn::tensor::Device;
use crate::{Decoder, ModelError};
/// Load.
pub fn load(_dir: impl AsRef<Path>, _device: &Device) -> Result<Decoder, ModelError> { Err(ModelError::Invalid("not yet".into())) }
/// Save.
pub fn save(_decoder: &Decoder, _dir: impl AsRef<Path>) -> Result<(), ModelError> { Err(ModelError::Invalid("not yet".into())) }
