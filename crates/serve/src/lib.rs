//! An OpenAI-compatible server with stored conversations and a web page. The only async crate.

pub mod store;
