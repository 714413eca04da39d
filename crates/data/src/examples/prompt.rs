//! Prompt of an example: its keys, and reasons why it cannot be answered.

use fireclay_tokenizer::Message;

use super::record::Record;
use super::{human_assistant, reason};
use crate::DataError;

/// Keys of a prompt.
pub(super) const ASKED: [&str; 6] = ["prompt", "question", "instruction", "query", "problem", "input"];
/// Keys of an answer.
pub(super) const ANSWERED: [&str; 7] =
    ["completion", "response", "output", "solution", "answer", "target", "generation"];

/// The prompt, under whichever of its keys; text may itself be a dialogue of `Human:` and `Assistant:`. `None` if there
/// is none.
pub(super) fn prompt(record: &Record) -> Result<Option<Vec<Message>>, DataError> {
    let Some(key) = record.first_of(&ASKED) else {
        let whole = record.first_of(&["conversations", "messages", "conversation"]);
        return whole.map(|key| record.turns(key)).transpose();
    };
    if let Some(mut messages) = record.object[key].as_str().and_then(human_assistant::messages) {
        record.value(key);
        // "\n\nAssistant:" at the end asks for the answer.
        messages.pop_if(|last| last.role == "assistant" && last.content.is_empty());
        return Ok(Some(messages));
    }
    prompt_under(record, key).map(Some)
}

/// The prompt under `key`: text, or messages; with an instruction's input.
pub(super) fn prompt_under(record: &Record, key: &str) -> Result<Vec<Message>, DataError> {
    if key == "instruction" {
        return Ok(vec![asked(record.string(key)?, record)?]);
    }
    let mut messages = record.text_or_messages(key, "user")?;
    if let ([asked], Some(context)) = (messages.as_mut_slice(), context(record)) {
        asked.content = format!("{context}\n\n{}", asked.content);
    }
    Ok(messages)
}

/// An instruction with its input, if there is any, on separate lines.
pub(super) fn asked(instruction: &str, record: &Record) -> Result<Message, DataError> {
    let input = record.optional_string("input")?.filter(|input| !input.trim().is_empty());
    let input = input.or_else(|| context(record)).unwrap_or_default();
    let asked = if input.trim().is_empty() { instruction.to_owned() } else { format!("{instruction}\n\n{input}") };
    Ok(Message::new("user", asked))
}

/// The passage that a question is about.
fn context(record: &Record) -> Option<&str> {
    let context = record.object.get("context")?.as_str().filter(|context| !context.trim().is_empty())?;
    record.value("context");
    Some(context)
}

/// The reason why a prompt cannot be answered, if any.
pub(super) fn fault(prompt: &[Message]) -> Option<&'static str> {
    let Some(last) = prompt.last() else { return Some(reason::EMPTY_PROMPT) };
    if last.role == "assistant" {
        return Some(reason::NOTHING_TO_ANSWER);
    }
    prompt.iter().all(|message| message.content.trim().is_empty()).then_some(reason::EMPTY_PROMPT)
}
