//! A decoder-only Transformer on `burn`, and its checkpoints as Hugging Face model directories.
//!
//! One [`Decoder`] serves every preset: the differences between GPT-2, Llama, Qwen and the textbook decoder are data in
//! [`DecoderConfig`], not code. The crate works on token ids and tensors; text, optimisers and sampling are in other
//! crates.
//!
//! Reading order: [`config`] → [`decoder`] → [`block`] → [`attention`] → [`huggingface`]; then the modules that build
//! on a decoder: [`score_model`] (reward models and critics) and [`lora`] (adapters).
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use fireclay_model::DecoderConfig;
//!
//! let device = fireclay_model::device::parse("cpu")?;
//! let (vocabulary, width, layers, heads, context) = (128, 32, 2, 4, 16);
//! let config = DecoderConfig::modern(vocabulary, width, layers, heads, context);
//! let decoder = config.init(/* seed */ 0, &device);
//! let ids = Tensor::<2, Int>::from_ints([[1, 2, 3]], &device);
//! assert_eq!(decoder.forward(ids, None).dims(), [1, 3, 128]);
//! # Ok::<(), fireclay_model::ModelError>(())
//! ```

pub mod config;
pub mod decoder;
pub mod block;
pub mod inference;
mod layout;
pub mod attention;
pub mod feed_forward;
pub mod norm;
pub mod linear;
mod weight;
pub mod position;
pub mod cache;
pub mod checkpointing;
pub mod init;
pub mod parameters;
pub mod huggingface;
pub mod gguf;
pub mod score_model;
pub mod lora;
pub mod device;
pub mod error;

pub use cache::{Cache, PagedCache};
pub use checkpointing::ActivationCheckpoints;
pub use config::{
    Activation, DecoderConfig, Family, NormKind, NormPlace, PositionEncoding, Residual, RotaryScaling, Variant,
};
pub use decoder::Decoder;
pub use error::ModelError;
pub use fireclay_kernels::LogProbabilities;
pub use fireclay_kernels::attention::paged::{PAGE, Text};
pub use fireclay_kernels::cross_entropy::Targets;
pub use fireclay_kernels::linear::INT8_BLOCK;
pub use huggingface::{
    is_score_model, load, load_adapter, load_frozen, load_score_model, save, save_adapter, save_score_model,
};
pub use inference::InferenceDecoder;
pub use linear::{Precision, WeightStorage};
pub use lora::{AdapterSize, LoraConfig};
pub use score_model::{RewardScale, ScoreModel};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
