//! Tasks of `fireclay eval`, by name or file, their questions, and the models that answer. The evaluators are
//! `fireclay_eval`'s.

mod task;
mod kinds;
mod held_out;
mod models;

pub use kinds::Needs;
pub use models::{Models, Subject, missing, only_scores};
pub use task::{EvalTask, named_tasks, parse_tasks};
