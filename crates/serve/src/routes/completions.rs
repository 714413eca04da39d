//! `/v1/completions`: continuation of raw texts, for example for evaluation harnesses.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::chat::usage;
use crate::app::App;
use crate::auth::Account;
use crate::blocking::blocking;
use crate::body::{Body, Json};
use crate::clock::seconds;
use crate::error::ApiError;
use crate::format;
use crate::generation::{AnswerDelta, Generation, Said, Whole};
use crate::logprobs::{token_text, top_map};
use crate::model::{COMPLETION_TEMPERATURE, Served};
use crate::sampling_fields::{MOST_LOGPROBS, StreamOptions, count, repeated, request};
use crate::sse;
use crate::store::new_id;
use crate::usage::Tokens;

/// Prompts: a text, token ids, or a list of either.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "give a text, token ids, or a list of either")]
pub enum Prompts {
    /// One text.
    Text(String),
    /// One list of token ids.
    Ids(Vec<u32>),
    /// Several texts.
    Texts(Vec<String>),
    /// Several lists of token ids.
    Lists(Vec<Vec<u32>>),
}

request! {
    /// Texts to continue.
    pub struct CompletionRequest {
        /// The model's name, as `/v1/models` lists it.
        pub model: String,
        /// Prompts to continue. Text is taken as it is: words that look like a special token are words.
        pub prompt: Prompts,
        /// Most tokens to generate; 0 only scores the prompt.
        #[serde(default)]
        pub max_tokens: Option<usize>,
        /// Begin the answer with the prompt.
        #[serde(default)]
        pub echo: bool,
        /// Return the log-probability of each token, and this number of the most probable tokens at each position; with
        /// `echo` also for the prompt.
        #[serde(default)]
        pub logprobs: Option<usize>,
        /// As many as `n`: all answers are given.
        #[serde(default)]
        pub best_of: Option<usize>,
        /// `{"type": "text"}`, `{"type": "json_object"}`, or
        /// `{"type": "json_schema", "json_schema": {"name", "schema"}}`.
        #[serde(default)]
        #[schema(value_type = Option<Object>)]
        pub response_format: Option<Value>,
    }
}

impl Body for CompletionRequest {
    const REFUSED: &'static [(&'static str, &'static str, &'static str)] =
        &[("suffix", "texts are continued, not filled in", r#"[""]"#)];
    const WITHOUT_EFFECT: &'static [&'static str] = &["user"];
}

/// Tokens of an answer, if a request names none.
const MAX_TOKENS: usize = 16;

/// A prompt in ids, and as text where it was text.
struct Prompt {
    ids: Vec<u32>,
    text: Option<String>,
    /// Ids before those of the text.
    leading: usize,
}

/// Continue texts
#[utoipa::path(post, path = "/v1/completions", tag = "completions", request_body = CompletionRequest,
    responses((status = 200, description = "A completion, or with `stream` server-sent chunks of it"),
        (status = "4XX", description = "An error object"), (status = "5XX", description = "An error object")))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(Account(account)): Extension<Account>,
    Json(asked): Json<CompletionRequest>,
) -> Result<Response, ApiError> {
    let model = app.model(&asked.model)?;
    check(&asked)?;
    let number = match &asked.prompt {
        Prompts::Text(_) | Prompts::Ids(_) => 1,
        Prompts::Texts(texts) => texts.len(),
        Prompts::Lists(lists) => lists.len(),
    };
    let n = count(asked.n, number, app.places())?;
    let wanted = asked.max_tokens.unwrap_or(MAX_TOKENS);
    asked.sampling_fields().check_end(format::form(asked.response_format.as_ref()), Some(wanted))?;
    let places = model.admit(n * number)?;
    let stops = asked.sampling_fields().stops()?;
    let prompts = {
        let (model, asked) = (Arc::clone(&model), asked.prompt.clone());
        blocking(move || encode(&model, asked)).await?
    };
    let constraint = format::compiled(&model, None, asked.response_format.as_ref(), "response_format").await?;
    let scores = asked.logprobs.is_some() && asked.echo;
    let mut requests = vec![];
    for prompt in &prompts {
        model.check_room("prompt", prompt.ids.len(), if scores { 0 } else { wanted })?;
        let most = app.room(&model, prompt.ids.len(), Some(wanted));
        let config = asked.sampling_fields().config(&model, most, COMPLETION_TEMPERATURE)?;
        let mut request = model.request(&account, prompt.ids.clone(), config, &stops, prompt.text.is_some())?;
        request.top_logprobs = asked.logprobs.unwrap_or(0);
        request.constraint.clone_from(&constraint);
        request.prompt_logprobs = scores || most == 0;
        requests.extend(repeated(&request, n).map(|request| (request, model.raw_text(&stops))));
    }
    // Harnesses expect one entry per token, and drop the last.
    let generation = app.generate(&model, requests, places).telling_ends();
    let answer = TextAnswer {
        id: new_id("cmpl"),
        created: seconds(),
        n,
        echoes: prompts.iter().map(|prompt| Echo::new(&model, prompt, asked.echo)).collect(),
        prompts: prompts.into_iter().map(|prompt| prompt.ids).collect(),
        logprobs: asked.logprobs.is_some(),
        echo: asked.echo,
        model,
    };
    if asked.stream {
        let usage = asked.includes_usage();
        return Ok(sse::stream(move |events| async move { answer.stream(&events, generation, usage).await }));
    }
    let choices = generation.whole().await?;
    Ok(axum::Json(answer.whole(&choices)?).into_response())
}

