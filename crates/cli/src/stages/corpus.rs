//! The text of a recipe: files, or the embedded corpus.

use std::path::Path;

use anyhow::Result;
use fireclay_corpus::{self as corpus, Split};
use fireclay_data::{
    DataError, ShardSet, TokenizeOptions, ValidationSplit, open_documents_with, tokenize_paths, tokenize_splits,
};
use fireclay_tokenizer::Tokenizer;

use super::documents::{as_tokenized, embedded, read_options};
use super::learns_from::LearnsFrom;
use super::mixture;
use crate::recipe::SharedSections;
use crate::tokenizer_kind::TokenizerKind;

/// The training documents' texts, for training a tokenizer. Ends at the first error, which is stored in `failed`.
///
/// # Errors
/// When a path is missing or of an unknown kind.
pub fn document_texts<'a>(
    recipe: SharedSections,
    failed: &'a mut Option<DataError>,
) -> Result<Box<dyn Iterator<Item = String> + Send + 'a>> {
    // A character that training has not seen could not be encoded later.
    let characters = recipe.tokenizer.kind == TokenizerKind::Char;
    let limit = if characters { u64::MAX } else { recipe.tokenizer.max_bytes };
    if recipe.data.paths.is_empty() {
        let validation = characters.then(|| corpus::documents(recipe.corpus, Split::Validation));
        let texts = corpus::documents(recipe.corpus, Split::Train).chain(validation.into_iter().flatten());
        let rendered = recipe.corpus.chat_template;
        return Ok(Box::new(up_to(limit, texts.flat_map(move |document| as_tokenized(document, rendered)))));
    }
    if recipe.data.with_corpus {
        let texts = mixture::texts(recipe)?;
        return Ok(Box::new(up_to(limit, until_error(texts, failed))));
    }
    let mut paths = recipe.data.paths.clone();
    if characters {
        paths.extend_from_slice(&recipe.data.validation_paths);
    }
    let documents = open_documents_with(&paths, &read_options(recipe))?;
    let texts = documents.map(|document| document.map(|document| document.text));
    Ok(Box::new(up_to(limit, until_error(texts, failed))))
}

/// Texts up to the first error, which is stored in `failed`.
fn until_error<'a>(
    texts: impl Iterator<Item = Result<String, DataError>> + Send + 'a,
    failed: &'a mut Option<DataError>,
) -> impl Iterator<Item = String> + Send + 'a {
    texts.map_while(move |text| text.map_err(|error| *failed = Some(error)).ok())
}

/// Texts until they are `limit` bytes together.
fn up_to(limit: u64, texts: impl Iterator<Item = String> + Send) -> impl Iterator<Item = String> + Send {
    texts.scan(0u64, move |bytes, text| {
        let begins = *bytes;
        *bytes += text.len() as u64;
        (begins < limit).then_some(text)
    })
}

/// The recipe's text as tokens in `dir`, made now or by an earlier run. A stage that has `begun` keeps its tokens, even
/// if the files have changed since.
pub(super) fn shards(
    recipe: SharedSections,
    tokenizer: &Tokenizer,
    dir: &Path,
    begun: bool,
    progress: bool,
) -> Result<ShardSet> {
    let shards = stored_shards(recipe, tokenizer, dir, begun, progress)?;
    Ok(match tokenizer.end_of_text_id() {
        Some(end) if recipe.data.separate_documents => shards.with_documents_apart(end),
        _ => shards,
    })
}

