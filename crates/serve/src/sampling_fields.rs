//! Shared fields of requests for text: sampling settings, stop conditions, and the number of answers.

use std::collections::BTreeMap;

use fireclay_infer::{Request, SamplingConfig};
use fireclay_text::RequestedSampling;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::model::Served;

/// One text that ends an answer, or several.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "give a text, or a list of texts")]
pub enum Stop {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// Options of a stream.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamOptions {
    /// End with a chunk that has the usage.
    #[serde(default)]
    pub include_usage: bool,
    /// False: nothing is padded here.
    #[serde(default)]
    pub include_obfuscation: bool,
}

impl StreamOptions {
    /// Refuses options that are not done, and any without a stream.
    ///
    /// # Errors
    /// 400 names the field.
    pub fn check(options: Option<Self>, stream: bool) -> Result<(), ApiError> {
        match options {
            Some(_) if !stream => {
                Err(ApiError::invalid("`stream_options` needs `stream`: true").with_param("stream_options"))
            }
            Some(options) if options.include_obfuscation => {
                Err(ApiError::unsupported("stream_options.include_obfuscation", "nothing is padded here"))
            }
            _ => Ok(()),
        }
    }
}

/// Sampling settings.
#[derive(Clone, Debug, Default)]
pub struct SamplingFields {
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub top_k: Option<usize>,
    pub min_p: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub presence_penalty: Option<f32>,
    pub frequency_penalty: Option<f32>,
    pub logit_bias: BTreeMap<String, f32>,
    pub seed: Option<i64>,
    pub stop: Option<Stop>,
    pub ignore_eos: bool,
    pub min_tokens: usize,
}

/// Largest number of stop texts.
const MOST_STOPS: usize = 16;
/// Longest stop text in characters: each token of an answer is compared with all of them.
const LONGEST_STOP: usize = 1_000;
/// Largest number of most probable tokens to report per token.
pub const MOST_LOGPROBS: usize = 20;

impl SamplingFields {
    /// The sampler's settings; the request's first answer draws from stream 0.
    ///
    /// # Errors
    /// 400 names the invalid field.
    pub fn config(&self, model: &Served, max_tokens: usize, temperature: f32) -> Result<SamplingConfig, ApiError> {
        let seed = match self.seed {
            Some(seed) => seed as u64,
            None => random_seed(),
        };
        let requested = RequestedSampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            seed,
        };
        let config = SamplingConfig {
            logit_bias: self.biases(model)?,
            presence_penalty: self.presence_penalty.unwrap_or(0.0),
            frequency_penalty: self.frequency_penalty.unwrap_or(0.0),
            ignore_eos: self.ignore_eos,
            min_tokens: self.min_tokens,
            ..model.sampling(&requested, max_tokens, temperature)
        };
        let config = match self.ignore_eos {
            true => SamplingConfig { stop: vec![], ..config },
            false => config,
        };
        let checked = SamplingConfig { max_tokens: max_tokens.max(1), ..config.clone() }.validate();
        checked.map_err(|error| ApiError::of_infer(&error))?;
        Ok(config)
    }

    /// Refuses what cannot be met: a minimum of tokens above `most`, and settings of the end beside a form of the
    /// reply, named by its `form`, which ends it.
    ///
    /// # Errors
    /// 400 names the field.
    pub fn check_end(&self, form: Option<&str>, most: Option<usize>) -> Result<(), ApiError> {
        if let Some(most) = most.filter(|&most| self.min_tokens > most) {
            let message = format!("`min_tokens`: {} is more than `max_tokens`, which is {most}", self.min_tokens);
            return Err(ApiError::invalid(message).with_param("min_tokens"));
        }
        let ends = [("min_tokens", self.min_tokens > 0), ("ignore_eos", self.ignore_eos)];
        match (form, ends.into_iter().find(|(_, is_given)| *is_given)) {
            (Some(form), Some((field, _))) => {
                let why = format!("beside `{form}`, whose form says where the reply ends; leave one out");
                Err(ApiError::unsupported(field, &why))
            }
            _ => Ok(()),
        }
    }

    fn biases(&self, model: &Served) -> Result<BTreeMap<u32, f32>, ApiError> {
        let vocabulary = model.text.decoder.config().vocab_size;
        let bias = |(id, &bias): (&String, &f32)| {
            let known = id.parse().ok().filter(|&id: &u32| (id as usize) < vocabulary);
            let id = known.ok_or_else(|| format!("{id:?} is not a token id of this model"))?;
            match (-100.0..=100.0).contains(&bias) {
                true => Ok((id, bias)),
                false => Err(format!("{bias} is not from -100 to 100")),
            }
        };
        let biases: Result<_, String> = self.logit_bias.iter().map(bias).collect();
        biases.map_err(|message| ApiError::invalid(format!("`logit_bias`: {message}")).with_param("logit_bias"))
    }

    /// The texts that end an answer.
    ///
    /// # Errors
    /// 400 for an empty or long one, or too many.
    pub fn stops(&self) -> Result<Vec<String>, ApiError> {
        let stops = match self.stop.clone() {
            None => vec![],
            Some(Stop::One(stop)) => vec![stop],
            Some(Stop::Several(stops)) => stops,
        };
        let wrong = |message: String| Err(ApiError::invalid(format!("`stop`: {message}")).with_param("stop"));
        if stops.len() > MOST_STOPS {
            return wrong(format!("there are {}; at most {MOST_STOPS} are allowed", stops.len()));
        }
        if let Some(characters) = stops.iter().map(|stop| stop.chars().count()).find(|&count| count > LONGEST_STOP) {
            return wrong(format!("a text of {characters} characters; at most {LONGEST_STOP} are allowed"));
        }
        match stops.iter().any(String::is_empty) {
            true => wrong("an empty text would end every answer".into()),
            false => Ok(stops),
        }
    }
}

