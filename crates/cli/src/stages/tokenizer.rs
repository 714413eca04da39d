//! The stage `tokenizer`: trained on the recipe's text, or taken from a file or a model.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use fireclay_tokenizer::{BpeConfig, Tokenizer, WordsConfig};
use fireclay_train::StageFiles;

use super::Stage;
use super::corpus::document_texts;
use crate::recipe::{Preset, SharedSections};
use crate::run_dir::{RunDir, write_whole};
use crate::tokenizer_kind::TokenizerKind;

/// Tokens in the vocabulary that the recipe's tokenizer will have: as asked for BPE, counted in the text for
/// characters.
///
/// # Errors
/// When a tokenizer, or text whose characters are to be counted, cannot be read.
pub fn vocab_size(recipe: SharedSections, model: Option<&Path>) -> Result<usize> {
    Ok(match starting_tokenizer(recipe, model)? {
        Some(tokenizer) => tokenizer.vocab_size(),
        None if recipe.tokenizer.kind == TokenizerKind::Char => train(recipe)?.vocab_size(),
        None => recipe.tokenizer.vocab_size,
    })
}

/// The tokenizer that a run takes instead of training one: that of `--model`, or of the recipe's `tokenizer.path`.
fn starting_tokenizer(recipe: SharedSections, model: Option<&Path>) -> Result<Option<Tokenizer>> {
    let path = model.map(Path::to_path_buf).or_else(|| recipe.tokenizer.path.as_ref().map(Into::into));
    path.map(Tokenizer::load).transpose().map_err(Into::into)
}

/// Writes a tokenizer to `RUN/tokenizer`, and returns it with whether it already existed.
///
/// # Errors
/// When the text or the tokenizer cannot be read, or the folder not be written.
pub fn tokenizer(recipe: SharedSections, run: &RunDir, model: Option<&Path>) -> Result<(Tokenizer, bool)> {
    let files = run.stage(Stage::Tokenizer);
    let dir = files.folder();
    if files.is_done() {
        return Ok((with_start_time(&Tokenizer::load(dir)?, dir), true));
    }
    let tokenizer = match starting_tokenizer(recipe, model)? {
        Some(tokenizer) => tokenizer,
        None => train(recipe)?,
    };
    tokenizer.save(dir)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    write_whole(&files.done(), &format!("{}\n", now.as_secs()))?;
    // Later stages use the saved tokenizer.
    Ok((with_start_time(&Tokenizer::load(dir)?, dir), false))
}

/// The tokenizer of a run. Its chat template gets the time at which the run began: a date in a template must not change
/// the examples of a run that resumes the next day.
pub fn with_start_time(tokenizer: &Tokenizer, dir: &Path) -> Tokenizer {
    let seconds = StageFiles::new(dir).summary().unwrap_or_default();
    let moment = seconds.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    moment.map_or_else(|| tokenizer.clone(), |moment| tokenizer.with_now(moment))
}

/// Trains the tokenizer that the recipe describes.
fn train(recipe: SharedSections) -> Result<Tokenizer> {
    let section = recipe.tokenizer;
    let mut failed = None;
    let texts = document_texts(recipe, &mut failed)?;
    let trained = match section.kind {
        TokenizerKind::Bpe => {
            let config = BpeConfig {
                vocab_size: section.vocab_size,
                split_digits: section.split_digits,
                composed: recipe.model.preset == Preset::Qwen2,
                ..BpeConfig::default()
            };
            Tokenizer::train_bpe(texts, &config)
        }
        TokenizerKind::Words => {
            Tokenizer::train_words(texts, &WordsConfig { vocab_size: section.vocab_size, ..WordsConfig::default() })
        }
        TokenizerKind::Char => Tokenizer::train_char(texts),
    };
    // A document that could not be read is the cause, even if training on the rest succeeded.
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(trained?),
    }
}
