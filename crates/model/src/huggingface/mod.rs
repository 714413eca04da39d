//! Checkpoints as Hugging Face model directories: `config.json`, `generation_config.json` and `model.safetensors`,
//! which `transformers` reads and writes unchanged.
//!
//! [`Family`](crate::config::Family) lists the supported families. The classic decoder is a GPT-2 with
//! `activation_function: "relu"` whose position embedding is the table of sines. Tokenizer files are in the same
//! directory; this crate does not read them.
//!
//! A file that was truncated, or whose header was damaged, is refused. The format has no checksum, so a changed number
//! is not noticed here; the training crate adds checksums to its checkpoints.

pub(crate) mod config_json;
pub(crate) mod names;
pub(crate) mod patterns;
pub(crate) mod weights;
mod score;
mod adapter;
mod sampling;
mod generation_keys;

use std::io::Write;
use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;

pub use adapter::{adapter_base, load_adapter, save_adapter};
pub use config_json::{TokenIds, check_representable};
pub use sampling::{SamplingDefaults, load_sampling};
pub use score::{is_score_model, load_score_model, save_score_model};
pub use weights::WeightFormat;
pub(crate) use weights::transpose;
use weights::{Checkpoint, write_atomically};

use crate::config::{DecoderConfig, PositionEncoding};
use crate::init::{Purpose, build};
use crate::linear::WeightStorage;
use crate::{Decoder, ModelError, gguf};

/// Options of [`save_with`]: the weights' number format, token ids and sampling defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaveOptions {
    /// Token ids for `config.json` and `generation_config.json`.
    pub tokens: TokenIds,
    /// Default sampling settings, for `generation_config.json`. A model that is loaded and saved again keeps its own
    /// with [`load_sampling`].
    pub sampling: SamplingDefaults,
    /// Number format of `model.safetensors`.
    pub format: WeightFormat,
}

/// Reads a decoder from a GGUF file, from an adapter's folder whose base model is present (the adapters are merged into
/// the weights), or from a model directory: f32, f16 or bf16 weights in `model.safetensors` or in shards that
/// `model.safetensors.index.json` lists.
///
/// The files are memory-mapped and each tensor is widened to f32 as its parameter is made, so the peak is the model
/// plus its largest tensor.
///
/// # Errors
/// [`ModelError::Io`] for files that are missing or cannot be read, [`ModelError::Config`] for a `config.json` that
/// needs an option this decoder does not have, [`ModelError::Weights`] for tensors that are missing, left over,
/// damaged, or of another shape.
pub fn load(dir: impl AsRef<Path>, device: &Device) -> Result<Decoder, ModelError> {
    let dir = dir.as_ref();
    match adapter_base(dir)? {
        Some(base) => Ok(load_adapter(load(base, device)?, dir)?.merged()),
        None => load_for(dir, device, Purpose::Training),
    }
}

/// Reads a decoder as [`load`] does, as the base of adapters: its embedding and its matrices are frozen and stored in a
/// format of fewer bits. `None`: the format of the model, that is, blocks for a GGUF file and f32 for all others.
///
/// # Errors
/// As [`load`].
pub fn load_frozen(
    dir: impl AsRef<Path>,
    device: &Device,
    format: Option<WeightStorage>,
) -> Result<Decoder, ModelError> {
    let dir = dir.as_ref();
    match (adapter_base(dir)?, format) {
        (Some(_), None | Some(WeightStorage::F32)) => load(dir, device),
        (Some(_), Some(format)) => Ok(load(dir, device)?.with_stored_weights(format)),
        (None, format) => load_for(dir, device, Purpose::Adapters(format)),
    }
}

/// Reads a decoder from a GGUF file or a model directory that has no adapters.
pub(crate) fn load_for(dir: &Path, device: &Device, purpose: Purpose) -> Result<Decoder, ModelError> {
    if gguf::is_gguf(dir) {
        return gguf::load_for(dir, device, purpose);
    }
    let config = load_config(dir)?;
    let mut weights = Checkpoint::open(dir, &config)?;
    let decoder = body(config, &mut weights, device, purpose)?;
    weights.refuse_unused()?;
    Ok(decoder)
}

/// Builds the decoder that `config` describes from the tensors in `weights`.
fn body(
    config: DecoderConfig,
    weights: &mut Checkpoint,
    device: &Device,
    purpose: Purpose,
) -> Result<Decoder, ModelError> {
    build(&described(config, weights)?, weights, device, purpose)
}

