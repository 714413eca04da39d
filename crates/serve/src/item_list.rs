//! Stored messages as items of the Responses API, and pages of items.
//!
//! A message of text is one item with the message's id, `msg_` and 40 hexadecimal digits. The result of a call has
//! `fco_` and these digits. Each call of a reply has `fc_`, these digits, and 8 more for the call; text after a call is
//! another message item with 8 more digits. So the id of an item names its message, and stays when another item is
//! deleted.

use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::include::check_include;
use crate::query::{Fields, FromQuery};
use crate::store::{AFTER_CALLS, Content, MessagePart, Role, Status, StoredMessage};

/// Hexadecimal digits of a message's id.
const DIGITS: usize = 40;

/// Progress of a message, in the API's words.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::InProgress => "in_progress",
        Status::Completed => "completed",
        Status::Incomplete => "incomplete",
    }
}

/// An item of a message, and the part of the message that it shows.
pub struct Item {
    /// The item as clients get it.
    pub object: Value,
    pub part: MessagePart,
}

/// The items of a stored message in their order: its text, and each of its calls.
pub fn items(message: &StoredMessage) -> Vec<Item> {
    if message.role == Role::Tool {
        let object = json!({"id": format!("fco_{}", digits(message)), "type": "function_call_output",
            "status": status(message.status), "call_id": message.tool_call_id, "output": message.content.text()});
        return vec![Item { object, part: MessagePart::Text(0) }];
    }
    let calls = message.tool_calls.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let texts = texts(message);
    let is_empty = calls.is_empty() && texts.iter().all(|(_, text, _)| text.is_empty());
    let mut items = vec![];
    for place in 0..=calls.len() {
        // Text that a wrong file puts after more calls than there are stands at the end.
        let here = texts.iter().filter(|(_, _, after)| *after.min(&calls.len()) == place);
        for (index, text, _) in here.filter(|(index, text, _)| !text.is_empty() || (is_empty && *index == 0)) {
            items.push(text_item(message, *index, text, place < calls.len()));
        }
        if let Some(call) = calls.get(place) {
            items.push(call_item(message, &calls[..place], call));
        }
    }
    items
}

/// The objects of the items of messages.
pub fn objects(messages: &[StoredMessage]) -> Vec<Value> {
    messages.iter().flat_map(items).map(|item| item.object).collect()
}

/// Texts of a message: index of the part, text, and number of calls before it.
fn texts(message: &StoredMessage) -> Vec<(usize, String, usize)> {
    match &message.content {
        Content::Parts(parts) if parts.iter().any(|part| part.contains_key(AFTER_CALLS)) => {
            let after = |part: &serde_json::Map<String, Value>| part.get(AFTER_CALLS)?.as_u64();
            let text = |part: &serde_json::Map<String, Value>| part.get("text")?.as_str().map(str::to_owned);
            let parts = parts.iter().enumerate();
            parts
                .map(|(index, part)| (index, text(part).unwrap_or_default(), after(part).unwrap_or(0) as usize))
                .collect()
        }
        content => vec![(0, content.text(), 0)],
    }
}

/// Content of a reply from its texts and the number of calls before each.
pub fn content(texts: &[(String, usize)]) -> Content {
    match texts {
        [] => Content::Text(String::new()),
        [(text, 0)] => Content::Text(text.clone()),
        texts => {
            let part = |(text, after): &(String, usize)| {
                let part = json!({"type": "output_text", "text": text, AFTER_CALLS: after});
                part.as_object().cloned().expect("it was written as an object")
            };
            Content::Parts(texts.iter().map(part).collect())
        }
    }
}

fn text_item(message: &StoredMessage, index: usize, text: &str, is_followed: bool) -> Item {
    let id = match index {
        0 => message.id.clone(),
        index => format!("{}{index:08x}", message.id),
    };
    let status = if is_followed { "completed" } else { status(message.status) };
    let role = serde_json::to_value(message.role).expect("a role is a word");
    let part = match message.role {
        Role::Assistant => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
        _ => json!({"type": "input_text", "text": text}),
    };
    let object = json!({"id": id, "type": "message", "status": status, "role": role, "content": [part]});
    Item { object, part: MessagePart::Text(index) }
}

/// A call, which is recognised once it is complete.
fn call_item(message: &StoredMessage, before: &[Value], call: &Value) -> Item {
    let name = call["id"].as_str().unwrap_or_default();
    let again = before.iter().filter(|other| other["id"] == call["id"]).count();
    let hash = blake3::hash(format!("{again} {name}").as_bytes()).to_hex();
    let function = &call["function"];
    let object = json!({"id": format!("fc_{}{}", digits(message), &hash[..8]), "type": "function_call",
        "status": "completed", "call_id": call["id"], "name": function["name"], "arguments": function["arguments"]});
    Item { object, part: MessagePart::Call(call.clone()) }
}

fn digits(message: &StoredMessage) -> &str {
    message.id.strip_prefix("msg_").unwrap_or(&message.id)
}

/// The id of the message that has the item of this id, if it can be one.
pub fn message_of(item: &str) -> Option<String> {
    let digits = ["msg_", "fco_", "fc_"].iter().find_map(|prefix| item.strip_prefix(prefix))?;
    digits.get(..DIGITS).map(|digits| format!("msg_{digits}"))
}

/// The items of a list.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ItemsQuery {
    /// At most so many, 1 to 100 [default: 20].
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: u64,
    /// "asc" or "desc" [default: desc].
    #[param(required = false)]
    order: String,
    /// Only those after this item.
    #[param(required = false)]
    after: Option<String>,
    /// Kinds about items that never occur here.
    #[param(required = false)]
    #[expect(dead_code, reason = "it changes nothing of the answer")]
    include: Vec<String>,
}

impl FromQuery for ItemsQuery {
    const FIELDS: &'static [&'static str] = &["limit", "order", "after", "include"];
    const LISTS: &'static [&'static str] = &["include"];
    const REFUSED: &'static [(&'static str, &'static str)] = &[("before", "use after with the other order")];

    fn of(fields: &Fields) -> Result<Self, ApiError> {
        check_include(fields.list("include"))?;
        Ok(Self {
            include: fields.list("include").map(str::to_owned).collect(),
            limit: fields.number("limit", 1..=100)?.unwrap_or(20),
            order: fields.one_of("order", &["asc", "desc"])?.unwrap_or("desc").to_owned(),
            after: fields.text("after").map(str::to_owned),
        })
    }
}

impl ItemsQuery {
    /// The page of these messages' items, the oldest message first.
    ///
    /// # Errors
    /// 404 when `after` is none of the items.
    pub fn page(&self, messages: &[StoredMessage]) -> Result<Value, ApiError> {
        let mut items = objects(messages);
        if self.order == "desc" {
            items.reverse();
        }
        if let Some(after) = &self.after {
            let place = items.iter().position(|item| item["id"] == after.as_str());
            let place = place.ok_or_else(|| no_item(after).with_param("after"))?;
            items.drain(..=place);
        }
        let has_more = items.len() > self.limit as usize;
        items.truncate(self.limit as usize);
        Ok(list(&items, has_more))
    }
}

/// A list of items.
pub fn list(items: &[Value], has_more: bool) -> Value {
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json!({"object": "list", "first_id": id(items.first()), "last_id": id(items.last()), "has_more": has_more,
        "data": items})
}

/// 404 for an item.
pub fn no_item(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no item `{id}`"))
}
