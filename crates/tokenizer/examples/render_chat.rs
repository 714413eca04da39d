//! A conversation as the model's chat template renders it: `render_chat MODEL_DIR < messages.json`.
//!
//! Standard input holds a JSON list of messages with `role` and `content`; the rendered text, with the prompt for the
//! next answer, goes to standard output.

use fireclay_tokenizer::{Message, Tokenizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: render_chat MODEL_DIR < messages.json")?;
    let messages: Vec<Message> = serde_json::from_reader(std::io::stdin())?;
    print!("{}", Tokenizer::load(directory)?.render_chat(&messages, true)?);
    Ok(())
}
