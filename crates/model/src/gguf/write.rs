//! Writing a decoder as a GGUF file.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use fireclay_gguf::{Entry, GgufFile, NewTensor, NumberType, write};

use super::config::{self, architecture};
use super::forms;
use crate::config::{DecoderConfig, Family, PositionEncoding, Residual, RotaryScaling};
use crate::huggingface::weights::{GgufTensor, gguf_tensors, write_atomically};
use crate::huggingface::{TokenIds, config_json};
use crate::position::{attention_factor, rotary_frequencies};
use crate::{Decoder, ModelError};

/// Options of [`save_gguf`]: the weights' number type, and the metadata.
#[derive(Clone, Debug)]
pub struct GgufOptions {
    /// Number type of matrices: F32, F16, BF16, `Q8_0` or `Q4_0`. Vectors stay F32. With `Q4_0` the embedding and the
    /// head are `Q8_0`; matrices whose rows are not whole blocks are F16.
    pub kind: NumberType,
    /// The model's name in the file.
    pub name: String,
    /// The tokenizer, as metadata.
    pub tokenizer: Vec<(String, Entry)>,
    /// Token ids.
    pub tokens: TokenIds,
}

/// Writes a decoder as a GGUF file that llama.cpp opens. Adapters are merged into the weights.
///
/// # Errors
/// [`ModelError::Invalid`] when a GGUF file of the decoder's family cannot express the decoder's configuration,
/// [`ModelError::Io`] when the disk refuses.
pub fn save_gguf(decoder: &Decoder, path: &Path, options: &GgufOptions) -> Result<(), ModelError> {
    let config = decoder.config();
    forms::check(config)?;
    let decoder = decoder.merged();
    let mut tensors = gguf_tensors(&decoder, config);
    tensors.extend(divisors(config));
    let new: Vec<NewTensor> = tensors.iter().map(|tensor| new_tensor(tensor, options.kind)).collect();
    let mut metadata = metadata(config, options)?;
    metadata.extend(options.tokenizer.iter().cloned());
    write_atomically(path, |file: &mut BufWriter<_>| {
        write(file, &metadata, &new, |index| {
            let mut numbers = tensors[index].numbers();
            if config.variant.zero_centred_norms && tensors[index].name.contains("norm") {
                for gain in &mut numbers {
                    *gain += 1.0;
                }
            }
            let largest = numbers.iter().fold(0.0f32, |largest, number| largest.max(number.abs()));
            // The scales of blocks are 16-bit too.
            let room = match new[index].kind {
                NumberType::F32 | NumberType::Bf16 => f32::MAX,
                _ => 65_504.0,
            };
            match largest <= room {
                true => Ok(numbers),
                false => Err(io::Error::other(format!(
                    "{} has numbers up to {largest}, which {} cannot hold; export as F32 or BF16",
                    new[index].name,
                    new[index].kind.name()
                ))),
            }
        })?;
        file.flush()
    })?;
    check_read_back(config, path).inspect_err(|_| {
        // A file with another meaning is worse than none.
        let _ = std::fs::remove_file(path);
    })
}

/// Checks that reading the file back gives the decoder's configuration.
fn check_read_back(config: &DecoderConfig, path: &Path) -> Result<(), ModelError> {
    let read = config::read(&GgufFile::open(path)?)?;
    // Numbers are 32-bit in the file, and some settings are not stored.
    let rounded = |config: &DecoderConfig| {
        let mut config = config.clone();
        if config.family == Family::Mistral {
            config.family = Family::Llama;
        }
        if config.sliding_window.is_some_and(|window| window >= config.context)
            && !matches!(config.family, Family::Gemma2 | Family::Gemma3 | Family::Phi3)
        {
            // A window that is not shorter than the context has no effect, and these architectures have no key for it.
            (config.sliding_window, config.full_layers, config.variant.window_layers) = (None, 0, None);
        }
        as_divisors(&mut config);
        config.init_std = read.init_std;
        config.embedding_std = None;
        config
    };
    match config_json::difference(&rounded(config), &rounded(&read), 1e-6) {
        None => Ok(()),
        Some((key, theirs)) => Err(ModelError::Invalid(format!(
            "{key} must be {theirs} in a GGUF file of architecture {}, which has no key for another value; keep the \
             model as a folder",
            architecture(config.family)
        ))),
    }
}

