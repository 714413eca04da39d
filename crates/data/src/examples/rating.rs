//! Answers that were judged one by one: thumbs up, thumbs down.

use fireclay_tokenizer::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::beside::with_beside;
use super::prompt::{self, fault, prompt};
use super::read::{self, Examples};
use super::record::{LABELS, Record};
use super::{answer, reason, repeated};
use crate::DataError;
use crate::documents::Known;

/// An answer to a prompt, and whether it is good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// The messages so far, the last one not the assistant's.
    pub prompt: Vec<Message>,
    /// The answer.
    pub completion: String,
    /// Whether it is a good one.
    pub good: bool,
    /// Its origin: `path:line`, or the generator's name.
    pub origin: String,
}

/// Keys of an answer.
const ANSWERS: [&str; 3] = ["completion", "response", "output"];

/// Reads ratings: `prompt` and `completion`, each text or messages, and `label`, true for good; the prompt may lie
/// under the other keys that [`read_preferences`](super::read_preferences) lists, the completion under `response` or
/// `output`, or it is the last message of a conversation; the label may lie under `kto_tag`. This is how TRL has them for KTO (Ethayarajh et al. 2024, <https://arxiv.org/abs/2402.01306>).
///
/// # Errors
/// When a path or a file's form is wrong, and when everything in a file has to be left out.
pub fn read_ratings(paths: &[String]) -> Result<Examples<Rating>, DataError> {
    read::read(paths, Known::EXAMPLES, parse)
}

fn parse(record: &Record, found: &mut Examples<Rating>) -> Result<(), DataError> {
    let expected = "`prompt` (or `question`, `instruction`), `completion` (or `response`, `output`) and `label`";
    let label = record.first_of(&LABELS);
    if label.is_none() && LABELS.iter().any(|key| record.object.contains_key(*key)) {
        found.skips.add(reason::NOT_RATED, record.origin());
        return Ok(());
    }
    let asked = prompt(record)?;
    if asked.is_none() && prompt::is_null(record) {
        found.skips.add(reason::EMPTY_PROMPT, record.origin());
        return Ok(());
    }
    let (Some(mut prompt), Some(label)) = (asked, label) else { return Err(record.unknown(expected)) };
    let answers = match record.first_of(&ANSWERS) {
        Some(answer) => {
            let (asked, answers) = repeated::answer(record, answer, &prompt)?;
            prompt = asked;
            answers
        }
        None if ANSWERS.iter().any(|key| record.object.contains_key(*key)) && !ends_with_answer(&prompt) => vec![],
        // A whole conversation, of which the last message is rated.
        None => match prompt.pop_if(|last| last.role == "assistant") {
            Some(last) => vec![last],
            None => return Err(record.unknown(expected)),
        },
    };
    let prompt = with_beside(record, prompt)?;
    let good = is_good(record, label)?;
    for other in LABELS.into_iter().filter(|other| *other != label && record.has(other)) {
        if is_good(record, other)? != good {
            return Err(record.wrong("one judgement", format!("`{label}` and `{other}`, which contradict each other")));
        }
    }
    let origin = record.origin();
    let fault = fault(&prompt).or(match answers.as_slice() {
        [answer] => answer::fault(answer).or(answer.content.trim().is_empty().then_some(reason::EMPTY_ANSWER)),
        [] => Some(reason::EMPTY_ANSWER),
        _ => Some(reason::SEVERAL),
    });
    match (fault, answers.into_iter().next()) {
        (None, Some(answer)) => {
            answer::count_fields(&answer, record, &mut found.ignored);
            found.examples.push(Rating { prompt, completion: answer.content, good, origin });
        }
        (fault, _) => found.skips.add(fault.unwrap_or(reason::EMPTY_ANSWER), origin),
    }
    Ok(())
}

fn ends_with_answer(messages: &[Message]) -> bool {
    messages.last().is_some_and(|last| last.role == "assistant")
}

/// Whether a value says that an answer is good: true or false, or 1 and 0 or -1 in columns of numbers, which may be
/// written as 1.0. `None` if it says something else.
pub(super) fn judgement(value: &Value) -> Option<bool> {
    match (value, value.as_f64()) {
        (Value::Bool(good), _) => Some(*good),
        (_, Some(1.0)) => Some(true),
        (_, Some(0.0 | -1.0)) => Some(false),
        _ => None,
    }
}

/// The judgement under `label`.
fn is_good(record: &Record, label: &str) -> Result<bool, DataError> {
    let good = record.value(label).and_then(judgement);
    good.ok_or_else(|| record.wrong_under(label, "true or false, or 1 and 0 or -1"))
}
