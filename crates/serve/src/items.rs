//! Items of the Responses API and stored messages.

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::messages::parse_arguments;
use crate::store::{Content, NewMessage, Role, Status, StoredMessage};

/// Fields of an item that the server sets; ignored in requests.
const TOLD: [&str; 2] = ["id", "status"];

/// The messages of a list of items in the field `field`.
///
/// # Errors
/// 400 names the item and the problem.
pub fn parse_all(field: &str, objects: &[Map<String, Value>]) -> Result<Vec<NewMessage>, ApiError> {
    objects.iter().enumerate().map(|(index, object)| parse(&format!("{field}[{index}]"), object)).collect()
}

fn parse(place: &str, object: &Map<String, Value>) -> Result<NewMessage, ApiError> {
    let get = |field: &str| object.get(field).and_then(Value::as_str);
    let known: &[&str] = match get("type").unwrap_or("message") {
        "message" => &["type", "role", "content", "phase"],
        "function_call" => &["type", "call_id", "name", "arguments"],
        "function_call_output" => &["type", "call_id", "output"],
        kind => return Err(wrong(place, "type", &format!("items of type {kind:?} are not supported"))),
    };
    let strange = object
        .iter()
        .find(|(field, value)| !value.is_null() && !known.contains(&field.as_str()) && !TOLD.contains(&field.as_str()));
    if let Some((field, _)) = strange {
        return Err(wrong(place, field, "unknown field").with_code("unknown_parameter"));
    }
    let need = |field: &str| get(field).ok_or_else(|| wrong(place, field, "give a text"));
    match get("type").unwrap_or("message") {
        "function_call" => {
            let function = json!({"name": need("name")?, "arguments": need("arguments")?});
            let calls = json!([{"id": need("call_id")?, "type": "function", "function": function}]);
            Ok(NewMessage { tool_calls: Some(calls), ..NewMessage::new(Role::Assistant, "") })
        }
        "function_call_output" => {
            let id = need("call_id")?.to_owned();
            Ok(NewMessage { tool_call_id: Some(id), ..NewMessage::new(Role::Tool, need("output")?) })
        }
        _ => {
            let role = match need("role")? {
                "system" => Role::System,
                "developer" => Role::Developer,
                "user" => Role::User,
                "assistant" => Role::Assistant,
                role => {
                    return Err(wrong(
                        place,
                        "role",
                        &format!("{role:?} is not one of system, developer, user, assistant"),
                    ));
                }
            };
            Ok(NewMessage::new(role, content(place, object.get("content"))?))
        }
    }
}

fn content(place: &str, content: Option<&Value>) -> Result<Content, ApiError> {
    match content {
        Some(Value::String(text)) => Ok(Content::Text(text.clone())),
        Some(Value::Array(parts)) => {
            let text = |part: &Value| match part["type"].as_str() {
                Some("input_text" | "output_text" | "text") => {
                    part["text"].as_str().map(str::to_owned).ok_or("a part lacks its text")
                }
                _ => Err("only parts of text are supported"),
            };
            let texts: Result<String, &str> = parts.iter().map(text).collect();
            texts.map(Content::Text).map_err(|why| wrong(place, "content", why))
        }
        _ => Err(wrong(place, "content", "give a text, or parts of text")),
    }
}

fn wrong(place: &str, field: &str, why: &str) -> ApiError {
    let place = format!("{place}.{field}");
    ApiError::invalid(format!("`{place}`: {why}")).with_param(place)
}

/// A stored message as the chat template takes it.
pub fn as_chat(message: &StoredMessage) -> fireclay_tokenizer::Message {
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut chat = fireclay_tokenizer::Message::new(role, message.content.text());
    if let Some(mut calls) = message.tool_calls.clone() {
        parse_arguments(&mut calls);
        chat.no_content = chat.content.is_empty();
        chat.extra.insert("tool_calls".into(), calls);
    }
    if let Some(id) = &message.tool_call_id {
        chat.extra.insert("tool_call_id".into(), id.clone().into());
    }
    chat
}

/// A stored message as items: its words, and each of its calls.
pub fn item(message: &StoredMessage) -> Vec<Value> {
    let status = status(message.status);
    if message.role == Role::Tool {
        let output = message.content.text();
        return vec![json!({"id": message.id, "type": "function_call_output", "status": status,
            "call_id": message.tool_call_id, "output": output})];
    }
    let text = message.content.text();
    let role = serde_json::to_value(message.role).expect("a role is a word");
    let part = match message.role {
        Role::Assistant => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
        _ => json!({"type": "input_text", "text": text}),
    };
    let calls = message.tool_calls.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let mut items = vec![];
    if !text.is_empty() || calls.is_empty() {
        items.push(json!({"id": message.id, "type": "message", "status": status, "role": role, "content": [part]}));
    }
    for call in calls {
        let function = &call["function"];
        items.push(json!({"id": call_item(&call), "type": "function_call", "status": status, "call_id": call["id"],
            "name": function["name"], "arguments": function["arguments"]}));
    }
    items
}

/// The id of the item of a call.
fn call_item(call: &Value) -> String {
    format!("fc_{}", call["id"].as_str().unwrap_or_default())
}

/// Progress of a message, in the API's words.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::InProgress => "in_progress",
        Status::Completed => "completed",
        Status::Incomplete => "incomplete",
    }
}