/// A request as often as answers are wanted, each with random numbers of its own.
pub fn repeated(request: &Request, n: usize) -> impl Iterator<Item = Request> {
    (0..n as u64).map(|stream| {
        let sampling = SamplingConfig { stream, ..request.sampling.clone() };
        Request { sampling, ..request.clone() }
    })
}

/// A random seed.
fn random_seed() -> u64 {
    getrandom::u64().expect("the operating system gives random numbers")
}

/// Number of answers, 1 by default.
///
/// # Errors
/// 400 for 0, or more than the server has places for.
pub fn count(n: Option<usize>, prompts: usize, places: usize) -> Result<usize, ApiError> {
    let n = n.unwrap_or(1);
    let all = n.saturating_mul(prompts);
    match n {
        0 => Err(ApiError::invalid("`n`: give 1 or more").with_param("n")),
        n if all <= places => Ok(n),
        _ => Err(ApiError::invalid(format!("this asks for {all} answers at once; at most {places} are allowed"))
            .with_param(if prompts > places { "prompt" } else { "n" })),
    }
}

/// The fields of [`SamplingFields`] in a request's structure, beside its own.
macro_rules! request {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $kind,)*
            /// Sampling temperature; 0 takes the most probable token. The model's own default, if not given.
            #[serde(default)]
            pub temperature: Option<f32>,
            /// Sample among the fewest tokens whose probabilities sum to at least this.
            #[serde(default)]
            pub top_p: Option<f32>,
            /// Sample among this many most probable tokens.
            #[serde(default)]
            pub top_k: Option<usize>,
            /// Sample among tokens at least this many times as probable as the most probable one.
            #[serde(default)]
            pub min_p: Option<f32>,
            /// Penalty of tokens that already occurred, 0.01 to 100; 1 changes nothing.
            #[serde(default)]
            pub repetition_penalty: Option<f32>,
            /// Subtracted from the logits of tokens that the answer already has, -100 to 100.
            #[serde(default)]
            pub presence_penalty: Option<f32>,
            /// Subtracted from a token's logit as often as the answer already has it, -100 to 100.
            #[serde(default)]
            pub frequency_penalty: Option<f32>,
            /// Added to the logits of these token ids.
            #[serde(default)]
            pub logit_bias: std::collections::BTreeMap<String, f32>,
            /// The same seed gives the same answer.
            #[serde(default)]
            pub seed: Option<i64>,
            /// Texts that end an answer, and are not part of it.
            #[serde(default)]
            pub stop: Option<crate::sampling_fields::Stop>,
            /// Continue after end-of-text tokens.
            #[serde(default)]
            pub ignore_eos: bool,
            /// Minimum number of tokens of an answer.
            #[serde(default)]
            pub min_tokens: usize,
            /// Number of answers.
            #[serde(default)]
            pub n: Option<usize>,
            /// Send pieces as they come.
            #[serde(default)]
            pub stream: bool,
            /// Further content of a stream.
            #[serde(default)]
            pub stream_options: Option<crate::sampling_fields::StreamOptions>,
        }

        impl $name {
            /// Sampling settings.
            pub fn sampling_fields(&self) -> crate::sampling_fields::SamplingFields {
                crate::sampling_fields::SamplingFields {
                    temperature: self.temperature,
                    top_p: self.top_p,
                    top_k: self.top_k,
                    min_p: self.min_p,
                    repetition_penalty: self.repetition_penalty,
                    presence_penalty: self.presence_penalty,
                    frequency_penalty: self.frequency_penalty,
                    logit_bias: self.logit_bias.clone(),
                    seed: self.seed,
                    stop: self.stop.clone(),
                    ignore_eos: self.ignore_eos,
                    min_tokens: self.min_tokens,
                }
            }

            /// Whether a stream ends with the usage.
            pub fn includes_usage(&self) -> bool {
                self.stream_options.is_some_and(|options| options.include_usage)
            }
        }
    };
}
pub(crate) use request;
