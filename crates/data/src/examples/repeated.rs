//! Answers that repeat their prompt, as whole conversations: in messages, or as a dialogue in one text.

use fireclay_tokenizer::Message;
use serde_json::Value;

use super::record::Record;
use super::{human_assistant, prompt, reason};
use crate::DataError;

/// The prompt, and the messages that the answer under `key` adds to it.
///
/// The answer may repeat the prompt; where it is a whole conversation of which the prompt is a later question, what
/// comes before that question belongs to the prompt. White space around messages does not count. An answer that begins
/// with another question has the example skipped.
pub(super) fn answer(
    record: &Record,
    key: &str,
    prompt: &[Message],
) -> Result<(Vec<Message>, Vec<Message>), DataError> {
    let messages = said(record, key, prompt)?;
    let systems = |messages: &[Message]| messages.iter().take_while(|message| message.role == "system").count();
    let ((system, asked), (own_system, said)) =
        (prompt.split_at(systems(prompt)), messages.split_at(systems(&messages)));
    if !system.is_empty() && !own_system.is_empty() && !are_alike(system, own_system) {
        return Err(record.wrong("one system message", format!("another one under `{key}`")));
    }
    let leading = if system.is_empty() { own_system } else { system };
    let (before, answer) = match place(said, asked) {
        Some(0) => (asked, &said[asked.len()..]),
        Some(at) => said.split_at(at + asked.len()),
        None => {
            let is_user = |message: Option<&Message>| message.is_some_and(|message| message.role == "user");
            if is_user(asked.last()) && is_user(said.first()) {
                record.spoil(reason::OTHER_QUESTION);
            }
            (asked, said)
        }
    };
    Ok(([leading, before].concat(), answer.to_vec()))
}

/// Where an answer repeats what was asked: at its start, or else as late as something follows.
fn place(said: &[Message], asked: &[Message]) -> Option<usize> {
    if asked.is_empty() {
        return None;
    }
    let is_at = |at: &usize| said.get(*at..at + asked.len()).is_some_and(|said| are_alike(said, asked));
    Some(0).filter(is_at).or_else(|| (0..said.len().saturating_sub(asked.len())).rfind(is_at))
}

/// Whether messages are the same, white space around their text aside.
fn are_alike(one: &[Message], other: &[Message]) -> bool {
    let alike = |(one, other): (&Message, &Message)| {
        one.role == other.role && one.content.trim() == other.content.trim() && one.extra == other.extra
    };
    one.len() == other.len() && one.iter().zip(other).all(alike)
}

/// The messages of an answer. Without a prompt, text has to be a whole dialogue.
fn said(record: &Record, key: &str, prompt: &[Message]) -> Result<Vec<Message>, DataError> {
    let Value::String(text) = &record.object[key] else { return record.text_or_messages(key, "assistant") };
    if let Some(messages) = dialogue(text, prompt) {
        record.value(key);
        return Ok(messages);
    }
    if prompt.is_empty() && !prompt::is_null(record) && record.written(key)?.is_none() {
        let expected = format!("under `{key}` messages, or text that begins with `Human:`, as there is no `prompt`");
        return Err(record.wrong(expected, "other text"));
    }
    record.text_or_messages(key, "assistant")
}

/// The turns of a dialogue. Beside a prompt, text is one if it begins with an empty line and a mark, or repeats the
/// prompt: other text may be an answer that tells of a dialogue.
fn dialogue(text: &str, prompt: &[Message]) -> Option<Vec<Message>> {
    let turns = human_assistant::messages(text)?;
    let is_marked = text.starts_with("\n\n") || text.starts_with("\r\n\r\n");
    let repeats = || place(&turns, prompt).is_some_and(|at| at + prompt.len() < turns.len());
    (prompt.is_empty() || is_marked || repeats()).then_some(turns)
}
