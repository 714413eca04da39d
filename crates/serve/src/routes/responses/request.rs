//! Requests for responses.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::error::ApiError;
use crate::format;
use crate::items;
use crate::routes::conversations::check_metadata;
use crate::sampling_fields::{SamplingFields, StreamOptions};
use crate::store::{NewMessage, Role};

/// Input: the user's words, or items.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Input {
    /// The user's words.
    Text(String),
    /// Messages, calls and what calls returned.
    Items(Vec<Map<String, Value>>),
}

/// A conversation's id, alone or in an object.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ConversationId {
    /// Alone.
    Id(String),
    /// In an object.
    Object {
        /// The id.
        id: String,
    },
}

/// A turn of a conversation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseRequest {
    /// The model's name, as `/v1/models` lists it.
    pub model: String,
    /// Input: the user's words, or a list of messages, calls and their results.
    #[schema(value_type = Object)]
    pub input: Input,
    /// A system message for this turn alone.
    #[serde(default)]
    pub instructions: Option<String>,
    /// Continue after this response.
    #[serde(default)]
    pub previous_response_id: Option<String>,
    /// Go on in this conversation.
    #[serde(default)]
    pub conversation: Option<ConversationId>,
    /// Keep the turn, so that others can follow it; true, if not given.
    #[serde(default)]
    pub store: Option<bool>,
    /// Most tokens of the reply.
    #[serde(default)]
    pub max_output_tokens: Option<usize>,
    /// Sampling temperature; 0 takes the most probable token.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// Choose among the fewest tokens whose probabilities reach this together.
    #[serde(default)]
    pub top_p: Option<f32>,
    /// The same seed gives the same reply.
    #[serde(default)]
    pub seed: Option<i64>,
    /// The caller's own data.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// Functions that may be called: `{"type": "function", "name", "parameters"}`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub tools: Vec<Value>,
    /// "auto" or "none".
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub tool_choice: Option<Value>,
    /// True: a reply may have several calls.
    #[serde(default)]
    pub parallel_tool_calls: Option<bool>,
    /// `{"format": {"type": "text"}}`; of type `json_object`; or of type `json_schema`, with `name` and `schema`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub text: Option<Map<String, Value>>,
    /// "disabled".
    #[serde(default)]
    pub truncation: Option<String>,
    /// Send events as it comes.
    #[serde(default)]
    pub stream: bool,
    /// Accepted as chat completions have it; events of responses always end with the usage.
    #[serde(default)]
    #[allow(dead_code, reason = "known, and without effect")]
    pub stream_options: Option<StreamOptions>,
}

/// The field with the format of the reply.
pub const TEXT_FORMAT: &str = "text.format";

impl Body for ResponseRequest {
    const REFUSED: &'static [(&'static str, &'static str)] = &[
        ("background", "a response is made while its client waits"),
        ("context_management", "the whole conversation is read"),
        ("include", "responses have all there is of them"),
        ("max_tool_calls", "tools are called by the client"),
        ("moderation", "nothing is moderated here"),
        ("prompt", "prompts are not stored here; send the text"),
        ("reasoning", "use a model whose template has a switch, by /v1/chat/completions"),
        ("top_logprobs", "use /v1/chat/completions"),
    ];
    const WITHOUT_EFFECT: &'static [&'static str] =
        &["prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "user"];
}

impl ResponseRequest {
    /// Refuses contradictory and unsupported settings.
    pub fn check(&self) -> Result<(), ApiError> {
        check_metadata(&self.metadata)?;
        if let Some(text) = &self.text {
            if let Some(field) = text.keys().find(|field| field.as_str() != "format") {
                return Err(ApiError::unsupported(&format!("text.{field}"), "say it in the instructions"));
            }
            format::constraint(text.get("format"), TEXT_FORMAT)?;
        }
        if self.parallel_tool_calls == Some(false) {
            return Err(ApiError::unsupported(
                "parallel_tool_calls",
                "how many calls a reply has is the model's choice",
            ));
        }
        if self.truncation.as_deref().is_some_and(|truncation| truncation != "disabled") {
            return Err(ApiError::unsupported("truncation", "nothing is dropped silently; use disabled"));
        }
        if self.previous_response_id.is_some() && self.conversation.is_some() {
            let message = "give `previous_response_id` or `conversation`, not both";
            return Err(ApiError::invalid(message).with_param("conversation"));
        }
        if self.conversation.is_some() && self.store == Some(false) {
            return Err(ApiError::invalid("a turn of a conversation is stored; leave out `store`").with_param("store"));
        }
        match self.max_output_tokens {
            Some(0) => Err(ApiError::invalid("`max_output_tokens`: give 1 or more").with_param("max_output_tokens")),
            _ => Ok(()),
        }
    }

    /// The format of the reply, if requested.
    pub fn format(&self) -> Option<&Value> {
        self.text.as_ref()?.get("format").filter(|format| !format.is_null())
    }

    /// Whether the turn is stored.
    pub fn is_stored(&self) -> bool {
        self.store != Some(false)
    }

    /// The input as messages.
    pub fn messages(&self) -> Result<Vec<NewMessage>, ApiError> {
        let messages = match &self.input {
            Input::Text(text) => vec![NewMessage::new(Role::User, text.as_str())],
            Input::Items(items) => items::parse_all("input", items)?,
        };
        match messages.is_empty() {
            true => Err(ApiError::invalid("`input`: say something").with_param("input")),
            false => Ok(messages),
        }
    }

    /// The tools as chat templates take them: with the function in a separate object.
    pub fn chat_tools(&self) -> Option<Vec<Value>> {
        let nested = |tool: &Value| {
            let mut function = tool.as_object().cloned().unwrap_or_default();
            let kind = function.shift_remove("type").unwrap_or_default();
            match function.get("function").cloned() {
                Some(function) => json!({"type": kind, "function": function}),
                None => json!({"type": kind, "function": function}),
            }
        };
        (!self.tools.is_empty()).then(|| self.tools.iter().map(nested).collect())
    }

    /// Sampling settings.
    pub fn sampling_fields(&self) -> SamplingFields {
        SamplingFields {
            temperature: self.temperature,
            top_p: self.top_p,
            seed: self.seed,
            ..SamplingFields::default()
        }
    }

    /// Request fields that the response repeats.
    pub fn told(&self, temperature: f32, top_p: Option<f32>) -> Map<String, Value> {
        let told = json!({
            "background": false,
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "metadata": self.metadata,
            "model": self.model,
            "parallel_tool_calls": true,
            "previous_response_id": self.previous_response_id,
            "reasoning": {"effort": null, "summary": null},
            "store": self.is_stored(),
            "temperature": decimal(temperature),
            "text": {"format": self.format().unwrap_or(&json!({"type": "text"}))},
            "tool_choice": self.tool_choice.clone().unwrap_or_else(|| "auto".into()),
            "tools": self.tools,
            "top_p": decimal(top_p.unwrap_or(1.0)),
            "truncation": "disabled",
        });
        let Value::Object(told) = told else { unreachable!("it was written as an object") };
        told
    }
}

/// A setting as a person wrote it: 0.7 and not 0.699999988079071.
fn decimal(setting: f32) -> f64 {
    setting.to_string().parse().unwrap_or_else(|_| f64::from(setting))
}
