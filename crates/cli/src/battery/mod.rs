//! The battery of a run: its prompts, what a stage reached on it, and stages side by side.
//!
//! Asking and judging is `fireclay_rlhf::battery`'s.

mod prompts;
mod figures;
mod verdict;
mod table;

pub use figures::Figures;
pub use prompts::{battery, tasks, world_of};
pub use table::{Row, SideBySide, StageReplies, Table, percent, read, side_by_side};
pub use verdict::Verdict;
