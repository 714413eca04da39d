//! Conversations, which fine-tuning learns from.

use std::sync::Arc;

use fireclay_tokenizer::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::beside::with_beside;
use super::prompt::{ANSWERED, ASKED, asked, is_null, prompt_under};
use super::read::{self, Examples};
use super::record::{LABELS, REASONING, Record};
use super::{CORPUS, rating, reason, repeated, trees};
use crate::DataError;
use crate::documents::Known;
use crate::documents::json_lines::kind;
use fireclay_corpus as corpus;

/// Turns of a user and an assistant, optionally after a system message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Messages in order.
    pub messages: Vec<Message>,
    /// Its origin: `path:line`, or the generator's name.
    pub origin: String,
}

/// The turns of a generated conversation as messages.
#[must_use]
pub fn messages(turns: Vec<corpus::DialogueTurn>) -> Vec<Message> {
    turns.into_iter().map(|turn| Message::new(turn.role, turn.content)).collect()
}

impl From<corpus::Dialogue> for Conversation {
    fn from(conversation: corpus::Dialogue) -> Self {
        Self { messages: messages(conversation.messages), origin: CORPUS.into() }
    }
}

const EXPECTED: &str = "`messages`, `conversations`, `prompt` (or `question`, `query`, `problem`, `input`) with \
                        `completion`, `response`, `output` or `answer`, `instruction` with `output` or `instances`, or \
                        `message_tree_id` with `prompt`";

/// Keys of whole conversations.
const WHOLE: [&str; 6] = ["messages", "conversations", "conversation", "dialog", "dialogue", "data"];

/// Reads conversations.
///
/// | keys | form |
/// |---|---|
/// | `messages`, `conversations` or `conversation`: `[{role, content}]` | `OpenAI`, Hugging Face |
/// | the same: `[{from, value}]` | `ShareGPT`, with `function_call` and `observation` |
/// | the same: `[{user, assistant}]`, `[[question, answer]]` or texts in turn | other tools |
/// | `prompt`, `question`, `query`, `problem` or `input`, and `completion`, `response`, `output`, `solution`, `answer`, `target` or `generation` | text, or messages as TRL has them |
/// | `instruction`, `input`, `output` | Alpaca |
/// | `instruction`, `instances`: `[{input, output}]` | the seed tasks of self-instruct: a conversation each |
/// | `message_tree_id`, `prompt` with nested `replies` | `OpenAssistant`: from the root through the best-ranked replies to each last answer |
///
/// `.yml` files are `ChatterBot`'s: `conversations` is a list of lists of sentences, the user's first.
///
/// # Errors
/// When a path or a file's form is wrong, and when everything in a file has to be left out.
pub fn read_conversations(paths: &[String]) -> Result<Examples<Conversation>, DataError> {
    read::read(paths, Known::CONVERSATIONS, parse)
}

fn parse(record: &Record, found: &mut Examples<Conversation>) -> Result<(), DataError> {
    if record.has("message_tree_id") {
        for messages in trees::conversations(record, &mut found.skips)? {
            add(record, messages, found);
        }
        return Ok(());
    }
    if record.has("instruction") && record.has("instances") {
        return add_instances(record, found);
    }
    let Some(messages) = messages_of(record, found)? else { return Ok(()) };
    let messages = with_beside(record, messages)?;
    let judged = LABELS.into_iter().filter_map(|key| Some((key, record.object.get(key)?)));
    match judged.into_iter().find(|(_, value)| rating::judgement(value) == Some(false)) {
        Some((label, value)) => {
            record.value(label);
            // A number may mean something else.
            let rename = if value.is_number() { "; rename the key if it is no judgement" } else { "" };
            found.skips.add(format!("{}, by `{label}` {value}{rename}", reason::RATED_BAD), record.origin());
        }
        None => add(record, messages, found),
    }
    Ok(())
}

/// Adds a conversation for each instance of a seed task of self-instruct.
fn add_instances(record: &Record, found: &mut Examples<Conversation>) -> Result<(), DataError> {
    for instance in record.array("instances")? {
        let Value::Object(object) = instance else {
            return Err(record.wrong("objects with `input` and `output` in `instances`", kind(instance)));
        };
        let inner = Record::new(Arc::clone(&record.path), record.line, object.clone());
        let asked = asked(record.string("instruction")?, &inner)?;
        let output =
            if inner.object.get("output").is_some_and(Value::is_null) { "" } else { inner.string("output")? };
        add(record, vec![asked, Message::new("assistant", output)], found);
        for key in inner.unread() {
            found.ignored.add(format!("the key `{key}` of an instance is ignored"), record.origin());
        }
    }
    if record.array("instances")?.is_empty() {
        found.skips.add(reason::NO_ANSWER, record.origin());
    }
    Ok(())
}

