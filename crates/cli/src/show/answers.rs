//! Single answers that are good or bad, and prompts that wait for one.

use fireclay_data::chat::{EncodedRating, EncodedTask};
use fireclay_tokenizer::Tokenizer;

use super::{RowPart, ShownRow};

/// Each rated answer after its prompt; the answer carries the loss.
#[must_use]
pub fn ratings(ratings: &[EncodedRating], tokenizer: &Tokenizer) -> Vec<ShownRow> {
    let row = |(index, rating): (usize, &EncodedRating)| {
        let loss: Vec<bool> = (0..rating.ids.len()).map(|at| at >= rating.prompt_tokens).collect();
        let title = format!("{} tokens, the answer from token {}", rating.ids.len(), rating.prompt_tokens + 1);
        let parts = vec![RowPart::new(title, &rating.ids, &loss, tokenizer)];
        ShownRow {
            title: format!("{} answer {}", if rating.good { "good" } else { "bad" }, index + 1),
            parts,
            padding: 0,
        }
    };
    ratings.iter().enumerate().map(row).collect()
}

/// Each prompt with the opening of a reply. The policy learns from its own answer, which does not exist yet.
#[must_use]
pub fn prompts(tasks: &[EncodedTask], tokenizer: &Tokenizer) -> Vec<ShownRow> {
    let row = |(index, task): (usize, &EncodedTask)| {
        let ids = &task.prompt;
        let parts = vec![RowPart::new(format!("{} tokens", ids.len()), ids, &vec![false; ids.len()], tokenizer)];
        ShownRow { title: format!("prompt {}", index + 1), parts, padding: 0 }
    };
    tasks.iter().enumerate().map(row).collect()
}
