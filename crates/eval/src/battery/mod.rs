//! The battery, what people type first: its prompts, what a model or a finished stage reaches on it, and stages side by
//! side.
//!
//! Asking and judging is [`fireclay_rlhf::battery`]'s.

mod prompts;
mod ask;
mod figures;
mod table;

pub use ask::battery;
pub use figures::BatteryShares;
pub use prompts::{encode, tasks};
pub use table::{BatteryTable, Cell, SideBySide, StageReplies, TopicRow, percent, read, side_by_side};
