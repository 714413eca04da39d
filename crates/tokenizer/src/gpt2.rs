//! GPT-2's pair of files: a vocabulary in JSON, and merges a line each.

use std::collections::HashMap;
use std::path::Path;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{AddedToken, normalizers};

use crate::load::{GPT2_PATTERN, QWEN_PATTERN, byte_level, read};
use crate::settings::Settings;
use crate::{Tokenizer, TokenizerError};

pub(crate) fn load(folder: &Path, vocabulary: &str, merges: &str) -> Result<Tokenizer, TokenizerError> {
    let vocabulary_path = folder.join(vocabulary);
    let merges_path = folder.join(merges);
    for path in [&vocabulary_path, &merges_path] {
        if !path.is_file() {
            let looked_for = "vocab.json + merges.txt or encoder.json + vocab.bpe, always as a pair";
            return Err(TokenizerError::NotFound { path: path.clone(), looked_for });
        }
    }
    let vocabulary: HashMap<String, u32> = serde_json::from_str(&read(&vocabulary_path)?)
        .map_err(|error| TokenizerError::json(&vocabulary_path, &error))?;
    let vocabulary: Vocab = vocabulary.into_iter().collect();
    let merges = parse_merges(&merges_path, &read(&merges_path)?, &vocabulary)?;

    let mut settings = Settings::read(folder)?;
    let invalid = |error: tokenizers::Error| TokenizerError::invalid(&vocabulary_path, error);
    let qwen = settings.text("tokenizer_class").is_some_and(|class| class.starts_with("Qwen2"));
    let has_end_of_text = vocabulary.contains_key("<|endoftext|>");
    let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(invalid)?;
    let mut library = byte_level(model, if qwen { QWEN_PATTERN } else { GPT2_PATTERN }).map_err(invalid)?;
    if qwen {
        library.with_normalizer(Some(normalizers::NFC)).map_err(invalid)?;
    }
    for (id, token) in settings.added_tokens() {
        let content = token.content.clone();
        library.add_tokens([token]).map_err(invalid)?;
        if library.token_to_id(&content) != Some(id) {
            let detail =
                format!("tokenizer_config.json gives {content:?} the id {id}, which does not follow its vocabulary");
            return Err(TokenizerError::invalid(&vocabulary_path, detail));
        }
    }
    if settings.is_empty() {
        settings = Settings::generated(has_end_of_text.then_some("<|endoftext|>"), None);
    }
    if has_end_of_text {
        library.add_special_tokens([AddedToken::from("<|endoftext|>", true)]).map_err(invalid)?;
    }
    Ok(Tokenizer::new(library, settings))
}

fn parse_merges(path: &Path, text: &str, vocabulary: &Vocab) -> Result<Vec<(String, String)>, TokenizerError> {
    let mut merges = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || (number == 1 && line.starts_with("#version")) {
            continue;
        }
        let invalid = |detail: String| TokenizerError::InvalidLine { path: path.to_owned(), line: number, detail };
        let (left, right) = line
            .split_once(' ')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '))
            .ok_or_else(|| invalid(format!("expected two tokens and a space between, found {line:?}")))?;
        for token in [left, right, &format!("{left}{right}")] {
            if !vocabulary.contains_key(token) {
                return Err(invalid(format!("token {token:?} is not in the vocabulary beside it")));
            }
        }
        merges.push((left.to_owned(), right.to_owned()));
    }
    Ok(merges)
}
