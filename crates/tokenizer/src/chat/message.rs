use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// One message of a conversation, in the form that chat models and their data sets have agreed on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// "system", "user", "assistant" or "tool".
    pub role: String,
    /// What was said. Missing or null, as in messages that only call tools, reads as empty.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub content: String,
    /// Other fields, such as `tool_calls` or `reasoning_content`, which templates may read.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Message {
    /// A message without other fields.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), extra: Map::new() }
    }
}

fn null_as_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
