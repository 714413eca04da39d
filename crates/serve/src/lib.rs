//! Models over HTTP, as `OpenAI`'s API has it, and the conversations that people have with them.

pub mod store;
