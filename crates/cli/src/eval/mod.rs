//! Tasks of `fireclay eval`, by name or file, and their questions. The evaluators are `fireclay_eval`'s.

mod task;
mod set;
mod held_out;

pub use set::Set;
pub use task::{EvalTask, parse_tasks};
