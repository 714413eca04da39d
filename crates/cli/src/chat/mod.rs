//! What `fireclay chat` is made of: lines typed, what they mean, the conversation that comes of them, and what is shown
//! of a reply.

mod terminal;
mod editor;
mod input;
mod stored;
mod reply;
mod opening_quote;
mod sentences;
mod suggestions;
mod session;
mod stored_commands;

pub use session::{Session, Settings, check_system};
pub use stored::Stored;
pub use suggestions::{lines as suggestion_lines, suggestions};
pub use terminal::{Terminal, is_interactive, tell, width};
