//! What `fireclay chat` is made of: lines typed, what they mean, the conversation that comes of them, and what is shown of a reply.

mod terminal;
mod input;
mod conversation;
mod reply;
mod opening_quote;
mod sentences;
mod suggestions;

pub use conversation::{Conversation, Fit};
pub use input::{HELP, Input};
pub use reply::Reply;
pub use suggestions::{lines as suggestion_lines, suggestions};
pub use terminal::{Terminal, refuse, tell, width};
