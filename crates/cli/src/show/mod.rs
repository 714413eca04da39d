//! Readable view of training batches: rows of tokens as text, with marks for loss, borders of examples, and padding.
//!
//! Reading order: [`row`] → [`conversations`], [`preferences`], [`answers`], [`text`] → [`paint`].

pub mod row;
pub mod conversations;
pub mod preferences;
pub mod answers;
pub mod text;
pub mod paint;

pub use paint::Paint;
pub use row::{RowPart, ShownRow, Span};

#[cfg(test)]
mod tests;