/// Configuration of the decoder in `weights`.
fn described(mut config: DecoderConfig, weights: &mut Checkpoint) -> Result<DecoderConfig, ModelError> {
    // Another program may have trained the table after we marked it as sines: then it is a learned one.
    if config.position == PositionEncoding::Sinusoidal && !weights.has_sinusoids(config.context, config.width)? {
        config.position = PositionEncoding::Learned;
    }
    Ok(config)
}

/// Reads the configuration of a model directory or GGUF file, without its weights.
///
/// # Errors
/// [`ModelError::Io`] when it cannot be read, [`ModelError::Config`] when it needs an option this decoder does not
/// have.
pub fn load_config(dir: impl AsRef<Path>) -> Result<DecoderConfig, ModelError> {
    if gguf::is_gguf(dir.as_ref()) {
        return gguf::load_config(dir.as_ref());
    }
    if let Some(base) = adapter_base(&dir)? {
        return load_config(base);
    }
    let path = dir.as_ref().join("config.json");
    config_json::parse(&path, &read(&path)?)
}

/// Reads the token ids of a model directory: from `generation_config.json`, or from `config.json` if the former has
/// none. Those that a folder of adapters has come before its base model's.
///
/// # Errors
/// [`ModelError::Io`] or [`ModelError::Config`] when a file cannot be read; `generation_config.json` may be absent.
pub fn load_token_ids(dir: impl AsRef<Path>) -> Result<TokenIds, ModelError> {
    if gguf::is_gguf(dir.as_ref()) {
        return gguf::load_token_ids(dir.as_ref());
    }
    let config = if let Some(base) = adapter_base(&dir)? {
        load_token_ids(base)?
    } else {
        let path = dir.as_ref().join("config.json");
        TokenIds::parse(&path, &read(&path)?)?
    };
    let path = dir.as_ref().join("generation_config.json");
    if !path.exists() {
        return Ok(config);
    }
    let generation = TokenIds::parse(&path, &read(&path)?)?;
    Ok(TokenIds {
        bos: generation.bos.or(config.bos),
        eos: if generation.eos.is_empty() { config.eos } else { generation.eos },
        pad: generation.pad.or(config.pad),
    })
}

/// Writes a decoder as a model directory, in f32 and without token ids; creates the directory if there is none.
/// Adapters are merged into the weights.
///
/// Each file is written under another name, synced and renamed; `config.json` comes last.
///
/// # Errors
/// [`ModelError::Invalid`] when the decoder's family cannot express one of its options (see [`check_representable`]),
/// [`ModelError::Io`] when the disk refuses.
pub fn save(decoder: &Decoder, dir: impl AsRef<Path>) -> Result<(), ModelError> {
    save_with(decoder, dir, &SaveOptions::default())
}

/// Writes a decoder as [`save`] does, with token ids and in the number format asked for.
///
/// # Errors
/// As [`save`].
pub fn save_with(decoder: &Decoder, dir: impl AsRef<Path>, options: &SaveOptions) -> Result<(), ModelError> {
    let dir = dir.as_ref();
    check_representable(decoder.config())?;
    make_folder(dir)?;
    let mut generation = options.tokens.generation_config();
    options.sampling.write_into(&mut generation);
    write_json(&dir.join("generation_config.json"), &Value::Object(generation))?;
    weights::write_decoder(decoder, &dir.join("model.safetensors"), options.format)?;
    write_json(&dir.join("config.json"), &config_json::to_json(decoder.config(), &options.tokens, options.format))
}

fn make_folder(dir: &Path) -> Result<(), ModelError> {
    std::fs::create_dir_all(dir).map_err(|source| ModelError::Io {
        path: dir.to_owned(),
        source,
        hint: "choose a folder that can be written",
    })
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    read_file(path, "a model is a folder with config.json and model.safetensors")
}

fn read_file(path: &Path, hint: &'static str) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path).map_err(|source| ModelError::Io { path: path.to_owned(), source, hint })
}

fn write_json(path: &Path, value: &Value) -> Result<(), ModelError> {
    let text = serde_json::to_string_pretty(value).expect("plain JSON");
    write_atomically(path, |file| writeln!(file, "{text}"))
}