/// Replaces the scaling by the divisors of the planes: a file stores only these.
fn as_divisors(config: &mut DecoderConfig) {
    let (dims, context) = (config.variant.rotary_dims.unwrap_or(config.head_dim), config.context);
    let PositionEncoding::Rotary { theta, scaling } = &mut config.position else { return };
    match scaling {
        RotaryScaling::Llama3 { .. } => {
            let divisors = llama3_divisors(dims, *theta, scaling);
            *scaling = RotaryScaling::LongRope {
                short_factor: divisors.clone(),
                long_factor: divisors,
                original_context: context,
                factor: None,
                attention_factor: Some(1.0),
            };
        }
        RotaryScaling::LongRope { .. } => {
            let computed = attention_factor(scaling, context);
            if let RotaryScaling::LongRope { factor, attention_factor, .. } = scaling {
                (*factor, *attention_factor) = (None, Some(computed));
            }
        }
        _ => {}
    }
}

fn llama3_divisors(dims: usize, theta: f64, scaling: &RotaryScaling) -> Vec<f64> {
    let plain = rotary_frequencies(dims, theta, &RotaryScaling::None, 0);
    plain.iter().zip(rotary_frequencies(dims, theta, scaling, 0)).map(|(plain, scaled)| plain / scaled).collect()
}

fn new_tensor(tensor: &GgufTensor, kind: NumberType) -> NewTensor {
    let shape = tensor.shape();
    let kind = match (shape.len(), kind) {
        (1, _) => NumberType::F32,
        (_, NumberType::Q4_0) if ["token_embd.weight", "output.weight"].contains(&&*tensor.name) => NumberType::Q8_0,
        (_, kind) => kind,
    };
    let whole = shape.last().is_some_and(|row| row.is_multiple_of(kind.block_numbers()));
    NewTensor { name: tensor.name.clone(), shape, kind: if whole { kind } else { NumberType::F16 } }
}

/// The tensors of the divisors of the planes.
fn divisors(config: &DecoderConfig) -> Vec<GgufTensor> {
    let PositionEncoding::Rotary { theta, scaling } = &config.position else { return vec![] };
    let dims = config.variant.rotary_dims.unwrap_or(config.head_dim);
    let given = |name: &str, numbers: Vec<f64>| {
        GgufTensor::of_numbers(name, numbers.into_iter().map(|number| number as f32).collect())
    };
    match scaling {
        RotaryScaling::Llama3 { .. } => {
            vec![given("rope_freqs.weight", llama3_divisors(dims, *theta, scaling))]
        }
        RotaryScaling::LongRope { short_factor, long_factor, .. } => vec![
            given("rope_factors_long.weight", long_factor.clone()),
            given("rope_factors_short.weight", short_factor.clone()),
        ],
        _ => vec![],
    }
}

fn metadata(config: &DecoderConfig, options: &GgufOptions) -> Result<Vec<(String, Entry)>, ModelError> {
    let name = architecture(config.family);
    let number = |number: usize| Entry::U32(number as u32);
    let mut entries: Vec<(String, Entry)> = vec![
        ("general.architecture".into(), Entry::Text(name.into())),
        ("general.name".into(), Entry::Text(options.name.clone())),
        ("general.file_type".into(), Entry::U32(options.kind.file_type())),
        ("general.quantization_version".into(), Entry::U32(2)),
    ];
    let mut set = |key: &str, entry: Entry| entries.push((format!("{name}.{key}"), entry));
    set("context_length", number(config.context));
    set("embedding_length", number(config.width));
    set("block_count", number(config.layers));
    set("feed_forward_length", number(config.ffn_width));
    set("attention.head_count", number(config.heads));
    set("attention.head_count_kv", number(config.kv_heads));
    set("attention.key_length", number(config.head_dim));
    set("attention.value_length", number(config.head_dim));
    set("vocab_size", number(config.vocab_size));
    let layer_norm = config.norm == crate::config::NormKind::Layer;
    let epsilon = if layer_norm { "attention.layer_norm_epsilon" } else { "attention.layer_norm_rms_epsilon" };
    set(epsilon, Entry::F32(config.norm_epsilon as f32));
    of_variant(config, &mut set)?;
    of_rope(config, &mut set)?;
    for (key, id) in [
        ("bos", options.tokens.bos),
        ("eos", options.tokens.eos.first().copied()),
        // llama.cpp ends answers at this one too.
        ("eot", options.tokens.eos.get(1).copied()),
        ("padding", options.tokens.pad),
    ] {
        if let Some(id) = id {
            entries.push((format!("tokenizer.ggml.{key}_token_id"), Entry::U32(id)));
        }
    }
    Ok(entries)
}

