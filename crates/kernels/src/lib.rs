//! Operations of a decoder that have their own CPU kernel, each with its backward pass.
//!
//! An operation is a folder. `mod.rs` documents it and chooses the implementation. `reference.rs` composes it of burn's
//! operations: every backend but `flex` runs this, and burn differentiates it. `cpu.rs` computes it on slices, forward
//! and backward. `op.rs` turns such a kernel into an operation on tensors. Other modules are not operations: `product`
//! multiplies matrices, `simd` has functions on vectors of numbers, `optimizer` the arithmetic of updates, and `bench`
//! measures each kernel beside its reference.
//!
//! Every kernel uses one instruction set, [`Isa::current`]: the best that the CPU has, or a lower one.
//!
//! A result does not depend on the number of threads. For products by the `gemm` crate, on CPUs for which `product` has
//! no kernel, this is tested but not guaranteed. f32 products have the same bits with AVX2 and AVX-512.

pub mod activation;
pub mod add;
pub mod attention;
pub mod bench;
#[cfg(feature = "flex")]
mod chain;
pub mod cross_entropy;
pub mod embedding;
mod fastest;
pub mod head;
#[cfg(feature = "flex")]
mod host;
pub mod linear;
pub mod log_probabilities;
pub mod norm;
pub mod optimizer;
mod isa;
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
pub use fastest::{emulates_bf16, fastest_precision};
pub use head::Head;
pub use isa::{Isa, IsaError};
pub use linear::{BlockWeight, StoredWeight, WeightStorage, linear, linears};
pub use log_probabilities::{LogProbabilities, log_probabilities};
pub use norm::{add_norm, norm, norm_rotary};
pub use precision::Precision;
pub use rotary::{Angles, rotary};

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
