//! Operations of a decoder that are worth a kernel of their own on the CPU, each with its backward pass.
//!
//! An operation is a folder: `mod.rs` says what it computes and chooses, `reference.rs` composes it of burn's
//! operations, which is what every backend but `flex` runs and burn differentiates, and `cpu.rs` computes it on slices,
//! forwards and backwards. `op.rs` is what makes a tensor operation of such a kernel. Two parts are no operations:
//! `product` multiplies matrices, `simd` has functions on vectors of numbers.
//!
//! A result does not depend on the number of threads. Of products by the `gemm` crate, on CPUs for which `product` has
//! no kernel, that is tested and not promised.

pub mod activation;
pub mod add;
pub mod attention;
pub mod cross_entropy;
pub mod embedding;
pub mod head;
#[cfg(feature = "flex")]
mod host;
pub mod linear;
pub mod log_probabilities;
pub mod norm;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod op;
mod precision;
#[cfg(feature = "flex")]
pub mod product;
pub mod rotary;
pub mod simd;

pub use activation::{Activation, activate, gated};
pub use add::add;
pub use attention::{attention, softcapped_attention};
pub use cross_entropy::cross_entropy;
pub use embedding::embedding;
pub use head::Head;
pub use linear::{BlockWeight, StoredWeight, WeightStorage, linear, linears};
pub use log_probabilities::{LogProbabilities, log_probabilities};
pub use norm::{add_norm, norm, norm_rotary};
pub use precision::Precision;
pub use rotary::{Angles, rotary};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
