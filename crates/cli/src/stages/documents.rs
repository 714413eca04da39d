//! Documents of the embedded corpus and of files.

use fireclay_corpus::{self as corpus, CorpusConfig, CorpusDocument, Split};
use fireclay_data::examples::messages;
use fireclay_data::{DataError, Document, ReadOptions};
use fireclay_tokenizer::Tokenizer;

use crate::recipe::SharedSections;

/// The documents of the embedded corpus. Conversations are rendered by the tokenizer's chat template.
pub fn embedded<'a>(
    config: &CorpusConfig,
    split: Split,
    tokenizer: &'a Tokenizer,
) -> impl Iterator<Item = Result<Document, DataError>> + Send + use<'a> {
    corpus::documents(config, split).map(move |document| match document {
        CorpusDocument::Text(text) => Ok(Document::new(text, "corpus")),
        CorpusDocument::Conversation(turns) => {
            let text = tokenizer
                .render_chat(&messages(turns), false)
                .map_err(|error| DataError::ChatTemplate(error.to_string()))?;
            Ok(Document::rendered(text, "corpus"))
        }
    })
}

/// The text of a document as it is tokenised. A rendered conversation is split at its special tokens: each turn follows
/// the speaker and a line end, so that first words have no space before them.
pub(super) fn as_tokenized(document: CorpusDocument, rendered: bool) -> Vec<String> {
    match document {
        CorpusDocument::Conversation(turns) if rendered => {
            turns.into_iter().map(|turn| format!("{}\n{}", turn.role, turn.content)).collect()
        }
        document => vec![document.to_string()],
    }
}

pub(super) fn read_options(recipe: SharedSections) -> ReadOptions {
    let mut options = ReadOptions { separator: recipe.data.separator.clone(), ..ReadOptions::default() };
    if let Some(column) = &recipe.data.text_column {
        options.text_column.clone_from(column);
    }
    options
}
