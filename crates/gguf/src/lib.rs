//! GGUF files (ggml's `docs/gguf.md`, versions 2 and 3, little-endian): metadata and tensors, read and written.
//!
//! Files may come from untrusted sources: every length is checked against the file before memory is allocated for it,
//! and every error is one line that names the file. Reading maps the file; numbers are widened on demand. This crate
//! knows neither models nor tokenizers.

mod error;
mod file;
mod number_type;
mod blocks;
mod quantize;
mod writer;

pub use error::GgufError;
pub use file::{Array, GgufFile, TensorInfo, Value};
pub use number_type::NumberType;
pub use writer::{Entry, NewTensor, write};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
