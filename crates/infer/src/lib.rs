//! Generation: token ids in, token ids and log-probabilities out.
//!
//! An [`Engine`] answers many requests at once: requests come and go between its steps, and share the keys and values
//! of common prefixes. [`generate()`] and [`generate_batch`] complete prompts with their own engine. [`score()`] gives
//! the log-probabilities of a given sequence, and [`score_completions`] those of many completions. The crate handles no
//! text beyond bytes: a tokenizer turns text into ids first.
//!
//! Reading order: [`sampling`] → [`distribution`] → [`utf8`], [`stop`] and [`constraint`] → [`completion`] →
//! [`engine`] → [`generate`](mod@generate) → [`score`](mod@score) → [`completions`].
//!
//! # Requests do not influence each other
//! A request's tokens and log-probabilities depend only on its prompt, its settings, its seed and its stream: not on
//! other requests, nor on when it was added, nor on the size of the memory. On the CPU backend (`flex`) this holds to
//! the last bit, because every product of an [`InferenceDecoder`](fireclay_model::InferenceDecoder) and every sum of
//! its attention has an order that follows from the request alone, and everything else is computed token by token. On
//! other backends it holds up to rounding, so that two almost equally probable tokens may swap.
//!
//! # Two log-probabilities
//! A token x is drawn from the *sampling* distribution: the model's logits after biases, penalties, temperature and
//! filters. Two log-probabilities of it are kept, both natural logarithms:
//!
//! - [`Completion::logprobs`]: log p(x | tokens before it) under the *model*, the softmax of its untouched logits, at
//!   temperature 1. This is what [`score()`] gives for the same tokens.
//! - [`Completion::sampling_logprobs`]: log q(x | …) under the distribution that x was really drawn from; 0 where that
//!   is certain (greedy). The ratio of policy-gradient methods needs this one; at temperature 1 without filters the two
//!   are the same.
//!
//! # Example
//! ```
//! use fireclay_infer::{Engine, EngineConfig, Event, Request, SamplingConfig, score};
//! use fireclay_model::{DecoderConfig, InferenceDecoder, WeightStorage};
//!
//! let device = fireclay_model::device::parse("cpu")?;
//! let (vocabulary, width, layers, heads, context) = (64, 32, 2, 4, 16);
//! let decoder = DecoderConfig::modern(vocabulary, width, layers, heads, context).init(/* seed */ 0, &device);
//! let mut engine = Engine::new(InferenceDecoder::new(decoder, WeightStorage::F32), EngineConfig::default())?;
//!
//! let config = SamplingConfig { temperature: 0.8, max_tokens: 5, ..SamplingConfig::default() };
//! let first = engine.add(Request::new(vec![1, 2, 3], config.clone()))?;
//! engine.add(Request::new(vec![4, 5], SamplingConfig { stream: 1, ..config }))?;
//! while engine.is_busy() {
//!     for event in engine.step() {
//!         match event {
//!             Event::Token(request, token) => println!("{request:?}: {} ({})", token.id, token.logprob),
//!             Event::Finished(request, completion) if request == first => {
//!                 let sequence = [&[1, 2, 3], completion.ids.as_slice()].concat();
//!                 let logprobs = score(engine.decoder(), &sequence)?;
//!                 assert!((logprobs[2] - completion.logprobs[0]).abs() < 1e-4);
//!             }
//!             Event::Finished(_, completion) => assert_eq!(completion.ids.len(), 5),
//!             Event::Failed(_, error) => return Err(error.into()),
//!         }
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod sampling;
pub mod distribution;
pub mod utf8;
pub mod stop;
pub mod constraint;
pub mod completion;
pub mod engine;
pub mod generate;
pub mod score;
pub mod completions;
mod error;
mod host;
mod padding;

pub use completion::{Completion, FinishReason, PromptScore, Timing};
pub use completions::{PaddedBatch, ScoreLimits, ScoredSequence, TokenScore, completion_logprobs, score_completions};
pub use constraint::{CompiledConstraint, Constraint, ConstraintCompiler, JSON_WHITE_SPACE, check_schema};
pub use distribution::{Distribution, Sampled, Sampler, Seen};
pub use engine::{Engine, EngineConfig, Event, Memory, Request, RequestId, Speculation, Token};
pub use error::InferError;
pub use generate::{generate, generate_batch};
pub use padding::by_length;
pub use sampling::SamplingConfig;
pub use score::score;
pub use stop::{StopStrings, TokenBytes};
pub use utf8::Utf8Guard;

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