fn check(asked: &CompletionRequest) -> Result<(), ApiError> {
    format::constraint(asked.response_format.as_ref(), "response_format")?;
    StreamOptions::check(asked.stream_options, asked.stream)?;
    if asked.best_of.is_some_and(|number| number != asked.n.unwrap_or(1)) {
        return Err(ApiError::unsupported("best_of", "all answers are given; use n and choose"));
    }
    if asked.logprobs.is_some_and(|number| number > MOST_LOGPROBS) {
        return Err(ApiError::invalid(format!("`logprobs`: at most {MOST_LOGPROBS}")).with_param("logprobs"));
    }
    if asked.stream && asked.echo && asked.logprobs.is_some() {
        return Err(ApiError::unsupported(
            "stream",
            "with echo and logprobs, whose prompt is scored as a whole; leave one out",
        ));
    }
    Ok(())
}

fn encode(model: &Served, prompts: Prompts) -> Result<Vec<Prompt>, ApiError> {
    let vocabulary = model.text.decoder.config().vocab_size;
    let of_ids = |ids: Vec<u32>| match ids.iter().find(|&&id| id as usize >= vocabulary) {
        Some(id) => Err(wrong(format!("{id} is not a token id; the vocabulary has {vocabulary}"))),
        None if ids.is_empty() => Err(wrong("it has no token")),
        None => Ok(Prompt { ids, text: None, leading: 0 }),
    };
    let of_text = |text: String| -> Result<Prompt, ApiError> {
        let ids = model.text.encode(&text).map_err(|error| ApiError::of_text(&error))?;
        let leading = if text.is_empty() { ids.len() } else { usize::from(model.text.leading_id().is_some()) };
        Ok(Prompt { ids, text: Some(text), leading })
    };
    let encoded: Vec<Prompt> = match prompts {
        Prompts::Text(text) => vec![of_text(text)?],
        Prompts::Ids(ids) => vec![of_ids(ids)?],
        Prompts::Texts(texts) => texts.into_iter().map(of_text).collect::<Result<_, _>>()?,
        Prompts::Lists(lists) => lists.into_iter().map(of_ids).collect::<Result<_, _>>()?,
    };
    match encoded.is_empty() {
        true => Err(wrong("there is none")),
        false => Ok(encoded),
    }
}

fn wrong(why: impl std::fmt::Display) -> ApiError {
    ApiError::invalid(format!("`prompt`: {why}")).with_param("prompt")
}

/// A prompt as the beginning of an answer (`echo`).
struct Echo {
    text: String,
    /// Byte offset of each token of the prompt in the text.
    starts: Vec<usize>,
}

impl Echo {
    fn new(model: &Served, prompt: &Prompt, echo: bool) -> Self {
        if !echo {
            return Self { text: String::new(), starts: vec![] };
        }
        let mut stream = model.tokenizer.stream();
        let (mut text, mut starts) = (String::new(), vec![0; prompt.leading.min(prompt.ids.len())]);
        for &id in &prompt.ids[starts.len()..] {
            starts.push(text.len());
            text += &stream.push(id).unwrap_or_default();
        }
        text += &stream.finish().unwrap_or_default();
        // A tokenizer that normalises would change the text of the prompt.
        let text = prompt.text.clone().unwrap_or(text);
        Self { text, starts }
    }
}

struct TextAnswer {
    id: String,
    created: u64,
    model: Arc<Served>,
    prompts: Vec<Vec<u32>>,
    echoes: Vec<Echo>,
    /// Answers to each prompt.
    n: usize,
    logprobs: bool,
    echo: bool,
}

impl TextAnswer {
    fn whole(&self, choices: &[Whole]) -> Result<Value, ApiError> {
        let mut tokens = Tokens::default();
        let mut objects = vec![];
        for (index, whole) in choices.iter().enumerate() {
            tokens.add(&whole.end.completion, index % self.n == 0);
            let text = format!("{}{}", self.echoes[index / self.n].text, whole.text);
            let logprobs = if self.logprobs { self.all_logprobs(index, whole, &text)? } else { Value::Null };
            objects.push(choice(index, &text, &logprobs, Some(whole.end.reason)));
        }
        let mut object = self.object(&objects);
        object["usage"] = usage(tokens);
        Ok(object)
    }

