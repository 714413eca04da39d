//! Batches of packed conversations, as fine-tuning learns from them.

use anyhow::Result;
use fireclay_data::chat::{ChatSource, EncodedChats};
use fireclay_data::{Batch, Source};
use fireclay_tokenizer::Tokenizer;

use super::{RowPart, ShownRow};

/// The rows of the first `count` batches of `batch` rows.
///
/// # Errors
/// When the source cannot be made of these conversations.
pub fn rows(
    chats: EncodedChats,
    tokenizer: &Tokenizer,
    batch: usize,
    count: usize,
    seed: u64,
) -> Result<Vec<ShownRow>> {
    let mut source = ChatSource::new(chats, batch, seed)?;
    let mut rows = vec![];
    for _ in 0..count {
        let of_batch = source.next_batch()?;
        for row in 0..of_batch.batch {
            let number = rows.len() + 1;
            rows.push(self::row(&of_batch, row, number, tokenizer));
        }
    }
    Ok(rows)
}

/// One row: its `context` ids and the last target after them.
fn row(batch: &Batch, row: usize, number: usize, tokenizer: &Tokenizer) -> ShownRow {
    let places = row * batch.context..(row + 1) * batch.context;
    let mut ids = batch.ids[places.clone()].to_vec();
    ids.extend(batch.targets[places.clone()].last());
    let weights = batch.weights.as_ref().map_or(&[][..], |weights| &weights[places.clone()]);
    // A target's weight belongs to the next token: the first token of a row is never learned.
    let loss: Vec<bool> = std::iter::once(false).chain(weights.iter().map(|&weight| weight > 0.0)).collect();
    let segments = batch.segments.as_ref().map_or(&[][..], |segments| &segments[places]);
    let mut lengths: Vec<usize> = segments.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();

    // Every conversation has a token to learn, so a segment without one is padding. The row's last token has no
    // segment: it belongs to the segment before it, unless that is padding, or it is the padding token and carries no
    // loss.
    let last = lengths.last().map_or(0, |last| ids.len() - 1 - last);
    let padded = lengths.len() > 1 && !loss[last + 1..].contains(&true);
    let mut padding = if padded { lengths.pop().unwrap_or(0) + 1 } else { 0 };
    let learned = loss.last() == Some(&true);
    if !padded && !learned && ids.last() == Some(&tokenizer.pad_id().unwrap_or(0)) {
        padding = 1;
    } else if let (false, Some(last)) = (padded, lengths.last_mut()) {
        *last += 1;
    }
    let mut start = 0;
    let part = |(index, length): (usize, usize)| {
        let span = start..start + length;
        start += length;
        RowPart::new(format!("conversation {}", index + 1), &ids[span.clone()], &loss[span], tokenizer)
    };
    let parts: Vec<RowPart> = lengths.into_iter().enumerate().map(part).collect();
    ShownRow { title: format!("row {number}"), parts, padding }
}
