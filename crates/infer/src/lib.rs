//! Generation: token ids in, token ids and log-probabilities out.
//!
//! [`generate()`] completes one prompt and hands out each token as it comes, [`generate_utf8`] only such that make valid text; [`generate_batch`] completes several at once; [`score()`] says
//! how probable a given sequence is, and [`score_completions`] the ends of many. The crate knows no text beyond bytes: a tokenizer turns text into ids, and stop words into
//! [stop sequences](SamplingConfig::stop), before anything here is called.
//!
//! Reading order: [`sampling`] → [`distribution`] → [`utf8`] → [`generate`](mod@generate) → [`score`](mod@score) →
//! [`completions`].
//!
//! # Two log-probabilities
//! A token x is drawn from the *sampling* distribution: the model's logits after repetition penalty, temperature, top-k, top-p and
//! min-p. Two numbers are kept for it, both natural logarithms:
//!
//! - [`Completion::logprobs`]: log p(x | tokens before it) under the *model*, the softmax of its untouched logits, at temperature 1. This is
//!   what [`score()`] gives for the same tokens.
//! - [`Completion::sampling_logprobs`]: log q(x | …) under the distribution that x was really drawn from; 0 where that is certain (greedy). The ratio of
//!   policy-gradient methods needs this one; at temperature 1 without filters the two are the same.
//!
//! ```
//! use std::ops::ControlFlow;
//! use fireclay_infer::{SamplingConfig, generate, score};
//! use fireclay_model::DecoderConfig;
//!
//! let device = fireclay_model::device::parse("cpu")?;
//! let decoder = DecoderConfig::modern(/* vocabulary */ 64, /* width */ 32, /* layers */ 2, /* heads */ 4, /* context */ 16)
//!     .init(/* seed */ 0, &device);
//!
//! let config = SamplingConfig { temperature: 0.8, max_tokens: 5, ..SamplingConfig::default() };
//! let completion = generate(&decoder, &[1, 2, 3], &config, &mut |id, logprob| {
//!     println!("{id} with log-probability {logprob}");
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(completion.ids.len(), 5);
//!
//! let sequence = [&[1, 2, 3], completion.ids.as_slice()].concat();
//! let logprobs = score(&decoder, &sequence)?;
//! assert!((logprobs[2] - completion.logprobs[0]).abs() < 1e-4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod sampling;
pub mod distribution;
pub mod utf8;
pub mod generate;
mod row;
pub mod score;
pub mod completions;
mod error;

pub use completions::{Given, TokenScore, score_completions};
pub use distribution::{Distribution, Sampled, Sampler};
pub use error::InferError;
pub use generate::{Completion, FinishReason, Timing, generate, generate_batch, generate_batch_with, generate_utf8};
pub use sampling::SamplingConfig;
pub use score::score;
pub use utf8::Utf8Guard;