fn stored_shards(
    recipe: SharedSections,
    tokenizer: &Tokenizer,
    dir: &Path,
    begun: bool,
    progress: bool,
) -> Result<ShardSet> {
    if begun {
        match ShardSet::open(dir, tokenizer) {
            // The tokens were deleted, as the message about damaged ones advises: they are made again, and the position
            // in them is refused if the text has changed.
            Err(DataError::Incomplete { .. }) => {}
            other => return Ok(other?),
        }
    }
    let fraction = recipe.data.validation_fraction;
    let split = ValidationSplit::Auto { fraction, seed: 0 };
    let options = TokenizeOptions { split, progress, read: read_options(recipe), ..TokenizeOptions::default() };
    if !recipe.data.paths.is_empty() && recipe.data.with_corpus {
        return mixture::shards(recipe, tokenizer, dir, &options);
    }
    if !recipe.data.paths.is_empty() {
        let options = TokenizeOptions { validation_paths: recipe.data.validation_paths.clone(), ..options };
        let tokenized = tokenize_paths(&recipe.data.paths, tokenizer, dir, &options)?;
        if tokenized.skipped_files > 0 {
            tracing::warn!("passed over {} files of other kinds, or without content", tokenized.skipped_files);
        }
        return Ok(tokenized.shards);
    }
    let key = format!("embedded corpus {}", serde_json::to_string(recipe.corpus)?);
    if dir.exists() {
        // Anything but a complete set of this corpus and tokenizer is generated again; nothing is lost.
        if let Some(shards) = ShardSet::open(dir, tokenizer).ok().filter(|shards| shards.key() == key) {
            return Ok(shards);
        }
    }
    let options = TokenizeOptions { key, ..options };
    let documents = |split| embedded(recipe.corpus, split, tokenizer);
    let (train, validation) = (documents(Split::Train), documents(Split::Validation));
    Ok(tokenize_splits(train, validation, tokenizer, dir, &options)?)
}

/// Sources of the text and the examples that stages learn from, in words. Where they differ, each says for which stages
/// it is.
#[must_use]
pub fn describe_data<'a>(
    recipe: SharedSections,
    stages: impl Iterator<Item = (&'static str, LearnsFrom<'a>)>,
) -> String {
    let mut sources: Vec<(String, Vec<&str>)> = vec![];
    for (stage, learns_from) in stages {
        let source = match learns_from.files() {
            [] if learns_from.is_text() => describe_text(recipe),
            [] => EMBEDDED.into(),
            files => files.join(", "),
        };
        match sources.iter_mut().find(|(known, _)| *known == source) {
            Some((_, stages)) => stages.push(stage),
            None => sources.push((source, vec![stage])),
        }
    }
    match sources.as_slice() {
        [] => describe_text(recipe),
        [(only, _)] => only.clone(),
        several => {
            let described = several.iter().map(|(source, stages)| format!("{source} ({})", stages.join(", ")));
            described.collect::<Vec<_>>().join("; ")
        }
    }
}

const EMBEDDED: &str = "the embedded corpus";

fn describe_text(recipe: SharedSections) -> String {
    let paths = recipe.data.paths.join(", ");
    match (paths.is_empty(), recipe.data.with_corpus) {
        (true, _) => EMBEDDED.into(),
        (false, false) => paths,
        (false, true) => format!("{EMBEDDED} and {paths}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::recipe::Recipe;
    use crate::stages::Stage;

    #[test]
    fn the_source_of_each_stage_is_told_where_they_differ() {
        let mut recipe = Recipe { stages: vec![Stage::Pretrain, Stage::Sft], ..Recipe::default() };
        let described = |recipe: &Recipe| {
            let stages = recipe.training().into_iter().map(|(stage, section)| (stage.name(), section.learns_from()));
            super::describe_data(recipe.shared(), stages.filter(|(name, _)| ["pretrain", "sft"].contains(name)))
        };
        assert_eq!(described(&recipe), "the embedded corpus");
        recipe.sft.data.data = vec!["chats.jsonl".into(), "more/".into()];
        assert_eq!(described(&recipe), "the embedded corpus (pretrain); chats.jsonl, more/ (sft)");
        recipe.data.paths = vec!["book.txt".into()];
        assert_eq!(described(&recipe), "book.txt (pretrain); chats.jsonl, more/ (sft)");
    }
}