fn of_variant(config: &DecoderConfig, set: &mut impl FnMut(&str, Entry)) -> Result<(), ModelError> {
    let variant = &config.variant;
    let number = |number: f64| Entry::F32(number as f32);
    let of_windows = matches!(config.family, Family::Gemma2 | Family::Gemma3 | Family::Phi3);
    if let Some(window) = config.sliding_window.filter(|_| of_windows) {
        set("attention.sliding_window", Entry::U32(window as u32));
        if config.family != Family::Phi3 {
            let windowed = (0..config.layers).map(|layer| config.is_windowed(layer)).collect();
            set("attention.sliding_window_pattern", Entry::Bools(windowed));
        }
    } else if config.family == Family::Phi3 {
        set("attention.sliding_window", Entry::U32(0));
    }
    if let Some(cap) = variant.attention_softcap {
        set("attn_logit_softcapping", number(cap));
    }
    if let Some(cap) = variant.logit_softcap {
        set("final_logit_softcapping", number(cap));
    }
    if config.family == Family::Gemma2 && (variant.attention_softcap.is_none() || variant.logit_softcap.is_none()) {
        return Err(ModelError::Invalid(
            "a gemma2 in a GGUF file has soft-caps on its scores and its logits; keep the model as a folder".into(),
        ));
    }
    match config.family {
        Family::Granite => {
            let usual = 1.0 / (config.head_dim as f64).sqrt();
            set("attention.scale", number(variant.attention_multiplier.unwrap_or(usual)));
            set("embedding_scale", number(variant.embedding_multiplier));
            set("residual_scale", number(variant.residual_multiplier));
            set("logit_scale", number(variant.logit_divisor));
        }
        Family::StableLm | Family::GptNeoX => {
            set("use_parallel_residual", Entry::Bool(variant.residual != Residual::Sequential));
        }
        _ => {}
    }
    Ok(())
}

fn of_rope(config: &DecoderConfig, set: &mut impl FnMut(&str, Entry)) -> Result<(), ModelError> {
    let PositionEncoding::Rotary { theta, scaling } = &config.position else { return Ok(()) };
    let number = |number: f64| Entry::F32(number as f32);
    set("rope.dimension_count", Entry::U32(config.variant.rotary_dims.unwrap_or(config.head_dim) as u32));
    set("rope.freq_base", number(*theta));
    if let Some(PositionEncoding::Rotary { theta, scaling }) = &config.variant.window_position {
        if *scaling != RotaryScaling::None {
            return Err(ModelError::Invalid(
                "scaled rotary positions of layers with a window have no GGUF form; keep the model as a \
                 folder"
                    .into(),
            ));
        }
        set("rope.freq_base_swa", number(*theta));
    }
    match scaling {
        RotaryScaling::None | RotaryScaling::Llama3 { .. } => {}
        RotaryScaling::Linear { factor } => {
            set("rope.scaling.type", Entry::Text("linear".into()));
            set("rope.scaling.factor", number(*factor));
        }
        RotaryScaling::Yarn { factor, original_context, beta_fast, beta_slow, attention_factor, .. } => {
            if attention_factor.is_some() {
                return Err(ModelError::Invalid(
                    "an attention_factor of yarn has no GGUF form; keep the model as a folder".into(),
                ));
            }
            set("rope.scaling.type", Entry::Text("yarn".into()));
            set("rope.scaling.factor", number(*factor));
            set("rope.scaling.original_context_length", Entry::U32(*original_context as u32));
            set("rope.scaling.yarn_beta_fast", number(*beta_fast));
            set("rope.scaling.yarn_beta_slow", number(*beta_slow));
        }
        RotaryScaling::LongRope { original_context, .. } => {
            set("rope.scaling.original_context_length", Entry::U32(*original_context as u32));
            set("rope.scaling.attn_factor", number(attention_factor(scaling, config.context)));
        }
        RotaryScaling::Dynamic { .. } => {
            return Err(ModelError::Invalid(
                "dynamic rope scaling has no GGUF form; keep the model as a folder".into(),
            ));
        }
    }
    Ok(())
}
