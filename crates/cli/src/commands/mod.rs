//! One file per command.

pub mod train;
mod beginning;
pub mod plan;
pub mod tokenizer;
pub mod data;
pub mod generate;
pub mod chat;
pub mod score;
pub mod serve;
pub mod eval;
pub mod export;
pub mod merge;
pub mod report;
pub mod watch;
pub mod bench;
mod bench_streams;
pub mod completions;
