//! Preferences, tasks and ratings as ids.

use fireclay_tokenizer::{EncodedAnswer, Message, Tokenizer, TokenizerError};
use serde::{Deserialize, Serialize};

use super::encode::{Encoded, EncodedOrSkip, HIDDEN_CALLS, NOTHING_MARKED, ROUNDED, TORN, encode_all, too_long};
use super::omissions::Omissions;
use crate::DataError;
use crate::examples::{Preference, Rating, Task};

/// A prompt with a better and a worse answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodedPair {
    /// Number of prompt tokens, including those that open the answer. They are the same in both sequences.
    pub prompt_tokens: usize,
    /// The prompt and the better answer, up to the token that ends the assistant's turn.
    pub chosen: Vec<u32>,
    /// The prompt and the worse answer, up to the token that ends the assistant's turn.
    pub rejected: Vec<u32>,
    /// Margin by which the chosen answer is better; 0 if unknown.
    pub margin: f32,
    /// Fault of the rejected answer, for reporting.
    pub kind: Option<String>,
}

/// A prompt that waits for an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodedTask {
    /// The prompt, with the tokens that open the answer.
    pub prompt: Vec<u32>,
    /// The task itself, to judge answers by.
    pub task: Task,
}

/// An answer that is good or bad.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodedRating {
    /// The prompt and the answer, up to the token that ends the assistant's turn.
    pub ids: Vec<u32>,
    /// Number of prompt tokens, including those that open the answer.
    pub prompt_tokens: usize,
    /// Whether the answer is good.
    pub good: bool,
}

const OTHER_PROMPT: &str = "the tokens of the prompt change with the answer (one that begins with a line break?)";

/// Encodes preference pairs, on all cores. Pairs with a sequence of more than `context` tokens are left out, and so are
/// those whose answer changes the tokens of the prompt.
///
/// # Errors
/// When there are no pairs, the tokenizer has no chat template, or every pair has to be left out.
pub fn encode_preferences(
    preferences: &[Preference],
    tokenizer: &Tokenizer,
    context: usize,
) -> Result<Encoded<EncodedPair>, DataError> {
    let encoded = encode_all(
        "preference pairs",
        preferences,
        |pair| &pair.origin,
        |pair| {
            let answers = [&pair.chosen, &pair.rejected].map(|answer| answered(tokenizer, &pair.prompt, answer));
            let [chosen, rejected] = answers;
            let (chosen, rejected) = match (chosen?, rejected?) {
                (Ok(chosen), Ok(rejected)) => (chosen, rejected),
                (Err(reason), _) | (_, Err(reason)) => return Ok(Err(reason)),
            };
            // If the template opens a reply with text that only some answers have, the prompt is the common part.
            let prompt_tokens = chosen.prompt_tokens.min(rejected.prompt_tokens);
            let (chosen, rejected) = (chosen.ids, rejected.ids);
            if chosen[..prompt_tokens] != rejected[..prompt_tokens] {
                return Ok(Err(OTHER_PROMPT.to_owned()));
            }
            if chosen.len().max(rejected.len()) > context {
                return Ok(Err(too_long(context)));
            }
            let (margin, kind) = (pair.margin.unwrap_or(0.0), pair.kind.clone());
            Ok(Ok(EncodedPair { prompt_tokens, chosen, rejected, margin, kind }))
        },
    )?;
    let prompts: Vec<&[Message]> = preferences.iter().map(|example| &example.prompt[..]).collect();
    Ok(Encoded { omissions: Omissions::of_prompts(&prompts, tokenizer), ..encoded })
}

/// Encodes tasks, on all cores, each with the opening of a reply. Prompts of more than `context` tokens are skipped:
/// subtract the room for the answer.
///
/// # Errors
/// When there are no tasks, the tokenizer has no chat template, or every task has to be left out.
pub fn encode_tasks(tasks: &[Task], tokenizer: &Tokenizer, context: usize) -> Result<Encoded<EncodedTask>, DataError> {
    let encoded = encode_all(
        "tasks",
        tasks,
        |task| &task.origin,
        |task| {
            let prompt = tokenizer.encode_prompt(&task.messages)?;
            Ok(if tokenizer.omits_calls(&task.messages) {
                Err(HIDDEN_CALLS.to_owned())
            } else if tokenizer.rounds_arguments(&task.messages) {
                Err(ROUNDED.to_owned())
            } else if prompt.len() > context {
                Err(too_long(context))
            } else {
                Ok(EncodedTask { prompt, task: task.clone() })
            })
        },
    )?;
    let prompts: Vec<&[Message]> = tasks.iter().map(|example| &example.messages[..]).collect();
    Ok(Encoded { omissions: Omissions::of_prompts(&prompts, tokenizer), ..encoded })
}

/// Encodes ratings, on all cores. Those of more than `context` tokens are left out, and so are those whose answer
/// changes the tokens of the prompt.
///
/// # Errors
/// When there are no ratings, the tokenizer has no chat template, or every rating has to be left out.
pub fn encode_ratings(
    ratings: &[Rating],
    tokenizer: &Tokenizer,
    context: usize,
) -> Result<Encoded<EncodedRating>, DataError> {
    let encoded = encode_all(
        "ratings",
        ratings,
        |rating| &rating.origin,
        |rating| {
            Ok(match answered(tokenizer, &rating.prompt, &rating.completion)? {
                Ok(answer) if answer.ids.len() > context => Err(too_long(context)),
                Ok(EncodedAnswer { ids, prompt_tokens, .. }) => {
                    Ok(EncodedRating { ids, prompt_tokens, good: rating.good })
                }
                Err(reason) => Err(reason),
            })
        },
    )?;
    let prompts: Vec<&[Message]> = ratings.iter().map(|example| &example.prompt[..]).collect();
    Ok(Encoded { omissions: Omissions::of_prompts(&prompts, tokenizer), ..encoded })
}

/// The ids of the prompt and an answer, without the template's text after the end of the assistant's turn.
fn answered(
    tokenizer: &Tokenizer,
    prompt: &[Message],
    answer: &str,
) -> Result<EncodedOrSkip<EncodedAnswer>, TokenizerError> {
    let messages = [prompt, &[Message::new("assistant", answer)]].concat();
    Ok(match tokenizer.encode_answer(&messages, &tokenizer.render_options())? {
        Some(answer) if !answer.unknown.is_empty() => return Err(TokenizerError::unknown(answer.unknown)),
        None => Err(NOTHING_MARKED.to_owned()),
        Some(answer) if answer.hides_calls => Err(HIDDEN_CALLS.to_owned()),
        Some(_) if tokenizer.rounds_arguments(&messages) => Err(ROUNDED.to_owned()),
        Some(answer) if answer.is_torn => Err(TORN.to_owned()),
        Some(answer) if !answer.prompt_unchanged => Err(OTHER_PROMPT.to_owned()),
        Some(answer) => Ok(answer),
    })
}
