//! Conversations, which fine-tuning learns from.

use fireclay_tokenizer::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read::{self, Examples};
use super::record::Record;
use super::{CORPUS, reason, trees};
use crate::DataError;
use crate::corpus;
use crate::documents::Known;
use crate::documents::json_lines::{describe_keys, kind};

/// Turns of a user and of an assistant, perhaps after a system message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// What is said, in order.
    pub messages: Vec<Message>,
    /// Where it is from: `path:line`, or the generator's name.
    pub origin: String,
}

impl From<corpus::Turn> for Message {
    fn from(turn: corpus::Turn) -> Self {
        Self::new(turn.role, turn.content)
    }
}

impl From<corpus::Conversation> for Conversation {
    fn from(conversation: corpus::Conversation) -> Self {
        let messages = conversation.messages.into_iter().map(Message::from).collect();
        Self { messages, origin: CORPUS.into() }
    }
}

const EXPECTED: &str = "`messages`, `conversations`, `prompt` with `completion` or `response`, `instruction` with \
     `output` or `instances`, or `message_tree_id` with `prompt`";

/// Reads conversations.
///
/// | keys | form |
/// |---|---|
/// | `messages`: `[{role, content}]` | `OpenAI`, Hugging Face |
/// | `conversations`: `[{from, value}]` | `ShareGPT` |
/// | `prompt`, and `completion` or `response` | text, or messages as TRL has them |
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
        return trees::conversations(record, found);
    }
    let messages = if record.has("messages") {
        record.messages("messages")?
    } else if record.has("conversations") {
        share_gpt(record)?
    } else if record.has("instruction") && record.has("instances") {
        for instance in record.array("instances")? {
            let Value::Object(object) = instance else {
                return Err(record.wrong("objects with `input` and `output` in `instances`", kind(instance)));
            };
            let inner = Record { object: object.clone(), ..record.clone() };
            add(record, instruction(record.string("instruction")?, &inner)?, found);
        }
        return Ok(());
    } else if record.has("instruction") && record.object.contains_key("output") {
        instruction(record.string("instruction")?, record)?
    } else if record.has("prompt") {
        let answer = ["completion", "response"].into_iter().find(|key| record.object.contains_key(*key));
        let Some(answer) = answer else { return Err(record.unknown(EXPECTED)) };
        let mut messages = record.text_or_messages("prompt", "user")?;
        messages.append(&mut record.text_or_messages(answer, "assistant")?);
        messages
    } else {
        return Err(record.unknown(EXPECTED));
    };
    add(record, messages, found);
    Ok(())
}

/// Keeps a conversation, or counts why it cannot be learned from.
pub(super) fn add(record: &Record, messages: Vec<Message>, found: &mut Examples<Conversation>) {
    let origin = record.origin();
    let mut answers = messages.iter().filter(|message| message.role == "assistant").peekable();
    if answers.peek().is_none() {
        found.skips.add(reason::NO_ANSWER, origin);
    } else if answers.any(is_empty) {
        found.skips.add(reason::EMPTY_ANSWER, origin);
    } else {
        found.examples.push(Conversation { messages, origin });
    }
}

/// Whether a message neither says anything nor calls a tool.
pub(super) fn is_empty(message: &Message) -> bool {
    message.content.trim().is_empty() && !message.extra.contains_key("tool_calls")
}

/// An instruction with its input, if there is any, on lines of its own; and the output.
fn instruction(instruction: &str, record: &Record) -> Result<Vec<Message>, DataError> {
    let input = record.optional_string("input")?.unwrap_or_default();
    let asked = if input.trim().is_empty() { instruction.to_owned() } else { format!("{instruction}\n\n{input}") };
    Ok(vec![Message::new("user", asked), Message::new("assistant", record.string("output")?)])
}

fn share_gpt(record: &Record) -> Result<Vec<Message>, DataError> {
    let turns = record.array("conversations")?.iter().enumerate().map(|(index, turn)| {
        let place = format!("conversations[{index}]");
        let text = |key: &str| {
            let Value::Object(turn) = turn else {
                return Err(record.wrong(format!("an object with `from` and `value` as `{place}`"), kind(turn)));
            };
            let found = || turn.get(key).map_or_else(|| describe_keys(turn), |value| kind(value).to_owned());
            let text = turn.get(key).and_then(Value::as_str);
            text.ok_or_else(|| record.wrong(format!("a string as `{place}.{key}`"), found()))
        };
        let from = text("from")?;
        let role = match from {
            "human" | "user" => "user",
            "gpt" | "assistant" | "chatgpt" | "bing" | "bard" | "model" => "assistant",
            "system" => "system",
            "tool" | "observation" | "function_response" => "tool",
            other => {
                let expected = format!("human, gpt, system or tool as `{place}.from`");
                return Err(record.wrong(expected, format!("{other:?}")));
            }
        };
        Ok(Message::new(role, text("value")?))
    });
    turns.collect()
}
