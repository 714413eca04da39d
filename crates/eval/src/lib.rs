#![doc = include_str!("../README.md")]
//!
//! # In detail
//!
//! Evaluation of models: one evaluator per file, each a function of a model and its questions.
//!
//! ```text
//! files, embedded corpus  ──►  questions  ──evaluator (EvalModel)──►  TaskReport  ──►  table, JSON
//! ```
//!
//! | questions | evaluator | judged by |
//! |---|---|---|
//! | [`MultipleChoice`](fireclay_data::examples::MultipleChoice) | [`multiple_choice()`] | whether the right choice is the most probable |
//! | [`Schema`](fireclay_data::examples::Schema) | [`schema()`] | whether the ending is the most probable after the right context |
//! | [`Continuation`](fireclay_data::examples::Continuation) | [`completion()`] | whether greedy decoding writes the continuation |
//! | [`Task`](fireclay_data::examples::Task) | [`exact_match`] | whether the answer passes the task's check |
//! | [`Task`](fireclay_data::examples::Task) | [`win_rate`] | the reward model's preference between two models' answers |
//! | [`Preference`](fireclay_data::examples::Preference) | [`preferences_by_likelihood`], [`preferences_by_reward`] | whether the model prefers the chosen answer |
//! | documents | [`text()`] | loss, perplexity, bits per byte |
//! | common first messages | [`battery::battery`] | the share of right replies |
//!
//! [`embedded`] has the embedded corpus' held-out questions. A [`TaskReport`] has [`Metric`]s, a share with its 95 %
//! interval ([`wilson`]) and the chance level; [`table()`] shows several.
//!
//! Reading order: [`EvalModel`] → the evaluators → [`TaskReport`]. `docs/evaluation.md` has the formulas.

mod eval_model;
mod spans;
mod multiple_choice;
mod schema;
mod completion;
mod answers;
mod exact;
pub mod battery;
mod text;
mod preferences;
mod wins;
pub mod embedded;
mod task_report;
mod interval;
mod table;
mod error;

pub use answers::{ModelAnswer, answers, prompts};
pub use completion::completion;
pub use error::EvalError;
pub use eval_model::{EvalModel, Scored};
pub use exact::exact_match;
pub use interval::wilson;
pub use multiple_choice::multiple_choice;
pub use preferences::{preferences_by_likelihood, preferences_by_reward};
pub use schema::schema;
pub use table::table;
pub use task_report::{Metric, TaskReport};
pub use text::{Likelihood, text};
pub use wins::win_rate;

#[cfg(test)]
mod tests;
