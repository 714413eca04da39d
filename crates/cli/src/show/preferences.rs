//! Pairs of answers, as reward models and DPO learn from them.

use fireclay_data::chat::EncodedPair;
use fireclay_tokenizer::Tokenizer;

use super::{RowPart, ShownRow};

/// Each pair with the chosen answer above the rejected one; the answers carry the loss.
#[must_use]
pub fn rows(pairs: &[EncodedPair], tokenizer: &Tokenizer) -> Vec<ShownRow> {
    let row = |(index, pair): (usize, &EncodedPair)| {
        let kind = pair.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
        let part = |name: &str, ids: &[u32]| {
            let loss: Vec<bool> = (0..ids.len()).map(|at| at >= pair.prompt_tokens).collect();
            let title = format!("{name}, {} tokens, the answer from token {}", ids.len(), pair.prompt_tokens + 1);
            RowPart::new(title, ids, &loss, tokenizer)
        };
        let parts = vec![part("chosen", &pair.chosen), part("rejected", &pair.rejected)];
        ShownRow { title: format!("pair {}{kind}", index + 1), parts, padding: 0 }
    };
    pairs.iter().enumerate().map(row).collect()
}
