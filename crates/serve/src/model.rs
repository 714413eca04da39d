//! A model that is served: [`Served`].

use std::sync::{Arc, OnceLock};

use fireclay_infer::{ConstraintCompiler, Request, SamplingConfig, StopStrings, TokenBytes, Utf8Guard};
use fireclay_model::huggingface::SamplingDefaults;
use fireclay_text::{CHAT_TEMPERATURE, ReplyText, RequestedSampling, Sampling, TextModel};
use fireclay_tokenizer::Tokenizer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::seconds;
use crate::error::ApiError;
use crate::ui::PageSampling;
use crate::worker::{Failure, Worker};
use crate::{Limits, ServeError};

/// The default temperature of raw completions, as in `generate`.
pub const COMPLETION_TEMPERATURE: f32 = 0.8;

/// Constraints of one model that are compiled at once.
const COMPILATIONS: usize = 4;

/// A model with its worker thread, and cached parts of its text interface.
pub struct Served {
    /// Its name in requests.
    pub id: String,
    /// Seconds since 1970 at which it was loaded.
    pub created: u64,
    /// Weights, tokenizer and folder.
    pub text: TextModel,
    pub tokenizer: Tokenizer,
    /// Largest number of tokens of a prompt and its completion.
    pub context: usize,
    pub stop_ids: Vec<u32>,
    pub worker: Worker,
    guard: Option<Arc<Utf8Guard>>,
    token_bytes: Option<Arc<TokenBytes>>,
    constraints: OnceLock<Option<ConstraintCompiler>>,
    /// Places for constraints that are compiled at once.
    pub compiling: Arc<Semaphore>,
    defaults: SamplingDefaults,
    /// Whether the vocabulary can encode every text, so that no text needs a check.
    pub has_every_text: bool,
    room: Arc<Semaphore>,
}

impl Served {
    /// Starts the model's engine.
    ///
    /// # Errors
    /// When it has no tokenizer, or the engine cannot be made.
    pub fn start(id: String, text: TextModel, limits: &Limits, threads: usize) -> Result<Self, ServeError> {
        let tokenizer = text.tokenizer()?.clone();
        let (streams, memory) = (limits.streams, limits.cache_memory);
        let maker = text.clone();
        let started = Worker::start(&id, threads, move || maker.engine(streams, memory));
        let (worker, context) = started.map_err(|reason| ServeError::Engine { model: id.clone(), reason })?;
        Ok(Self {
            created: seconds(),
            context,
            stop_ids: text.stop_ids(),
            worker,
            guard: text.utf8_guard(),
            token_bytes: text.token_bytes(),
            constraints: OnceLock::new(),
            compiling: Arc::new(Semaphore::new(COMPILATIONS)),
            defaults: text.sampling(),
            has_every_text: has_every_byte(&tokenizer),
            room: Arc::new(Semaphore::new(streams + limits.queue)),
            id,
            text,
            tokenizer,
        })
    }

    /// Reserves places for `requests` requests, to be kept while they are answered.
    ///
    /// # Errors
    /// 429 when there is none.
    pub fn admit(&self, requests: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let number = u32::try_from(requests).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(number).map_err(|_| ApiError::busy())
    }

    /// Number of requests that are answered or wait.
    pub fn free_places(&self) -> usize {
        self.room.available_permits()
    }

    /// Sampling settings.
    pub fn sampling(&self, requested: &RequestedSampling, max_tokens: usize, temperature: f32) -> SamplingConfig {
        let Sampling { config, .. } = Sampling::resolve(requested, &self.defaults, max_tokens, temperature);
        SamplingConfig { stop: self.stop_ids.iter().map(|&id| vec![id]).collect(), ..config }
    }

    /// The sampling settings of a chat for which the page names none.
    pub fn page_defaults(&self) -> PageSampling {
        let SamplingConfig { temperature, top_p, top_k, min_p, .. } =
            self.sampling(&RequestedSampling::default(), 1, CHAT_TEMPERATURE);
        PageSampling { temperature: Some(temperature), top_p, top_k, min_p, ..PageSampling::default() }
    }

