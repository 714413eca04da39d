//! `/v1/chat/completions`

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fireclay_text::CHAT_TEMPERATURE;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::Account;
use crate::blocking::blocking;
use crate::body::{Body, Json};
use crate::calls::{self, Piece, Splitter};
use crate::clock::seconds;
use crate::error::ApiError;
use crate::format;
use crate::generation::{AnswerDelta, Generation, Said, Whole};
use crate::logprobs::token_entry;
use crate::messages::{Asked, encode, in_messages, messages};
use crate::model::Served;
use crate::sampling_fields::{MOST_LOGPROBS, StreamOptions, count, repeated, request};
use crate::sse;
use crate::store::new_id;
use crate::tools::Tools;
use crate::usage::Tokens;

request! {
    /// A conversation to answer.
    pub struct ChatRequest {
        /// The model's name, as `/v1/models` lists it.
        pub model: String,
        /// Messages so far: objects with `role` and `content`, `tool_calls` and `tool_call_id`.
        #[schema(value_type = Vec<Object>)]
        pub messages: Vec<Map<String, Value>>,
        /// Most tokens of the answer; the rest of the context, if not given.
        #[serde(default)]
        pub max_tokens: Option<usize>,
        /// The same, in newer clients' name.
        #[serde(default)]
        pub max_completion_tokens: Option<usize>,
        /// Tell each token's log-probability.
        #[serde(default)]
        pub logprobs: bool,
        /// Tell so many of the most probable tokens in each place.
        #[serde(default)]
        pub top_logprobs: Option<usize>,
        /// Functions that may be called, where the model's chat template shows them. The arguments of a `strict` one
        /// are held to its `parameters`.
        #[serde(default)]
        #[schema(value_type = Option<Vec<Object>>)]
        pub tools: Option<Vec<Value>>,
        /// "auto", "none", "required", or `{"type": "function", "function": {"name"}}`.
        #[serde(default)]
        #[schema(value_type = Option<Object>)]
        pub tool_choice: Option<Value>,
        /// False: a reply has one call at most.
        #[serde(default)]
        pub parallel_tool_calls: Option<bool>,
        /// Further variables for the chat template, such as `enable_thinking`.
        #[serde(default)]
        #[schema(value_type = Object)]
        pub chat_template_kwargs: Map<String, Value>,
        /// `{"type": "text"}`, `{"type": "json_object"}`, or
        /// `{"type": "json_schema", "json_schema": {"name", "schema"}}`.
        #[serde(default)]
        #[schema(value_type = Option<Object>)]
        pub response_format: Option<Value>,
    }
}

