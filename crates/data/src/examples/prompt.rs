//! Prompt of an example: its keys, and reasons why it cannot be answered.

use fireclay_tokenizer::Message;
use serde_json::Value;

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
    prompt_under(record, key).map(Some)
}

/// Whether there is no prompt but the place of one, as in a column that a row does not use.
pub(super) fn is_null(record: &Record) -> bool {
    let has_place = |key: &&str| record.object.contains_key(*key);
    record.first_of(&ASKED).is_none() && ASKED.iter().any(has_place)
}

/// The prompt under `key`: text, which may be a dialogue, or messages; with an instruction's input.
pub(super) fn prompt_under(record: &Record, key: &str) -> Result<Vec<Message>, DataError> {
    let dialogue = record.object.get(key).and_then(Value::as_str).and_then(human_assistant::messages);
    if let Some(mut messages) = dialogue.filter(|turns| turns.iter().any(|turn| turn.role == "user")) {
        record.value(key);
        // "\n\nAssistant:" at the end asks for the answer.
        messages.pop_if(|last| last.role == "assistant" && last.content.is_empty());
        return Ok(messages);
    }
    if key == "instruction" && record.written(key)?.is_none() {
        return Ok(vec![asked(record.string(key)?, record)?]);
    }
    let mut messages = record.text_or_messages(key, "user")?;
    if let ([asked], Some(context)) = (messages.as_mut_slice(), context(record)) {
        asked.content = joined(context, &asked.content);
    }
    Ok(messages)
}

/// An instruction with its input, if there is any, on separate lines.
pub(super) fn asked(instruction: &str, record: &Record) -> Result<Message, DataError> {
    let input = record.optional_string("input")?.filter(|input| !input.trim().is_empty());
    let input = input.or_else(|| context(record)).unwrap_or_default();
    Ok(Message::new("user", joined(instruction, input)))
}

/// Two texts on separate lines, of which either may be empty.
fn joined(first: &str, second: &str) -> String {
    match (first.trim().is_empty(), second.trim().is_empty()) {
        (_, true) => first.to_owned(),
        (true, false) => second.to_owned(),
        (false, false) => format!("{first}\n\n{second}"),
    }
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
