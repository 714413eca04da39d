//! Mean length of the embedded corpus's examples, for the plan of a run whose tokenizer is not trained yet.

use fireclay_corpus::{DialogueTurn, PreferencePair, Prompt};

/// Number of examples that are measured.
const MEASURED: usize = 256;
/// Bytes of a token of the embedded corpus with the vocabulary of the recipe `tiny`, measured; a larger vocabulary has
/// longer tokens.
const BYTES_PER_TOKEN: f64 = 3.0;
/// Tokens around a message in the chat template: its start, role, line breaks and end.
const TOKENS_AROUND_MESSAGE: f64 = 5.0;

/// Mean over the first examples, in tokens.
pub fn mean_length(lengths: impl Iterator<Item = f64>) -> f64 {
    lengths.take(MEASURED).sum::<f64>() / MEASURED as f64
}

/// Tokens of a prompt with either answer.
pub fn tokens_of_pair(pair: &PreferencePair) -> f64 {
    let answer = (pair.chosen.len() + pair.rejected.len()) as f64 / 2.0;
    tokens_of(&pair.messages, answer)
}

/// Tokens of a prompt with an answer as long as the reference.
pub fn tokens_of_prompt(prompt: &Prompt) -> f64 {
    tokens_of(&prompt.messages, prompt.reference.len() as f64)
}

fn tokens_of(messages: &[DialogueTurn], answer_bytes: f64) -> f64 {
    let bytes = answer_bytes + messages.iter().map(|message| message.content.len()).sum::<usize>() as f64;
    bytes / BYTES_PER_TOKEN + TOKENS_AROUND_MESSAGE * (messages.len() + 1) as f64
}
