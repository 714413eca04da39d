//! Trains a tokenizer on a text file and saves it: `train TEXT FOLDER [VOCABULARY]`, one token a character without
//! VOCABULARY.
//!
//! `check_saved.py` beside this file opens the folder in `transformers` and compares.

use fireclay_tokenizer::{BpeConfig, Tokenizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [text, folder, size @ ..] = arguments.as_slice() else {
        return Err("usage: train TEXT FOLDER [VOCABULARY]".into());
    };
    let text = std::fs::read_to_string(text)?;
    let documents = [text.clone()].into_iter();
    let tokenizer = match size.first() {
        Some(size) => {
            let config = BpeConfig { vocab_size: size.parse()?, ..BpeConfig::default() };
            Tokenizer::train_bpe(documents, &config)?
        }
        None => Tokenizer::train_char(documents)?,
    };
    tokenizer.save(folder)?;
    let ids = tokenizer.encode(&text);
    let bytes_a_token = text.len() as f64 / ids.len() as f64;
    println!("{} tokens in the vocabulary, {bytes_a_token:.2} bytes a token", tokenizer.vocab_size());
    std::fs::write(format!("{folder}/ids.json"), serde_json::to_string(&ids)?)?;
    Ok(())
}
