//! The embedded corpus with the documents of files evenly between its own.

use std::path::Path;

use anyhow::Result;
use fireclay_corpus::{self as corpus, Split};
use fireclay_data::{
    DataError, Document, ShardSet, TokenizeOptions, documents_of_side, open_documents_with, tokenize_splits,
};
use fireclay_tokenizer::Tokenizer;

use super::documents::{as_tokenized, embedded, read_options};
use crate::recipe::SharedSections;

/// Seed of the split of files' documents, that of files alone.
const SPLIT_SEED: u64 = 0;

/// Documents of files, for training or for validation.
type FileDocuments = Box<dyn Iterator<Item = Result<Document, DataError>> + Send>;

/// The documents for training, in their order.
///
/// # Errors
/// When a path is missing or of an unknown kind.
pub fn train_documents<'a>(
    recipe: SharedSections,
    tokenizer: &'a Tokenizer,
) -> Result<impl Iterator<Item = Result<Document, DataError>> + Send + use<'a>> {
    Ok(evenly(recipe, embedded(recipe.corpus, Split::Train, tokenizer), file_documents(recipe, Split::Train)?)?)
}

/// The texts of the documents for training, as a tokenizer is trained on them.
///
/// # Errors
/// As [`train_documents`].
pub fn texts(recipe: SharedSections) -> Result<impl Iterator<Item = Result<String, DataError>> + Send + use<>> {
    let rendered = recipe.corpus.chat_template;
    let of_corpus = corpus::documents(recipe.corpus, Split::Train);
    let of_corpus = of_corpus.map(move |document| Ok(as_tokenized(document, rendered)));
    let of_files = file_documents(recipe, Split::Train)?.map(|document| Ok(vec![document?.text]));
    Ok(evenly(recipe, of_corpus, of_files)?.flat_map(|texts: Result<Vec<String>, DataError>| match texts {
        Ok(texts) => texts.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }))
}

/// Tokenises both. The corpus has validation documents of its own; of the files, `data.validation_paths` or a part of
/// the documents.
///
/// # Errors
/// As [`tokenize_splits`].
pub fn shards(
    recipe: SharedSections,
    tokenizer: &Tokenizer,
    dir: &Path,
    options: &TokenizeOptions,
) -> Result<ShardSet> {
    let of_files = file_documents(recipe, Split::Validation)?;
    let validation = embedded(recipe.corpus, Split::Validation, tokenizer).chain(of_files);
    Ok(tokenize_splits(train_documents(recipe, tokenizer)?, validation, tokenizer, dir, options)?)
}

/// The files' documents of a split: whole documents are held out if there are no files for validation.
fn file_documents(recipe: SharedSections, split: Split) -> Result<FileDocuments, DataError> {
    let data = recipe.data;
    let open = |paths: &[String]| open_documents_with(paths, &read_options(recipe));
    Ok(match (split, data.validation_paths.is_empty()) {
        (Split::Train, false) => Box::new(open(&data.paths)?),
        (Split::Validation, false) => Box::new(open(&data.validation_paths)?),
        (split, true) => Box::new(documents_of_side(open(&data.paths)?, split, data.validation_fraction, SPLIT_SEED)),
    })
}

/// The items of the corpus, with those of the files evenly between them. The files are read once more to count their
/// documents.
fn evenly<T, A, B>(recipe: SharedSections, of_corpus: A, of_files: B) -> Result<Evenly<A, B>, DataError>
where
    A: Iterator<Item = T>,
    B: Iterator<Item = T>,
{
    let mut count = 0;
    for document in file_documents(recipe, Split::Train)? {
        document?;
        count += 1;
    }
    let documents = match (recipe.corpus.documents, recipe.corpus.bytes) {
        (Some(documents), None) => documents as usize,
        _ => corpus::documents(recipe.corpus, Split::Train).count(),
    };
    Ok(Evenly { frequent: of_corpus, frequent_count: documents, rare: of_files, rare_count: count, taken: [0, 0] })
}

/// Two sequences interleaved so that both progress at the same relative rate.
struct Evenly<A, B> {
    frequent: A,
    frequent_count: usize,
    rare: B,
    rare_count: usize,
    /// Items of each that have passed.
    taken: [usize; 2],
}

impl<T, A: Iterator<Item = T>, B: Iterator<Item = T>> Iterator for Evenly<A, B> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let [frequent, rare] = &mut self.taken;
        // In the middle of its share of the other sequence.
        let is_due = (2 * *rare + 1) * self.frequent_count <= 2 * *frequent * self.rare_count;
        if is_due && let Some(item) = self.rare.next() {
            *rare += 1;
            return Some(item);
        }
        *frequent += 1;
        self.frequent.next().or_else(|| self.rare.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_spread_evenly_over_the_other() {
        let check = |frequent: usize, rare: usize, expect: &str| {
            let both = Evenly {
                frequent: std::iter::repeat_n('.', frequent),
                frequent_count: frequent,
                rare: std::iter::repeat_n('x', rare),
                rare_count: rare,
                taken: [0, 0],
            };
            assert_eq!(both.collect::<String>(), expect);
        };
        check(6, 1, "...x...");
        check(6, 2, "..x...x.");
        check(2, 6, ".xxx.xxx");
        check(3, 0, "...");
        check(0, 2, "xx");
    }
}
