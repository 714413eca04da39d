//! `fireclay tokenizer`: train one, encode, decode.

use std::io::{self, Write};
use std::sync::Mutex;

use anyhow::Result;
use fireclay_data::{DataError, open_documents};
use fireclay_tokenizer::{BpeConfig, Tokenizer, WordsConfig};
use serde_json::json;

use crate::args::{TokenizerCommand, TokenizerDecodeArgs, TokenizerEncodeArgs, TokenizerTrainArgs};
use crate::error::user;
use crate::ids::parse_ids;
use crate::model::load_tokenizer;
use crate::text_file;
use crate::tokenizer_kind::TokenizerKind;

/// Runs the sub-command.
///
/// # Errors
/// When a flag, the text or the tokenizer is wrong, or the result cannot be written.
pub fn run(command: &TokenizerCommand) -> Result<()> {
    match command {
        TokenizerCommand::Train(args) => train(args),
        TokenizerCommand::Encode(args) => encode(args),
        TokenizerCommand::Decode(args) => decode(args),
    }
}

/// As in a recipe.
const LARGEST_VOCABULARY: usize = 1_000_000;

fn train(args: &TokenizerTrainArgs) -> Result<()> {
    if args.kind == TokenizerKind::Char && args.vocab.is_some() {
        return Err(user("--vocab has no meaning with --kind char: the characters of the text decide; leave it out"));
    }
    if let Some(vocab) = args.vocab.filter(|&vocab| vocab > LARGEST_VOCABULARY) {
        return Err(user(format!("--vocab {vocab}: at most {LARGEST_VOCABULARY}")));
    }
    if args.out.is_file() {
        return Err(user(format!("--out {}: is a file; give a folder", args.out.display())));
    }
    // The documents stop at the first one that cannot be read; that error takes precedence over errors of training.
    let failure: Mutex<Option<DataError>> = Mutex::new(None);
    let texts = open_documents(&args.data)?.map_while(|document| match document {
        Ok(document) => Some(document.text),
        Err(error) => {
            *failure.lock().expect("no thread panics while it holds the lock") = Some(error);
            None
        }
    });
    let trained = match args.kind {
        TokenizerKind::Bpe => {
            let default = BpeConfig::default();
            let vocab_size = args.vocab.unwrap_or(default.vocab_size);
            Tokenizer::train_bpe(texts, &BpeConfig { vocab_size, ..default })
        }
        TokenizerKind::Words => {
            let default = WordsConfig::default();
            let vocab_size = args.vocab.unwrap_or(default.vocab_size);
            Tokenizer::train_words(texts, &WordsConfig { vocab_size, ..default })
        }
        TokenizerKind::Char => Tokenizer::train_char(texts),
    };
    if let Some(error) = failure.into_inner().expect("no thread panicked while it held the lock") {
        return Err(error.into());
    }
    let tokenizer = trained?;
    tokenizer.save(&args.out)?;
    let size = tokenizer.vocab_size();
    if let Some(asked) = args.vocab.filter(|&asked| asked > size) {
        tracing::warn!("the text has only {size} tokens, not {asked}");
    }
    tracing::info!("wrote a vocabulary of {size} tokens to {}", args.out.display());
    Ok(())
}

fn encode(args: &TokenizerEncodeArgs) -> Result<()> {
    let tokenizer = load_tokenizer(&args.tokenizer)?;
    let text = match &args.text {
        Some(text) => text.clone(),
        None => text_file::read(args.file.as_deref())?,
    };
    let ids = match args.specials {
        true => tokenizer.encode_with_specials(&text),
        false => tokenizer.try_encode(&text)?,
    };
    let mut out = io::stdout();
    if args.json {
        let tokens: Vec<Option<String>> = ids.iter().map(|&id| tokenizer.id_to_token(id)).collect();
        writeln!(out, "{}", json!({ "ids": ids, "tokens": tokens }))?;
    } else {
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        writeln!(out, "{}", ids.join(" "))?;
    }
    Ok(())
}

fn decode(args: &TokenizerDecodeArgs) -> Result<()> {
    let tokenizer = load_tokenizer(&args.tokenizer)?;
    let (origin, text) = match &args.ids {
        Some(ids) => ("--ids", ids.clone()),
        None => ("standard input", text_file::read(None)?),
    };
    let ids = parse_ids(origin, &text)?;
    if let Some(id) = ids.iter().find(|&&id| tokenizer.id_to_token(id).is_none()) {
        let size = tokenizer.vocab_size();
        return Err(user(format!(
            "{origin}: {id} is not in this vocabulary, which has ids up to {}",
            size.saturating_sub(1)
        )));
    }
    let text = match args.skip_specials {
        true => tokenizer.decode_skip_specials(&ids),
        false => tokenizer.decode(&ids),
    };
    Ok(writeln!(io::stdout(), "{text}")?)
}
