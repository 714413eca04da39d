//! The stages of a recipe, each reading what the one before left in the run directory.

mod corpus;
mod tokenizer;
mod pretrain;

pub use corpus::describe_data;
pub use pretrain::pretrain;
pub use tokenizer::{tokenizer, vocab_size};