    /// The log-probabilities of an answer, and of its prompt with `echo`.
    fn all_logprobs(&self, index: usize, whole: &Whole, text: &str) -> Result<Value, ApiError> {
        let (ids, echo) = (&self.prompts[index / self.n], &self.echoes[index / self.n]);
        let mut listed = Listed::new(text);
        if self.echo {
            let scores = &whole.end.completion.prompt_scores;
            if scores.len() + 1 != ids.len() || scores.iter().any(|score| score.logprob.is_nan()) {
                tracing::error!("{} scores of a prompt of {} tokens, or some are not numbers", scores.len(), ids.len());
                return Err(ApiError::defect());
            }
            // The first token has no log-probability.
            listed.push(token_text(&self.model, ids[0]), Value::Null, Value::Null, echo.starts[0]);
            for ((&id, score), &start) in ids[1..].iter().zip(scores).zip(&echo.starts[1..]) {
                let top = top_map(&self.model, &score.top, (id, score.logprob));
                listed.push(token_text(&self.model, id), score.logprob.into(), top, start);
            }
        }
        self.list(&mut listed, &whole.said, echo.text.len());
        Ok(listed.object())
    }

    fn list(&self, listed: &mut Listed, said: &[Said], before: usize) {
        for Said { id, logprob, top, start } in said {
            let top = top_map(&self.model, top, (*id, *logprob));
            listed.push(token_text(&self.model, *id), (*logprob).into(), top, before + start);
        }
    }

    async fn stream(
        self,
        events: &sse::Events,
        mut generation: Generation,
        include_usage: bool,
    ) -> Result<(), sse::Gone> {
        let chunk = |choices: &[Value]| {
            let mut object = self.object(choices);
            if include_usage {
                object["usage"] = Value::Null;
            }
            object
        };
        let mut texts: Vec<String> =
            (0..self.prompts.len() * self.n).map(|index| self.echoes[index / self.n].text.clone()).collect();
        if self.echo {
            for (index, text) in texts.iter().enumerate() {
                events.send(&chunk(&[choice(index, text, &Value::Null, None)])).await?;
            }
        }
        let mut tokens = Tokens::default();
        while let Some(delta) = events.next(&mut generation).await? {
            let AnswerDelta { index, text, said, end } = match delta {
                Ok(delta) => delta,
                Err(error) => {
                    events.fail(&error).await?;
                    return events.done().await;
                }
            };
            texts[index] += &text;
            let logprobs = self.logprobs.then(|| {
                let mut listed = Listed::new(&texts[index]);
                self.list(&mut listed, &said, 0);
                listed.object()
            });
            if let Some(end) = &end {
                tokens.add(&end.completion, index % self.n == 0);
            }
            let reason = end.map(|end| end.reason);
            events.send(&chunk(&[choice(index, &text, &logprobs.unwrap_or_default(), reason)])).await?;
        }
        if include_usage {
            let mut object = self.object(&[]);
            object["usage"] = usage(tokens);
            events.send(&object).await?;
        }
        events.done().await
    }

    fn object(&self, choices: &[Value]) -> Value {
        let Self { id, created, model, .. } = self;
        json!({"id": id, "object": "text_completion", "created": created, "model": model.id, "choices": choices})
    }
}

fn choice(index: usize, text: &str, logprobs: &Value, reason: Option<&str>) -> Value {
    json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason})
}

/// Four lists with one entry per token.
struct Listed<'a> {
    text: &'a str,
    tokens: Vec<String>,
    logprobs: Vec<Value>,
    tops: Vec<Value>,
    offsets: Vec<usize>,
    /// Bytes and characters up to the newest token.
    place: (usize, usize),
}

impl<'a> Listed<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, tokens: vec![], logprobs: vec![], tops: vec![], offsets: vec![], place: (0, 0) }
    }

    /// Adds a token that begins `start` bytes after the text's beginning.
    fn push(&mut self, token: String, logprob: Value, top: Value, start: usize) {
        let (bytes, characters) = self.place;
        let between = self.text.get(bytes..start).unwrap_or_default();
        if start > bytes {
            self.place = (start, characters + between.chars().count());
        }
        self.tokens.push(token);
        self.logprobs.push(logprob);
        self.tops.push(top);
        self.offsets.push(self.place.1);
    }

    fn object(self) -> Value {
        json!({
            "tokens": self.tokens,
            "token_logprobs": self.logprobs,
            "top_logprobs": self.tops,
            "text_offset": self.offsets,
        })
    }
}
