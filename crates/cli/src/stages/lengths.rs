//! Mean length of the embedded corpus's examples, for the plan of a run whose tokenizer is not trained yet.

use fireclay_corpus::{self as corpus, PreferencePair, Prompt, Split};

use super::LearnsFrom;

/// Number of examples that are measured.
const MEASURED: usize = 256;
/// Bytes of a token of the embedded corpus with the vocabulary of the recipe `tiny`, measured; a larger vocabulary has
/// longer tokens.
const BYTES_PER_TOKEN: f64 = 3.0;
/// Tokens around a message in the chat template: its start, role, line breaks and end.
const TOKENS_AROUND_MESSAGE: f64 = 5.0;

/// Estimate of the mean number of tokens of a sequence that a stage learns from. `None` where batches are full, and for
/// files, which a plan does not read.
pub fn mean_tokens(learns_from: LearnsFrom<'_>) -> Option<f64> {
    match learns_from {
        LearnsFrom::Pairs(data) | LearnsFrom::Ratings(data) if data.data.is_empty() => {
            Some(mean(corpus::preferences(&data.corpus, Split::Train).map(|pair| tokens_of_pair(&pair))))
        }
        LearnsFrom::Prompts(data) if data.data.is_empty() => {
            Some(mean(corpus::prompts(&data.corpus, Split::Train).map(|prompt| tokens_of_prompt(&prompt))))
        }
        _ => None,
    }
}

/// Mean over the first examples.
fn mean(lengths: impl Iterator<Item = f64>) -> f64 {
    lengths.take(MEASURED).sum::<f64>() / MEASURED as f64
}

/// Of a prompt with either answer.
fn tokens_of_pair(pair: &PreferencePair) -> f64 {
    let answer = (pair.chosen.len() + pair.rejected.len()) as f64 / 2.0;
    tokens_of(&pair.messages, answer)
}

/// Of a prompt with an answer as long as the reference.
fn tokens_of_prompt(prompt: &Prompt) -> f64 {
    tokens_of(&prompt.messages, prompt.reference.len() as f64)
}

fn tokens_of(messages: &[corpus::DialogueTurn], answer_bytes: f64) -> f64 {
    let bytes = answer_bytes + messages.iter().map(|message| message.content.len()).sum::<usize>() as f64;
    bytes / BYTES_PER_TOKEN + TOKENS_AROUND_MESSAGE * (messages.len() + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{PreferenceData, PromptData};

    #[test]
    fn the_embedded_corpus_has_examples_of_fifty_tokens() {
        let (pairs, prompts) = (PreferenceData::default(), PromptData::default());
        for from in [LearnsFrom::Pairs(&pairs), LearnsFrom::Prompts(&prompts)] {
            let tokens = mean_tokens(from).unwrap();
            assert!((35.0..70.0).contains(&tokens), "{tokens}");
        }
        assert_eq!(mean_tokens(LearnsFrom::Text), None);
        let files = PromptData { data: vec!["prompts.jsonl".into()], ..prompts };
        assert_eq!(mean_tokens(LearnsFrom::Prompts(&files)), None);
    }
}
