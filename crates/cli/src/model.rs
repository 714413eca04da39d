//! The model that `--model` names.

use std::path::Path;

use anyhow::Result;
use fireclay_model::WeightStorage;
use fireclay_report::format::bytes;
use fireclay_text::{TextModel, tokenizer_near};
use fireclay_tokenizer::{Tokenizer, TokenizerError};

use crate::args::LoadArgs;
use crate::stages::with_start_time;
use crate::{device, model_dir};

/// Loads what `--model`, `--device` and `--weights` name.
///
/// # Errors
/// When there is no model, one of its files is damaged, or there is no such device.
pub fn load(path: &Path, how: &LoadArgs) -> Result<TextModel> {
    let (device, _) = device::choose(how.device)?;
    if how.weights == WeightStorage::Bf16 {
        device::check_bf16("--weights bf16", &device)?;
    }
    let model = TextModel::load(model_dir::resolve(path)?, &device, how.weights)?;
    if how.weights == WeightStorage::F32 {
        warn_of_wider_weights(path, model.decoder.config().num_params());
    }
    Ok(model)
}

/// Says that a file of fewer bits a weight, as GGUF has them, is larger in memory.
fn warn_of_wider_weights(path: &Path, parameters: usize) {
    let Some(stored) = path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len()) else { return };
    let wide = 4 * parameters as u64;
    if wide > 3 * stored {
        let (file, stored, wide) = (path.display(), bytes(stored), bytes(wide));
        tracing::warn!("{file}: {stored}, in memory {wide} as f32; --weights int8 or int4 takes less and is faster");
    }
}

/// A model's default name: the last part of its path as it was given, also where that is a link.
pub fn name_of(path: &Path) -> String {
    // `.` and `..` have no name of their own.
    let whole = if path.file_name().is_some() { path.into() } else { path.canonicalize().unwrap_or_default() };
    whole.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The tokenizer that `--tokenizer` names: a tokenizer's folder or file, or the one of a run, stage or checkpoint.
///
/// # Errors
/// When there is none.
pub fn load_tokenizer(path: &Path) -> Result<Tokenizer> {
    let own = match Tokenizer::load(path) {
        Err(error @ TokenizerError::NotFound { .. }) if path.is_dir() => error,
        other => return Ok(other?),
    };
    let inside = path.join("tokenizer");
    if inside.is_dir() {
        return Ok(with_start_time(&Tokenizer::load(&inside)?, &inside));
    }
    let beside = model_dir::resolve(path).ok().map(|dir| tokenizer_near(&dir)).transpose()?.flatten();
    beside.ok_or_else(|| own.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let (run, link) = (folder.path().join("tiny-3"), folder.path().join("latest"));
        std::fs::create_dir(&run).unwrap();
        std::os::unix::fs::symlink(&run, &link).unwrap();
        for (path, expect) in [(run.join(""), "tiny-3"), (link.clone(), "latest"), (link.join("."), "latest")] {
            assert_eq!(name_of(&path), expect, "{}", path.display());
        }
        assert_eq!(name_of(&run.join("..").join("tiny-3").join("..")), name_of(folder.path()));
        assert_ne!(name_of(Path::new(".")), "");
    }
}
