//! `/tokenize`, `/detokenize` and `/tokenizer_info`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fireclay_text::TextError;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::blocking::blocking;
use crate::body::{Body, Json};
use crate::error::ApiError;
use crate::logprobs::token_text;
use crate::messages::{in_messages, messages, of_omitted, render_options, with_or_without_content};
use crate::model::Served;
use crate::query::{Fields, FromQuery, Query};

/// A text or a conversation as token ids.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenizeRequest {
    /// The model's name; the first one, if not given.
    #[serde(default)]
    model: Option<String>,
    /// A text.
    #[serde(default)]
    prompt: Option<String>,
    /// Or a conversation, by the chat template.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    messages: Option<Vec<Map<String, Value>>>,
    /// Put before a text what the model expects there (a BOS token, for Llama) [default: true].
    #[serde(default)]
    add_special_tokens: Option<bool>,
    /// End a conversation with the words that open a reply [default: true].
    #[serde(default)]
    add_generation_prompt: Option<bool>,
    /// Tell the tokens' texts as well.
    #[serde(default)]
    return_token_strs: bool,
}

impl Body for TokenizeRequest {}

/// Token ids as text.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DetokenizeRequest {
    /// The model's name; the first one, if not given.
    #[serde(default)]
    model: Option<String>,
    /// Token ids.
    tokens: Vec<u32>,
}

impl Body for DetokenizeRequest {}

/// The model of a request.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfModel {
    /// The model's name; the first one, if not given.
    model: Option<String>,
}

impl FromQuery for OfModel {
    const FIELDS: &'static [&'static str] = &["model"];

    fn of(fields: &Fields) -> Result<Self, ApiError> {
        Ok(Self { model: fields.text("model").map(str::to_owned) })
    }
}

/// Turn text into token ids
#[utoipa::path(post, path = "/tokenize", tag = "tokens", request_body = TokenizeRequest,
    responses((status = 200, description = "`tokens`, `count`, \
        `max_model_len`"), (status = "4XX", description = "An error object")))]
pub async fn tokenize(State(app): State<Arc<App>>, Json(asked): Json<TokenizeRequest>) -> Result<Response, ApiError> {
    let model = app.model_or_first(asked.model.as_deref())?;
    let (context, served, strings) = (model.context, Arc::clone(&model), asked.return_token_strs);
    let ids = blocking(move || encode(&model, &asked)).await?;
    let mut object = json!({"tokens": ids, "count": ids.len(), "max_model_len": context});
    if strings {
        object["token_strs"] = ids.iter().map(|&id| token_text(&served, id)).collect::<Vec<String>>().into();
    }
    Ok(axum::Json(object).into_response())
}

fn encode(model: &Served, asked: &TokenizeRequest) -> Result<Vec<u32>, ApiError> {
    let meant_for = |field: &str, other: &str| {
        Err(ApiError::invalid(format!("`{field}` belongs to `{other}`, which is not given")).with_param(field))
    };
    match (&asked.prompt, &asked.messages) {
        (Some(_), None) if asked.add_generation_prompt.is_some() => meant_for("add_generation_prompt", "messages"),
        (None, Some(_)) if asked.add_special_tokens == Some(false) => meant_for("add_special_tokens", "prompt"),
        (Some(text), None) => {
            let leading = model.text.leading_id().filter(|_| asked.add_special_tokens != Some(false));
            let ids = model.tokenizer.try_encode(text).map_err(|error| ApiError::of_tokenizer(&error))?;
            Ok(leading.into_iter().chain(ids).collect())
        }
        (None, Some(objects)) => {
            let messages = messages(objects)?;
            let mut options = render_options(model, None, Map::new());
            options.add_generation_prompt = asked.add_generation_prompt != Some(false);
            let tokenizer = model.text.chat_tokenizer().map_err(|error| ApiError::of_text(&error))?;
            let text = with_or_without_content(&messages, |messages| {
                let text = tokenizer.render_chat_with(messages, &options)?.text;
                tokenizer.omitted_part(messages, &options).map_or(Ok(text), |part| Err(TextError::Omitted(part)))
            });
            let text = text.map_err(|error| match error {
                TextError::Omitted(part) => of_omitted(&part, &in_messages(&part)),
                error => ApiError::of_text(&error),
            })?;
            Ok(tokenizer.encode_with_specials(&text))
        }
        _ => Err(ApiError::invalid("give `prompt` or `messages`").with_param("prompt")),
    }
}

/// Turn token ids into text
#[utoipa::path(post, path = "/detokenize", tag = "tokens", request_body = DetokenizeRequest,
    responses((status = 200, description = "`prompt`: the text"), (status = "4XX", description = "An error object")))]
pub async fn detokenize(
    State(app): State<Arc<App>>,
    Json(asked): Json<DetokenizeRequest>,
) -> Result<Response, ApiError> {
    let model = app.model_or_first(asked.model.as_deref())?;
    let vocabulary = model.tokenizer.vocab_size();
    if let Some(id) = asked.tokens.iter().find(|&&id| id as usize >= vocabulary) {
        let message = format!("`tokens`: {id} is not a token id; the vocabulary has {vocabulary}");
        return Err(ApiError::invalid(message).with_param("tokens"));
    }
    let text = blocking(move || Ok(model.tokenizer.decode(&asked.tokens))).await?;
    Ok(axum::Json(json!({"prompt": text})).into_response())
}

/// Describe a model's tokenizer
#[utoipa::path(get, path = "/tokenizer_info", tag = "tokens", params(OfModel),
    responses((status = 200, description = "Special tokens, chat template, \
        sizes"), (status = "4XX", description = "An error object")))]
pub async fn info(State(app): State<Arc<App>>, Query(asked): Query<OfModel>) -> Result<Response, ApiError> {
    let model = app.model_or_first(asked.model.as_deref())?;
    let tokenizer = &model.tokenizer;
    let named = |id: Option<u32>| id.and_then(|id| tokenizer.id_to_token(id));
    Ok(axum::Json(json!({
        "model": model.id,
        "bos_token": named(tokenizer.bos_id()),
        "eos_token": named(tokenizer.eos_id()),
        "pad_token": named(tokenizer.pad_id()),
        "unk_token": named(tokenizer.unk_id()),
        "bos_token_id": tokenizer.bos_id(),
        "eos_token_id": tokenizer.eos_id(),
        "add_bos_token": model.text.leading_id().is_some(),
        "stop_token_ids": model.stop_ids,
        "vocab_size": tokenizer.vocab_size(),
        "max_model_len": model.context,
        "chat_template": tokenizer.chat_template().map(fireclay_tokenizer::ChatTemplate::source),
    }))
    .into_response())
}
