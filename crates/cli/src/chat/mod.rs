//! What `fireclay chat` is made of: lines typed, what they mean, and the conversation that comes of them.

mod terminal;
mod input;
mod conversation;

pub use conversation::{Conversation, Fit};
pub use input::{HELP, Input};
pub use terminal::{Terminal, refuse, tell};
