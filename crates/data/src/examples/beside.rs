//! Keys beside the messages of an example that belong to its conversation: `system`, `history`, `tools` (or
//! `functions`), `chat_template_kwargs`.

use fireclay_tokenizer::Message;
use serde_json::{Value, json};

use super::record::Record;
use crate::DataError;

/// Keys of a system message.
const SYSTEM: [&str; 2] = ["system", "system_prompt"];
/// Keys that belong to the whole conversation and are passed to the chat template.
const TOOLS: &str = "tools";
/// The older name of them, of `OpenAI`.
const FUNCTIONS: &str = "functions";
const VARIABLES: &str = "chat_template_kwargs";

/// Adds the keys beside the messages: the system message and earlier turns before them; tools and template variables in
/// the first message.
pub(super) fn with_beside(record: &Record, messages: Vec<Message>) -> Result<Vec<Message>, DataError> {
    let mut all = Vec::new();
    for key in SYSTEM {
        if let Some(system) = record.optional_string(key)?.filter(|system| !system.trim().is_empty()) {
            match messages.first().filter(|first| first.role == "system") {
                Some(first) if first.content == system => {}
                Some(_) => return Err(record.wrong("one system message", format!("another one under `{key}`"))),
                None => all.push(Message::new("system", system)),
            }
            break;
        }
    }
    let leading = messages.iter().take_while(|message| message.role == "system").count();
    let mut messages = messages;
    let rest = messages.split_off(leading);
    all.append(&mut messages);
    all.extend(history(record)?);
    all.extend(rest);
    if let Some(first) = all.first_mut() {
        if let Some(tools) = tools(record)? {
            first.extra.insert(TOOLS.into(), tools);
        }
        if record.has(VARIABLES) {
            let variables = record.value(VARIABLES).filter(|value| value.is_object());
            let variables = variables.ok_or_else(|| record.wrong_under(VARIABLES, "an object"))?;
            first.extra.insert(VARIABLES.into(), variables.clone());
        }
    }
    Ok(all)
}

/// Earlier turns: a list of questions with their answers, or of messages.
fn history(record: &Record) -> Result<Vec<Message>, DataError> {
    match record.value("history") {
        None | Some(Value::Null) => Ok(vec![]),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(vec![]),
        _ => record.turns("history"),
    }
}

/// A function in the older form of `OpenAI` as a tool.
fn as_tool(function: Value) -> Value {
    if function.get("function").is_some() { function } else { json!({"type": "function", "function": function}) }
}

/// The functions that may be called: a list, or a list written as JSON in a string.
fn tools(record: &Record) -> Result<Option<Value>, DataError> {
    let key = record.first_of(&[TOOLS, FUNCTIONS]).unwrap_or(TOOLS);
    let parsed = match record.value(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => record.parsed(text).unwrap_or(Value::Null),
        Some(other) => other.clone(),
    };
    match parsed {
        Value::Array(tools) if tools.is_empty() => Ok(None),
        Value::Array(tools) if tools.iter().all(Value::is_object) => {
            let tools = tools.into_iter().map(|tool| if key == FUNCTIONS { as_tool(tool) } else { tool });
            Ok(Some(tools.collect()))
        }
        _ => Err(record.wrong_under(key, "a list of functions, as JSON or written in a string,")),
    }
}
