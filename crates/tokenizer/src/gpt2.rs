//! GPT-2's pair of files: a vocabulary in JSON, and merges a line each.

use std::collections::HashMap;
use std::path::Path;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, normalizers};

use crate::patterns::{GPT2_PATTERN, QWEN_PATTERN, byte_level};
use crate::settings::Settings;
use crate::text_file::{read, read_object};
use crate::{Tokenizer, TokenizerError, added};

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
    let stated = settings.added_tokens(&vocabulary_path)?;
    settings.read_added_tokens(folder)?;
    let invalid = |error: tokenizers::Error| TokenizerError::invalid(&vocabulary_path, error);
    // Without a class, transformers goes by the model beside it.
    let model_type = || read_object(&folder.join("config.json")).ok()?.get("model_type")?.as_str().map(str::to_owned);
    let qwen = match settings.text("tokenizer_class") {
        Some(class) => class.starts_with("Qwen2"),
        None => model_type().is_some_and(|model| model.starts_with("qwen2") || model.starts_with("qwen3")),
    };
    let has_end_of_text = vocabulary.contains_key("<|endoftext|>");
    let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(invalid)?;
    let pattern = if qwen { QWEN_PATTERN } else { GPT2_PATTERN };
    let mut library = byte_level(model, pattern, settings.flag("add_prefix_space")).map_err(invalid)?;
    if qwen {
        library.with_normalizer(Some(normalizers::NFC)).map_err(invalid)?;
    }
    added::add(&mut library, &settings, &stated, &vocabulary_path)?;
    if !folder.join("tokenizer_config.json").is_file() {
        settings.fill_in(has_end_of_text.then_some("<|endoftext|>"));
    }
    if has_end_of_text {
        library.add_special_tokens([AddedToken::from("<|endoftext|>", true)]).map_err(invalid)?;
    }
    // Tokenizers of one file say this in its post-processor, and the flag means nothing there.
    if settings.flag("add_bos_token")
        && let Some(bos) = settings.special("bos_token").map(str::to_owned)
        && let Some(id) = library.token_to_id(&bos)
    {
        let processor = TemplateProcessing::builder()
            .try_single(format!("{bos}:0 $A:0"))
            .and_then(|builder| builder.special_tokens(vec![(bos.as_str(), id)]).build().map_err(|e| e.to_string()));
        library.with_post_processor(Some(processor.map_err(|error| invalid(error.into()))?));
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
                return Err(invalid(format!("token {token:?} is not in the vocabulary")));
            }
        }
        merges.push((left.to_owned(), right.to_owned()));
    }
    Ok(merges)
}
