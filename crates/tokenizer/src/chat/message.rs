//! Messages of conversations.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The field of a first message that holds the conversation's tools.
pub(super) const TOOLS: &str = "tools";
/// The field of a first message that holds variables for the template.
pub(super) const VARIABLES: &str = "chat_template_kwargs";
/// Fields that are read here, that are reported if a template omits them, or that only name a message.
pub(super) const READ: [&str; 8] = [TOOLS, VARIABLES, "weight", "train", "tool_calls", "name", "id", "tool_call_id"];
/// Names under which data sets keep a message's reasoning; the first is the one templates read.
pub(super) const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// One message of a conversation, in the common form of chat models and data sets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// "system", "user", "assistant" or "tool".
    pub role: String,
    /// Text of the message; parts are joined.
    pub content: String,
    /// Whether the message has no content at all (missing or null), as one that only calls tools may. Templates can
    /// tell that from empty content.
    pub no_content: bool,
    /// Other fields, such as `tool_calls` or `reasoning_content`, which templates may read. Two fields of the first
    /// message belong to the whole conversation: `tools`, a list of functions that may be called, and
    /// `chat_template_kwargs`, further variables for the template. They are passed to the template as such.
    pub extra: Map<String, Value>,
}

impl Message {
    /// A message without other fields.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), ..Self::default() }
    }

    /// A message from a JSON object. `content` may be a string, null, missing, or a list of parts of text
    /// (`{"type": "text", "text": …}` or plain strings), which are joined. Other fields that are null are left out, as
    /// `transformers` does before rendering: files of columns fill them in.
    ///
    /// # Errors
    /// The expected and the found value, each in a few words, when there is no role or the content is none of these.
    pub fn from_object(object: Map<String, Value>) -> Result<Self, (String, String)> {
        let (mut role, mut content, mut extra) = (None, Value::Null, Map::new());
        for (key, value) in object {
            match (key.as_str(), value) {
                ("role", value) => role = Some(value),
                ("content", value) => content = value,
                (_, Value::Null) => {}
                (_, value) => {
                    extra.insert(key, value);
                }
            }
        }
        let role = match role {
            Some(Value::String(role)) => role,
            Some(other) => return Err(("a string as `role`".into(), kind(&other).into())),
            None => return Err(("`role`".into(), "none".into())),
        };
        let no_content = content.is_null();
        let content = match content {
            Value::String(text) => text,
            Value::Null => String::new(),
            Value::Array(parts) => join_parts(&parts)?,
            other => return Err(("a string as `content`".into(), kind(&other).into())),
        };
        Ok(Self { role, content, no_content, extra })
    }

    /// Whether the message carries loss: not with `"weight": 0` or `"train": false`.
    pub fn is_learned(&self) -> bool {
        let weightless = self.extra.get("weight").and_then(Value::as_f64).is_some_and(|weight| weight == 0.0);
        let off = self.extra.get("train").and_then(Value::as_bool) == Some(false);
        !weightless && !off
    }

    /// Whether the message has a name. A tool's is that of its function, which the call has too; an empty one says
    /// nothing.
    pub fn has_name(&self) -> bool {
        let name = self.extra.get("name");
        self.role != "tool" && name.is_some_and(|name| !name.is_null() && name.as_str() != Some(""))
    }

    /// Whether the message calls a tool.
    pub fn calls_tools(&self) -> bool {
        self.extra.get("tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty())
    }
}

fn join_parts(parts: &[Value]) -> Result<String, (String, String)> {
    let mut joined = String::new();
    for part in parts {
        let text = match part {
            Value::String(text) => Some(text.as_str()),
            Value::Object(part) => {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
                if !matches!(kind, "text" | "input_text" | "output_text") {
                    return Err(("parts of text in `content`".into(), format!("a part of type {kind:?}")));
                }
                part.get("text").and_then(Value::as_str)
            }
            _ => None,
        };
        match text {
            Some(text) => joined.push_str(text),
            None => return Err(("parts with `text` in `content`".into(), kind(part).into())),
        }
    }
    Ok(joined)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Map::deserialize(deserializer)?;
        Self::from_object(object)
            .map_err(|(expected, found)| serde::de::Error::custom(format!("expected {expected}, found {found}")))
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
    }
}

impl Message {
    /// The fields as JSON has them, role and content first.
    fn fields(&self) -> impl Iterator<Item = (&str, Value)> {
        let content = (!self.no_content).then(|| ("content", Value::from(self.content.as_str())));
        let extra = self.extra.iter().map(|(key, value)| (key.as_str(), value.clone()));
        [("role", Value::from(self.role.as_str()))].into_iter().chain(content).chain(extra)
    }
}
