//! What a model can do, measured: one evaluator a file, each a function of a model and its questions.
//!
//! Reading order: [`task`] (what was asked for) → [`set`] and [`embedded`] (the questions) → the evaluators → [`outcome`] and [`interval`] →
//! [`table`]. `docs/evaluation.md` has the formulas.

pub mod task;
pub mod set;
pub mod embedded;
pub mod reader;
pub mod spans;
pub mod multiple_choice;
pub mod schema;
pub mod completion;
pub mod answers;
pub mod exact;
pub mod battery;
pub mod text;
pub mod preferences;
pub mod wins;
pub mod outcome;
pub mod interval;
pub mod table;

pub use outcome::{Metric, Outcome};
pub use reader::Reader;
pub use set::Set;
pub use task::{Asked, parse_tasks};

#[cfg(test)]
mod tests;