/// The messages of a record; `None` if it is skipped, with its reason in `found`.
fn messages_of(record: &Record, found: &mut Examples<Conversation>) -> Result<Option<Vec<Message>>, DataError> {
    let answered = record.first_of(&ASKED).and(record.first_of(&ANSWERED)).is_some();
    // `data` is a name for anything: beside a prompt and its answer it is not the conversation.
    let whole = record.first_of(&WHOLE).filter(|key| !(answered && *key == "data"));
    if let Some(key) = whole {
        return with_answer(record, record.turns(key)?).map(Some);
    }
    if let Some(key) = record.first_of(&ASKED) {
        return prompt_and_answer(record, key, found);
    }
    if let Some(key) = WHOLE.into_iter().find(|key| record.object.contains_key(*key)) {
        record.value(key);
        return Ok(Some(vec![]));
    }
    if is_null(record) && ANSWERED.iter().any(|key| record.object.contains_key(*key)) {
        found.skips.add(reason::EMPTY_PROMPT, record.origin());
        return Ok(None);
    }
    if record.object.get("text").is_some_and(Value::is_string) {
        return Err(record.wrong(EXPECTED, "`text`, which pretraining reads: give the file under `data.paths`"));
    }
    Err(record.unknown(EXPECTED))
}

/// A conversation whose last message waits for an answer, with the one that is beside it, if there is one.
fn with_answer(record: &Record, messages: Vec<Message>) -> Result<Vec<Message>, DataError> {
    let waits = messages.last().is_some_and(|last| last.role != "assistant");
    let Some(key) = record.first_of(&ANSWERED).filter(|_| waits) else { return Ok(messages) };
    let (mut messages, mut answers) = repeated::answer(record, key, &messages)?;
    messages.append(&mut answers);
    Ok(messages)
}

/// The messages of a prompt under `key` and of its answer; `None` if the record is skipped.
fn prompt_and_answer(
    record: &Record,
    key: &str,
    found: &mut Examples<Conversation>,
) -> Result<Option<Vec<Message>>, DataError> {
    let messages = prompt_under(record, key)?;
    // A key with the value null is a missing answer, not another form.
    let answer = record.first_of(&ANSWERED);
    let answer = answer.or_else(|| ANSWERED.into_iter().find(|key| record.object.contains_key(*key)));
    let Some(answer) = answer else { return Err(record.unknown(EXPECTED)) };
    if messages.last().is_some_and(|last| last.role == "assistant") {
        found.skips.add(reason::NOTHING_TO_ANSWER, record.origin());
        return Ok(None);
    }
    let (mut messages, mut answers) = if record.has(answer) {
        repeated::answer(record, answer, &messages)?
    } else {
        record.value(answer);
        (messages, vec![])
    };
    messages.iter_mut().for_each(leave_out);
    if let ([answer], Some(key)) = (answers.as_mut_slice(), record.first_of(&REASONING)) {
        answer.extra.insert(key.into(), record.string(key)?.into());
    }
    messages.append(&mut answers);
    Ok(Some(messages))
}

/// Has an answer inside a prompt carry no loss, unless it says itself whether it does: as in TRL, the completion is
/// learned.
fn leave_out(message: &mut Message) {
    let is_marked = ["weight", "train"].iter().any(|key| message.extra.contains_key(*key));
    if message.role == "assistant" && !is_marked {
        message.extra.insert("train".into(), false.into());
    }
}

/// Adds a conversation, or counts the reason why it cannot be learned from.
fn add(record: &Record, messages: Vec<Message>, found: &mut Examples<Conversation>) {
    let origin = record.origin();
    for message in &messages {
        if !KNOWN_ROLES.contains(&message.role.as_str()) {
            found.ignored.add(format!("the role {:?} goes to the chat template as it is", message.role), &origin);
        }
    }
    let mut answers = messages.iter().filter(|message| message.role == "assistant").peekable();
    if answers.peek().is_none() {
        match messages.iter().find(|message| !KNOWN_ROLES.contains(&message.role.as_str())) {
            Some(Message { role, .. }) => {
                let reason = format!("{}; the role {role:?} is not known as the assistant's", reason::NO_ANSWER);
                found.skips.add(reason, origin);
            }
            None => found.skips.add(reason::NO_ANSWER, origin),
        }
    } else if answers.any(|answer| is_empty(answer) && answer.is_learned()) {
        found.skips.add(reason::EMPTY_ANSWER, origin);
    } else {
        found.examples.push(Conversation { messages, origin });
    }
}

/// Roles that every chat template should know.
const KNOWN_ROLES: [&str; 5] = ["user", "assistant", "system", "developer", "tool"];

/// Whether a message has neither text nor tool calls.
pub(super) fn is_empty(message: &Message) -> bool {
    message.content.trim().is_empty() && !message.calls_tools()
}
