//! Keys beside the messages of an example that belong to its conversation: `system`, `history`, `tools` (or
//! `functions`), `chat_template_kwargs`.

use fireclay_tokenizer::Message;
use serde_json::{Value, json};

use super::record::{Record, is_nothing};
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
            let variables = record.value(VARIABLES).map(|value| unwritten(record, value));
            let variables = variables.filter(Value::is_object);
            let variables = variables.ok_or_else(|| record.wrong_under(VARIABLES, "an object"))?;
            first.extra.insert(VARIABLES.into(), variables);
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

/// A value, which may be written as JSON in a string.
fn unwritten(record: &Record, value: &Value) -> Value {
    value.as_str().and_then(|text| record.parsed(text)).unwrap_or_else(|| value.clone())
}

/// The functions that may be called: a list; it or its functions may be written as JSON in strings.
fn tools(record: &Record) -> Result<Option<Value>, DataError> {
    let key = record.first_of(&[TOOLS, FUNCTIONS]).unwrap_or(TOOLS);
    let Some(value) = record.value(key) else { return Ok(None) };
    match unwritten(record, value) {
        Value::String(text) if text.trim().is_empty() => Ok(None),
        value if is_nothing(&value) && !value.is_boolean() => Ok(None),
        Value::Array(tools) => {
            let tools: Vec<Value> = tools.iter().map(|tool| unwritten(record, tool)).collect();
            if !tools.iter().all(Value::is_object) {
                return Err(record.wrong(format!("functions as objects in the list under `{key}`"), "something else"));
            }
            let tools = tools.into_iter().map(|tool| if key == FUNCTIONS { as_tool(tool) } else { tool });
            Ok(Some(tools.collect()))
        }
        _ => Err(record.wrong_under(key, "a list of functions, as JSON or written in a string,")),
    }
}
