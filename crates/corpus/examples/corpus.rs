//! Prints the embedded corpus as JSON lines, to read it or to train something else on it:
//!
//! ```text
//! cargo run --release -p fireclay-corpus --example corpus -- documents|conversations|preferences|battery [train|validation] [COUNT] [NOTES]
//! ```
//!
//! NOTES: how many of the documents, the first ones, are notes (0).

use std::io::{self, BufWriter, Write};

use fireclay_corpus::{
    ConversationConfig, CorpusConfig, PromptConfig, Split, WorldConfig, battery, conversations, documents, preferences,
};
use serde_json::json;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).map_or(default.to_owned(), Clone::clone);
    let split = if argument(1, "train") == "validation" { Split::Validation } else { Split::Train };
    let count: usize = argument(2, "20").parse().map_err(io::Error::other)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match argument(0, "conversations").as_str() {
        "documents" => {
            let config = CorpusConfig {
                documents: None,
                validation_documents: count as u64,
                notes_first: argument(3, "0").parse().map_err(io::Error::other)?,
                ..CorpusConfig::default()
            };
            for text in documents(&config, split).take(count) {
                writeln!(out, "{}", json!({ "text": text.to_string() }))?;
            }
        }
        "preferences" => {
            for pair in preferences(&PromptConfig::default(), split).take(count) {
                writeln!(out, "{}", serde_json::to_string(&pair)?)?;
            }
        }
        "battery" => {
            for prompt in battery(&WorldConfig::default(), count) {
                writeln!(out, "{}", serde_json::to_string(&prompt)?)?;
            }
        }
        _ => {
            let config = ConversationConfig { flawed_percent: 6, ..ConversationConfig::default() };
            for conversation in conversations(&config, split).take(count) {
                writeln!(out, "{}", serde_json::to_string(&conversation)?)?;
            }
        }
    }
    out.flush()
}
