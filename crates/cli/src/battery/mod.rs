//! The battery of a run: its prompts, what a stage reached on it, and stages side by side.
//!
//! Asking and judging is `fireclay_rlhf::battery`'s.

mod prompts;
mod figures;
mod verdict;

pub use figures::Figures;
pub use prompts::{battery, tasks, world_of};
pub use verdict::Verdict;
