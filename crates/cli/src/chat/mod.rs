//! Parts of `fireclay chat`: input lines, their meaning, the conversation, and the output of a reply.

mod terminal;
mod editor;
mod input;
mod stored;
mod reply;
mod wrap;
mod opening_quote;
mod sentences;
mod suggestions;
mod session;
mod stored_commands;

pub use session::{ChatSession, ChatSettings, check_system};
pub use stored::Stored;
pub use suggestions::{lines as suggestion_lines, suggestions};
pub use terminal::{Terminal, is_interactive, tell, width};
