//! Windows of text, as pretraining learns from them.

use anyhow::Result;
use fireclay_data::{DataError, Document, PackedSource, ShardSet, Source, Split};
use fireclay_tokenizer::Tokenizer;

use super::{RowPart, ShownRow};

/// Token ids of documents, the end-of-text token after each, until there are `enough`.
///
/// # Errors
/// When a document cannot be read, or has a character that is not in the vocabulary.
pub fn ids(
    documents: impl Iterator<Item = Result<Document, DataError>>,
    tokenizer: &Tokenizer,
    enough: usize,
) -> Result<Vec<u32>> {
    let mut ids = vec![];
    for document in documents {
        let document = document?;
        // Long documents come in pieces.
        if document.begins() && !ids.is_empty() {
            ids.extend(tokenizer.end_of_text_id());
        }
        ids.extend(document.encode(tokenizer)?);
        if ids.len() >= enough {
            return Ok(ids);
        }
    }
    ids.extend(tokenizer.end_of_text_id());
    Ok(ids)
}

/// The rows of the first `count` batches of windows of `context` tokens and the next one. All but a window's first
/// token are learned.
///
/// # Errors
/// When there are fewer tokens than a window has.
pub fn rows(
    ids: Vec<u32>,
    tokenizer: &Tokenizer,
    [batch, context, count]: [usize; 3],
    seed: u64,
) -> Result<Vec<ShownRow>> {
    let shards = ShardSet::from_ids(ids, vec![]);
    let mut source = PackedSource::new(&shards, Split::Train, batch, context, seed)?;
    let mut rows = vec![];
    for _ in 0..count {
        let of_batch = source.next_batch()?;
        for (ids, targets) in of_batch.ids.chunks_exact(context).zip(of_batch.targets.chunks_exact(context)) {
            let window: Vec<u32> = ids.iter().chain(targets.last()).copied().collect();
            rows.push(ShownRow {
                title: format!("row {}", rows.len() + 1),
                parts: parts(&window, tokenizer),
                padding: 0,
            });
        }
    }
    Ok(rows)
}

/// A window's documents: the token that ends a document belongs to it.
fn parts(window: &[u32], tokenizer: &Tokenizer) -> Vec<RowPart> {
    let end = tokenizer.end_of_text_id();
    let (mut parts, mut first) = (vec![], true);
    for ids in window.split_inclusive(|&id| Some(id) == end) {
        let loss: Vec<bool> = (0..ids.len()).map(|at| !first || at > 0).collect();
        parts.push(RowPart::new(format!("document {}", parts.len() + 1), ids, &loss, tokenizer));
        first = false;
    }
    parts
}