    /// A request to the engine that stops at these texts, which are not empty. Text for people is `guarded`; output
    /// that is compared by ids is not.
    ///
    /// # Errors
    /// When a stop text is empty.
    pub fn request(
        &self,
        account: &str,
        prompt: Vec<u32>,
        sampling: SamplingConfig,
        stop: &[String],
        guarded: bool,
    ) -> Result<Request, ApiError> {
        let tokens = self.token_bytes.as_ref().filter(|_| !stop.is_empty());
        let strings = tokens.map(|tokens| StopStrings::new(stop, Arc::clone(tokens)));
        let stop_strings = strings.transpose().map_err(|error| ApiError::of_infer(&error))?.map(Arc::new);
        let guard = self.guard.clone().filter(|_| guarded);
        Ok(Request { guard, stop_strings, cache_salt: cache_salt(account), ..Request::new(prompt, sampling) })
    }

    /// Compiler of constraints for this model, made on first use. `None` if its tokens are not plain bytes.
    pub fn constraints(&self) -> Option<&ConstraintCompiler> {
        self.constraints.get_or_init(|| self.text.constraint_compiler()).as_ref()
    }

    /// The text of a chat's reply.
    pub fn reply_text(&self, stop: &[String]) -> ReplyText {
        ReplyText::new(&self.tokenizer, self.stop_ids.clone()).stopped_by(stop.to_vec())
    }

    /// The text after a raw prompt.
    pub fn raw_text(&self, stop: &[String]) -> ReplyText {
        ReplyText::with_specials(&self.tokenizer, self.stop_ids.clone()).stopped_by(stop.to_vec())
    }

    /// Refuses prompts, from this field of a request, that leave no room for a token.
    ///
    /// # Errors
    /// 400 with the code `context_length_exceeded`.
    pub fn check_room(&self, field: &str, prompt: usize, wanted: usize) -> Result<(), ApiError> {
        if prompt + wanted.min(1) <= self.context {
            return Ok(());
        }
        Err(ApiError::invalid(format!(
            "the prompt has {prompt} tokens, and the model's context is {}; shorten it",
            self.context
        ))
        .with_param(field)
        .with_code("context_length_exceeded"))
    }
}

/// The salt of an account: no account can tell from cached tokens, or from the time to the first token, what another
/// one has sent.
fn cache_salt(account: &str) -> u64 {
    let hash = blake3::hash(account.as_bytes());
    let (words, _) = hash.as_bytes().as_chunks::<8>();
    u64::from_le_bytes(words[0])
}

/// Whether every byte is a token.
fn has_every_byte(tokenizer: &Tokenizer) -> bool {
    let ids = (0..tokenizer.vocab_size() as u32).filter(|&id| !tokenizer.is_special(id));
    let mut found = [false; 256];
    for token in ids.filter_map(|id| tokenizer.bytes_of(id)) {
        if let &[byte] = token {
            found[usize::from(byte)] = true;
        }
    }
    found.iter().all(|&found| found)
}

impl ApiError {
    /// Error response of a failure in the engine.
    pub fn of_failure(failure: &Failure) -> Self {
        match failure {
            Failure::Infer(error) => Self::of_infer(error),
            Failure::Defect => Self::defect(),
            Failure::SlowReader => Self::slow_reader(),
        }
    }
}

#[cfg(test)]
mod tests {
    use fireclay_tokenizer::BpeConfig;

    use super::*;

    #[test]
    fn a_tokenizer_of_bytes_has_every_text_and_one_of_characters_has_not() {
        let config = BpeConfig { vocab_size: 300, ..BpeConfig::default() };
        let text = || ["the kiln is hot".to_owned()].into_iter();
        assert!(has_every_byte(&Tokenizer::train_bpe(text(), &config).unwrap()));
        assert!(!has_every_byte(&Tokenizer::train_char(text()).unwrap()));
    }
}