impl Body for ChatRequest {
    const REFUSED: &'static [(&'static str, &'static str, &'static str)] = &[
        ("audio", "answers are text", "[]"),
        ("modalities", "answers are text; leave it out", r#"[["text"]]"#),
        ("prediction", "answers are generated from the conversation alone", "[]"),
        ("reasoning_effort", "use chat_template_kwargs, if the model's template has a switch", r#"["none"]"#),
        ("verbosity", "say it in a message", r#"["medium"]"#),
        ("web_search_options", "the server reaches no other host", "[]"),
        ("functions", "use tools", "[]"),
        ("function_call", "use tool_choice", r#"["none", "auto"]"#),
        ("moderation", "nothing is moderated here", "[]"),
        ("service_tier", "all requests are served alike", r#"["auto", "default"]"#),
    ];
    const WITHOUT_EFFECT: &'static [&'static str] =
        &["metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "user"];
}

impl ChatRequest {
    fn check(&self) -> Result<(), ApiError> {
        format::constraint(self.response_format.as_ref(), "response_format")?;
        StreamOptions::check(self.stream_options, self.stream)?;
        if self.top_logprobs.is_some_and(|number| number > 0) && !self.logprobs {
            return Err(ApiError::invalid("`top_logprobs` needs `logprobs`: true").with_param("top_logprobs"));
        }
        if self.top_logprobs.is_some_and(|number| number > MOST_LOGPROBS) {
            return Err(
                ApiError::invalid(format!("`top_logprobs`: at most {MOST_LOGPROBS}")).with_param("top_logprobs")
            );
        }
        if let (Some(one), Some(other)) = (self.max_tokens, self.max_completion_tokens)
            && one != other
        {
            let message = "`max_tokens` and `max_completion_tokens` are the same setting; give one of them";
            return Err(ApiError::invalid(message).with_param("max_tokens"));
        }
        match self.max_completion_tokens.or(self.max_tokens) {
            Some(0) => Err(ApiError::invalid("`max_tokens`: give 1 or more").with_param("max_tokens")),
            _ => Ok(()),
        }
    }
}

/// Answer a conversation
#[utoipa::path(post, path = "/v1/chat/completions", tag = "chat", request_body = ChatRequest,
    responses((status = 200, description = "A chat completion, or with `stream` server-sent chunks of it"),
        (status = "4XX", description = "An error object"), (status = "5XX", description = "An error object")))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Json(asked): Json<ChatRequest>,
) -> Result<Response, ApiError> {
    let model = app.model(&asked.model)?;
    asked.check()?;
    let n = count(asked.n, 1, app.places())?;
    let places = model.admit(n)?;
    let stops = asked.sampling_fields().stops()?;
    let tools = Tools::offered(asked.tools.clone(), asked.tool_choice.as_ref(), asked.parallel_tool_calls)?;
    let wanted = asked.max_completion_tokens.or(asked.max_tokens);
    let form = match tools.as_ref().is_some_and(|tools| tools.is_forced) {
        true => Some("tool_choice"),
        false => format::form(asked.response_format.as_ref()),
    };
    asked.sampling_fields().check_end(form, wanted)?;
    let prompt = {
        let (model, asked, tools) = (Arc::clone(&model), asked.clone(), tools.clone());
        blocking(move || prompt(&model, &asked, tools)).await?
    };
    let format = asked.response_format.as_ref();
    let constraint = format::compiled(&model, tools.as_ref(), format, "response_format").await?;
    let splitter = tools.as_ref().map(Tools::splitter);
    model.check_room("messages", prompt.len(), 1)?;
    let most = app.room(&model, prompt.len(), wanted);
    let config = asked.sampling_fields().config(&model, most, CHAT_TEMPERATURE)?;
    let mut request = model.request(&account, prompt, config, &stops, true)?;
    request.top_logprobs = asked.top_logprobs.unwrap_or(0);
    request.constraint = constraint;
    let requests = repeated(&request, n).map(|request| (request, model.reply_text(&stops))).collect();
    let generation = app.generate(&model, requests, places);
    // An ignored end is a token like any other.
    let generation = if asked.ignore_eos { generation.telling_ends() } else { generation };
    let answer = ChatAnswer { id: new_id("chatcmpl"), created: seconds(), splitter, logprobs: asked.logprobs, model };
    if asked.stream {
        let (n, usage) = (n, asked.includes_usage());
        return Ok(sse::stream(move |events| async move { answer.stream(&events, generation, n, usage).await }));
    }
    let choices = generation.whole().await?;
    Ok(axum::Json(answer.whole(&choices)).into_response())
}

/// Variables of a chat template that requests cannot set.
const OWN_VARIABLES: [&str; 6] =
    ["messages", "tools", "add_generation_prompt", "continue_final_message", "bos_token", "eos_token"];

/// The ids of a conversation, in which the model is shown these tools.
fn prompt(model: &Served, asked: &ChatRequest, tools: Option<Tools>) -> Result<Vec<u32>, ApiError> {
    let messages = messages(&asked.messages)?;
    if let Some(name) = asked.chat_template_kwargs.keys().find(|name| OWN_VARIABLES.contains(&name.as_str())) {
        let message = format!("`chat_template_kwargs`: `{name}` is set by the server; leave it out");
        return Err(ApiError::invalid(message).with_param("chat_template_kwargs"));
    }
    let is_off = |value: &Value| value.is_null() || value == false;
    let is_unread = |name: &str| !model.tokenizer.template_reads(name);
    let mut variables = asked.chat_template_kwargs.iter();
    if let Some((name, _)) = variables.find(|(name, value)| !is_off(value) && is_unread(name)) {
        let place = format!("chat_template_kwargs.{name}");
        return Err(ApiError::unsupported(&place, "this model's chat template does not read it; leave it out"));
    }
    let (tools, variables) = (tools.map(|tools| tools.shown), asked.chat_template_kwargs.clone());
    encode(model, &Asked { messages: &messages, tools, variables, place: &in_messages })
}

/// Fields of an answer's JSON besides its deltas.
struct ChatAnswer {
    id: String,
    created: u64,
    model: Arc<Served>,
    /// Where the reply may call tools.
    splitter: Option<Splitter>,
    logprobs: bool,
}

impl ChatAnswer {
    fn whole(&self, choices: &[Whole]) -> Value {
        let mut tokens = Tokens::default();
        let choice = |(index, whole): (usize, &Whole)| {
            let (content, calls) = calls::split(self.splitter.clone(), &whole.text);
            let reason = finish_reason(whole.end.reason, !calls.is_empty());
            let mut message = json!({"role": "assistant", "content": content, "refusal": null});
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
            }
            json!({"index": index, "message": message, "logprobs": self.logprobs(&whole.said), "finish_reason": reason})
        };
        for (index, whole) in choices.iter().enumerate() {
            tokens.add(&whole.end.completion, index == 0);
        }
        let choices: Vec<Value> = choices.iter().enumerate().map(choice).collect();
        let mut object = self.object("chat.completion", &choices);
        object["usage"] = usage(tokens);
        object
    }

    async fn stream(
        self,
        events: &sse::Events,
        mut generation: Generation,
        n: usize,
        include_usage: bool,
    ) -> Result<(), sse::Gone> {
        let chunk = |choices: &[Value]| {
            let mut object = self.object("chat.completion.chunk", choices);
            if include_usage {
                object["usage"] = Value::Null;
            }
            object
        };
        for index in 0..n {
            let delta = json!({"role": "assistant", "content": "", "refusal": null});
            events.send(&chunk(&[choice(index, &delta, &Value::Null, None)])).await?;
        }
        let mut tokens = Tokens::default();
        let mut splitters = vec![self.splitter.clone(); n];
        let mut calls = vec![0_u64; n];
        while let Some(delta) = events.next(&mut generation).await? {
            let AnswerDelta { index, text, said, end } = match delta {
                Ok(delta) => delta,
                Err(error) => {
                    events.fail(&error).await?;
                    return events.done().await;
                }
            };
            let pieces = match &mut splitters[index] {
                Some(splitter) => splitter.take(&text, end.is_some()),
                None if text.is_empty() => vec![],
                None => vec![Piece::Text(text)],
            };
            let mut deltas: Vec<Value> = pieces.into_iter().map(|piece| delta_of(piece, &mut calls[index])).collect();
            // Log-probabilities are told as the tokens come, also of those whose text is held back.
            let said = if self.logprobs { said } else { vec![] };
            if !said.is_empty() && deltas.first().is_none_or(|delta| delta["content"].is_null()) {
                deltas.insert(0, json!({"content": ""}));
            }
            for (place, delta) in deltas.iter().enumerate() {
                let logprobs = if place == 0 && !said.is_empty() { self.logprobs(&said) } else { Value::Null };
                events.send(&chunk(&[choice(index, delta, &logprobs, None)])).await?;
            }
            if let Some(end) = end {
                tokens.add(&end.completion, index == 0);
                let reason = finish_reason(end.reason, calls[index] > 0);
                events.send(&chunk(&[choice(index, &json!({}), &Value::Null, Some(reason))])).await?;
            }
        }
        if include_usage {
            let mut object = self.object("chat.completion.chunk", &[]);
            object["usage"] = usage(tokens);
            events.send(&object).await?;
        }
        events.done().await
    }

    fn object(&self, kind: &str, choices: &[Value]) -> Value {
        let Self { id, created, model, .. } = self;
        json!({"id": id, "object": kind, "created": created, "model": model.id, "choices": choices})
    }

    fn logprobs(&self, said: &[Said]) -> Value {
        if !self.logprobs {
            return Value::Null;
        }
        let entries = said.iter().map(|said| token_entry(&self.model, said));
        json!({"content": entries.collect::<Vec<Value>>(), "refusal": null})
    }
}

/// Why an answer ended. One that was cut by its limit says so, also after a call.
fn finish_reason(reason: &'static str, has_calls: bool) -> &'static str {
    if has_calls && reason == "stop" { "tool_calls" } else { reason }
}

/// A piece of an answer as the delta of a chunk; `calls` counts the answer's calls.
fn delta_of(piece: Piece, calls: &mut u64) -> Value {
    match piece {
        Piece::Text(text) => json!({"content": text}),
        Piece::Call(mut call) => {
            call["index"] = (*calls).into();
            *calls += 1;
            json!({"tool_calls": [call]})
        }
    }
}

fn choice(index: usize, delta: &Value, logprobs: &Value, reason: Option<&str>) -> Value {
    json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason})
}

/// Token usage of an answer, in `OpenAI`'s shape.
pub fn usage(tokens: Tokens) -> Value {
    let Tokens { prompt, cached, completion } = tokens;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}
