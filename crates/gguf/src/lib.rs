//! GGUF files (ggml's `docs/gguf.md`, versions 2 and 3, little-endian): metadata and tensors, read and written.
//!
//! A file may be a stranger's: every length is checked against the file before memory is taken for it, and what is
//! wrong is one line that names the file. Reading maps the file; numbers are widened when they are asked for. This
//! crate knows neither models nor tokenizers.

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
