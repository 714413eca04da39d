//! Items of requests as stored messages, and stored messages as chat templates take them. `item_list.rs` goes the other
//! way.

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::item_list;
use crate::store::{Content, NewMessage, Role, StoredMessage};

/// Fields of an item that the server sets; ignored in requests.
const TOLD: [&str; 2] = ["id", "status"];

/// The messages of a list of items in the field `field`. The text and the calls of one reply, which are items of their
/// own, are one message again.
///
/// # Errors
/// 400 names the item and the problem.
pub fn parse_all(field: &str, objects: &[Map<String, Value>]) -> Result<Vec<NewMessage>, ApiError> {
    let mut messages = vec![];
    // The assistant's items that come one after the other.
    let mut reply = Reply::default();
    for (index, object) in objects.iter().enumerate() {
        let message = parse(&format!("{field}[{index}]"), object)?;
        if !reply.goes_on_with(&message) {
            messages.extend(std::mem::take(&mut reply).message());
        }
        match message.role {
            Role::Assistant => reply.add(message),
            _ => messages.push(message),
        }
    }
    messages.extend(reply.message());
    Ok(messages)
}

/// Items of one reply of the model: texts, with the number of calls before each, and calls.
#[derive(Default)]
struct Reply {
    texts: Vec<(String, usize)>,
    calls: Vec<Value>,
}

impl Reply {
    /// Whether the next message is a part of this reply: a call, or the text between two calls or after the last.
    fn goes_on_with(&self, next: &NewMessage) -> bool {
        let ends_with_text = self.texts.last().is_some_and(|(_, after)| *after == self.calls.len());
        next.role == Role::Assistant && (next.tool_calls.is_some() || !ends_with_text)
    }

    fn add(&mut self, message: NewMessage) {
        match message.tool_calls {
            Some(calls) => self.calls.extend(calls.as_array().into_iter().flatten().cloned()),
            None => self.texts.push((message.content.text(), self.calls.len())),
        }
    }

    /// The message of this reply, if it has any item.
    fn message(self) -> Option<NewMessage> {
        let Self { texts, calls } = self;
        let is_any = !(texts.is_empty() && calls.is_empty());
        let message = NewMessage::new(Role::Assistant, item_list::content(&texts));
        is_any.then(|| NewMessage { tool_calls: (!calls.is_empty()).then(|| calls.into()), ..message })
    }
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
            let output = content(place, "output", object.get("output"))?;
            Ok(NewMessage { tool_call_id: Some(id), ..NewMessage::new(Role::Tool, output) })
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
            Ok(NewMessage::new(role, content(place, "content", object.get("content"))?))
        }
    }
}

/// The text of a field: as it is, or in parts.
fn content(place: &str, field: &str, content: Option<&Value>) -> Result<Content, ApiError> {
    match content {
        Some(Value::String(text)) => Ok(Content::Text(text.clone())),
        Some(Value::Array(parts)) => {
            let text = |(index, part): (usize, &Value)| part_text(&format!("{place}.{field}[{index}]"), part);
            parts.iter().enumerate().map(text).collect::<Result<String, _>>().map(Content::Text)
        }
        _ => Err(wrong(place, field, "give a text, or parts of text")),
    }
}

/// The text of a part of a message at `place`.
///
/// # Errors
/// 400 for other parts than text, and for unknown fields.
fn part_text(place: &str, part: &Value) -> Result<String, ApiError> {
    let field = match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => "text",
        Some("refusal") => "refusal",
        Some(kind) => return Err(wrong(place, "type", &format!("{kind:?} is not supported; only text is"))),
        None => return Err(wrong(place, "type", "give input_text or output_text")),
    };
    let is_known = |name: &str| ["type", field, "annotations", "logprobs"].contains(&name);
    let mut fields = part.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    if let Some((name, _)) = fields.clone().find(|(name, _)| !is_known(name)) {
        return Err(wrong(place, name, "unknown field").with_code("unknown_parameter"));
    }
    // Those of the server's own items are empty.
    if fields.any(|(name, value)| name == "annotations" && value != &json!([])) {
        return Err(wrong(place, "annotations", "no template shows annotations; leave them out"));
    }
    part[field].as_str().map(str::to_owned).ok_or_else(|| wrong(place, field, "give a text"))
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
    if let Some(calls) = message.tool_calls.clone() {
        chat.no_content = chat.content.is_empty();
        chat.extra.insert("tool_calls".into(), calls);
    }
    if let Some(id) = &message.tool_call_id {
        chat.extra.insert("tool_call_id".into(), id.clone().into());
    }
    chat
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Roles, texts and numbers of calls of the messages of items: a word with a role is a text, another word a call.
    fn messages(items: &[&str]) -> Vec<(Role, String, usize)> {
        let object = |item: &&str| {
            let item = match item.split_once(' ') {
                Some(("result", id)) => json!({"type": "function_call_output", "call_id": id, "output": "so"}),
                Some((role, text)) => json!({"role": role, "content": text}),
                None => json!({"type": "function_call", "call_id": item, "name": "f", "arguments": "{}"}),
            };
            item.as_object().unwrap().clone()
        };
        let objects: Vec<_> = items.iter().map(object).collect();
        let calls =
            |message: &NewMessage| message.tool_calls.as_ref().map_or(0, |calls| calls.as_array().unwrap().len());
        let messages = parse_all("input", &objects).unwrap();
        messages.iter().map(|message| (message.role, message.content.text(), calls(message))).collect()
    }

    fn check(items: &[&str], expect: &[(Role, &str, usize)]) {
        let expect: Vec<_> = expect.iter().map(|&(role, text, calls)| (role, text.to_owned(), calls)).collect();
        assert_eq!(messages(items), expect, "{items:?}");
    }

    #[test]
    fn items_of_one_reply_are_one_message() {
        use Role::{Assistant, Tool, User};
        check(&["user q", "a", "b"], &[(User, "q", 0), (Assistant, "", 2)]);
        check(&["assistant Well.", "a", "result a"], &[(Assistant, "Well.", 1), (Tool, "so", 0)]);
        check(&["a", "assistant So.", "b"], &[(Assistant, "So.", 2)]);
        check(&["assistant A.", "assistant B.", "a"], &[(Assistant, "A.", 0), (Assistant, "B.", 1)]);
        check(&["a", "assistant A.", "assistant B."], &[(Assistant, "A.", 1), (Assistant, "B.", 0)]);
        check(&["a", "result a", "b"], &[(Assistant, "", 1), (Tool, "so", 0), (Assistant, "", 1)]);
        check(&["a", "user q", "b"], &[(Assistant, "", 1), (User, "q", 0), (Assistant, "", 1)]);
        check(&["assistant "], &[(Assistant, "", 0)]);
        check(&[], &[]);
    }
}
