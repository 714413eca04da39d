//! Requests for responses.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::body::Body;
use crate::error::ApiError;
use crate::format;
use crate::include::check_include;
use crate::items;
use crate::metadata::check_metadata;
use crate::sampling_fields::{SamplingFields, StreamOptions};
use crate::store::{NewMessage, Role};

/// Input: the user's words, or items.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "give a text, or a list of items")]
pub enum ResponseInput {
    /// The user's words.
    Text(String),
    /// Messages, calls and what calls returned.
    Items(Vec<Map<String, Value>>),
}

/// A conversation's id, alone or in an object.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, deny_unknown_fields, expecting = "give a conversation's id, alone or as `id` of an object")]
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
    /// Input: the user's words, or a list of messages, calls and their results. May be left out where a conversation
    /// ends with the user's words.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub input: Option<ResponseInput>,
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
    /// Functions that may be called: `{"type": "function", "name", "parameters", "strict"}`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub tools: Vec<Value>,
    /// "auto", "none", "required", or `{"type": "function", "name"}`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub tool_choice: Option<Value>,
    /// False: a reply has one call at most.
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
    /// As chat completions have it; events of responses always end with the usage.
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    /// Further fields of a response: those of items that never occur here.
    #[serde(default)]
    pub include: Vec<String>,
    /// Without an effort, or of effort "none".
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub reasoning: Option<Map<String, Value>>,
}

/// The field with the format of the reply.
pub const TEXT_FORMAT: &str = "text.format";

impl Body for ResponseRequest {
    const REFUSED: &'static [(&'static str, &'static str, &'static str)] = &[
        ("background", "a response is made while its client waits", "[false]"),
        ("context_management", "the whole conversation is read", "[]"),
        ("max_tool_calls", "tools are called by the client", "[]"),
        ("moderation", "nothing is moderated here", "[]"),
        ("prompt", "prompts are not stored here; send the text", "[]"),
        ("service_tier", "all requests are served alike", r#"["auto", "default"]"#),
        ("top_logprobs", "use /v1/chat/completions", "[0]"),
    ];
    const WITHOUT_EFFECT: &'static [&'static str] =
        &["prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"];
}

/// Fields of `reasoning`, with the values that ask for none.
const REASONING: [(&str, &[&str]); 3] =
    [("effort", &["none"]), ("generate_summary", &["auto"]), ("summary", &["auto"])];

impl ResponseRequest {
    /// Refuses contradictory and unsupported settings.
    pub fn check(&self) -> Result<(), ApiError> {
        check_metadata(&self.metadata)?;
        StreamOptions::check(self.stream_options, self.stream)?;
        self.check_text()?;
        check_include(self.include.iter().map(String::as_str))?;
        for (field, value) in self.reasoning.iter().flatten().filter(|(_, value)| !value.is_null()) {
            let place = format!("reasoning.{field}");
            let known = REASONING.iter().find(|(name, _)| name == field);
            let known = known.ok_or_else(|| {
                ApiError::invalid(format!("unknown field `{place}`")).with_param(&place).with_code("unknown_parameter")
            })?;
            if value.as_str().is_none_or(|value| !known.1.contains(&value)) {
                let why = "use a model whose template has a switch, by /v1/chat/completions";
                return Err(ApiError::unsupported(&place, why));
            }
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

    fn check_text(&self) -> Result<(), ApiError> {
        for (field, value) in self.text.iter().flatten().filter(|(_, value)| !value.is_null()) {
            match field.as_str() {
                "format" => drop(format::constraint(Some(value), TEXT_FORMAT)?),
                "verbosity" if value == "medium" => {}
                "verbosity" => return Err(ApiError::unsupported("text.verbosity", "say it in the instructions")),
                field => {
                    let place = format!("text.{field}");
                    let error = ApiError::invalid(format!("unknown field `{place}`"));
                    return Err(error.with_param(place).with_code("unknown_parameter"));
                }
            }
        }
        Ok(())
    }

    /// The format of the reply, if requested.
    pub fn format(&self) -> Option<&Value> {
        self.text.as_ref()?.get("format").filter(|format| !format.is_null())
    }

    /// The system message of the turn; a text without words is none.
    pub fn instructions(&self) -> Option<&str> {
        self.instructions.as_deref().filter(|text| !text.trim().is_empty())
    }

    /// Whether the turn is stored.
    pub fn is_stored(&self) -> bool {
        self.store != Some(false)
    }

    /// The input as messages: none only where a conversation may have what is to be answered.
    pub fn messages(&self) -> Result<Vec<NewMessage>, ApiError> {
        let messages = match &self.input {
            None => vec![],
            Some(ResponseInput::Text(text)) => vec![NewMessage::new(Role::User, text.as_str())],
            Some(ResponseInput::Items(items)) => items::parse_all("input", items)?,
        };
        match messages.is_empty() && self.conversation.is_none() {
            true => Err(ApiError::invalid("`input`: say something").with_param("input")),
            false => Ok(messages),
        }
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
            "instructions": self.instructions(),
            "max_output_tokens": self.max_output_tokens,
            "metadata": self.metadata,
            "model": self.model,
            "parallel_tool_calls": self.parallel_tool_calls.unwrap_or(true),
            "previous_response_id": self.previous_response_id,
            "reasoning": {"effort": null, "summary": null},
            "service_tier": "default",
            "store": self.is_stored(),
            "temperature": decimal(temperature),
            "text": {"format": self.format().unwrap_or(&json!({"type": "text"}))},
            "tool_choice": self.tool_choice.clone().unwrap_or_else(|| "auto".into()),
            "tools": self.tools,
            "top_logprobs": 0,
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
