//! The battery of common first messages: its prompts, the results of a model or a finished stage, and a comparison of
//! stages.
//!
//! [`fireclay_rlhf::battery`] generates and judges the replies.

mod prompts;
mod ask;
mod figures;
mod table;

pub use ask::battery;
pub use figures::{BatteryShares, best_stage};
pub use prompts::{encode, tasks};
pub use table::{BatteryTable, Cell, SideBySide, StageReplies, TopicRow, percent, read, side_by_side};
