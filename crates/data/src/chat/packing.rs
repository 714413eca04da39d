//! Whole conversations in rows of equal length.

use std::collections::BTreeSet;

use super::EncodedChats;
use crate::Batch;

/// Assignment of conversations to rows, by index. Every conversation is in one row as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packing {
    pub rows: Vec<Vec<u32>>,
}

impl Packing {
    /// Best fit: each conversation, in the given order, goes into the row with the least sufficient room (the first of
    /// equals), or else starts a new row.
    pub(super) fn new(chats: &EncodedChats, order: impl Iterator<Item = u32>) -> Self {
        let shortest = chats.chats.iter().map(|chat| chat.ids.len()).min().unwrap_or(0);
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut rooms: BTreeSet<(usize, usize)> = BTreeSet::new();
        for chat in order {
            let length = chats.chats[chat as usize].ids.len();
            let fit = rooms.range((length, 0)..).next().copied();
            let (room, row) = fit.unwrap_or_else(|| {
                rows.push(Vec::new());
                (chats.context + 1, rows.len() - 1)
            });
            rooms.remove(&(room, row));
            rows[row].push(chat);
            if room - length >= shortest {
                rooms.insert((room - length, row));
            }
        }
        Self { rows }
    }
}

/// The batch of some rows.
///
/// A row has `context + 1` tokens: the first `context` are ids, the last `context` targets. A target counts if it
/// carries loss and belongs to the conversation of the id before it. Padding is a separate segment.
pub(super) fn batch(chats: &EncodedChats, rows: &[&[u32]]) -> Batch {
    let context = chats.context;
    let places = rows.len() * context;
    let (mut ids, mut targets) = (Vec::with_capacity(places), Vec::with_capacity(places));
    let (mut weights, mut segments) = (Vec::with_capacity(places), Vec::with_capacity(places));
    for row in rows {
        let mut tokens = Vec::with_capacity(context + 1);
        // Whether the token is learned, and its segment.
        let mut marks = Vec::with_capacity(context + 1);
        for (&chat, segment) in row.iter().zip(0_u32..) {
            let chat = &chats.chats[chat as usize];
            tokens.extend_from_slice(&chat.ids);
            marks.extend(chat.loss.iter().map(|&loss| (loss, segment)));
        }
        assert!(tokens.len() <= context + 1, "{} tokens in a row of {context}", tokens.len());
        tokens.resize(context + 1, chats.padding);
        marks.resize(context + 1, (false, row.len() as u32));
        ids.extend_from_slice(&tokens[..context]);
        targets.extend_from_slice(&tokens[1..]);
        let learned = |pair: &[(bool, u32)]| pair[1].0 && pair[0].1 == pair[1].1;
        weights.extend(marks.windows(2).map(|pair| if learned(pair) { 1.0 } else { 0.0 }));
        segments.extend(marks[..context].iter().map(|&(_, segment)| segment));
    }
    Batch { batch: rows.len(), context, ids, targets, weights: Some(weights), segments: Some(segments) }
}
