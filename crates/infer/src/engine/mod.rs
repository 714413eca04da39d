//! Batched generation: [`Engine`] answers many requests at once.

mod request;
mod pages;
mod drafts;
mod sequence;
mod schedule;
mod complete;

use std::collections::VecDeque;
use std::ops::Range;

use burn::tensor::Tensor;
use fireclay_model::{DecoderConfig, InferenceDecoder, PAGE, PagedCache, Precision, Text};
use rayon::prelude::*;

use crate::host::{check_ids, host, tensor};
use crate::score::LOGITS_AT_ONCE;
use crate::{Completion, FinishReason, InferError, SamplingConfig};
use pages::PagePool;
pub use request::{Event, Request, RequestId, Token};
use sequence::Sequence;

/// Limits of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Most bytes of keys and values. They are allocated when the engine is made, unless all streams together need
    /// fewer, and never exceeded.
    pub memory: usize,
    /// Largest number of requests that are computed at once.
    pub streams: usize,
    /// Largest number of prompt tokens that are computed in one step.
    pub chunk: usize,
    /// Largest number of tokens that a request may draft from its own tokens and verify in one step; 0: none. The
    /// generated tokens stay the same.
    pub drafts: usize,
}

impl Default for EngineConfig {
    /// One GiB, 256 streams, 512 prompt tokens per step, 8 draft tokens.
    fn default() -> Self {
        Self { memory: 1 << 30, streams: 256, chunk: 512, drafts: 8 }
    }
}

/// Counts of drafted and accepted tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speculation {
    /// Draft tokens that were computed.
    pub drafted: u64,
    /// Draft tokens that were accepted.
    pub accepted: u64,
}

/// Use of an engine's pages, of [`PAGE`] tokens each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Number of pages.
    pub pages: usize,
    /// Pages that requests use now.
    pub used: usize,
    /// Unused pages that are kept for requests with the same prefix.
    pub cached: usize,
}

/// Answers many requests at once. Requests can be added and cancelled between any two steps; each [`step`](Self::step)
/// gives a token to every request whose prompt is computed.
///
/// Keys and values are in pages. Requests that begin with the same tokens share them, whether they are answered
/// together (several answers to one prompt) or one after another (the turns of a conversation). The result of a request
/// depends only on the request itself: on the CPU backend its tokens and log-probabilities are the same, to the last
/// bit, regardless of the other requests and of the available memory.
pub struct Engine {
    decoder: InferenceDecoder,
    config: EngineConfig,
    cache: PagedCache,
    pool: PagePool,
    /// Requests that have not started, or were preempted, in the order of arrival; all arrived after those running.
    waiting: VecDeque<Sequence>,
    /// In the order of arrival.
    running: Vec<Sequence>,
    /// Events between steps.
    events: Vec<Event>,
    next_id: u64,
    preemptions: u64,
    speculation: Speculation,
}

impl Engine {
    /// An engine without requests.
    ///
    /// # Errors
    /// [`InferError::Setting`] when a number of the configuration is 0.
    pub fn new(decoder: InferenceDecoder, config: EngineConfig) -> Result<Self, InferError> {
        let numbers = [("memory", config.memory), ("streams", config.streams), ("chunk", config.chunk)];
        if let Some((setting, _)) = numbers.into_iter().find(|&(_, number)| number == 0) {
            return Err(InferError::Setting { setting, value: "0".into(), expected: "give a positive number" });
        }
        let precision = decoder.cache_precision();
        let pages = Self::pages(decoder.config(), precision, &config);
        let cache = PagedCache::new(decoder.config(), precision, pages, &decoder.device());
        Ok(Self {
            decoder,
            config,
            cache,
            pool: PagePool::new(pages),
            waiting: VecDeque::new(),
            running: vec![],
            events: vec![],
            next_id: 0,
            preemptions: 0,
            speculation: Speculation::default(),
        })
    }

    /// Bytes of keys and values of the given format that an engine with this configuration reserves.
    #[must_use]
    pub fn cache_bytes(decoder: &DecoderConfig, precision: Precision, config: &EngineConfig) -> usize {
        Self::pages(decoder, precision, config) * PagedCache::page_bytes(decoder, precision)
    }

    /// Number of pages that fit the memory, or that all streams together can use, whichever is smaller.
    fn pages(decoder: &DecoderConfig, precision: Precision, config: &EngineConfig) -> usize {
        let of_stream = PagedCache::pages_of(decoder.context);
        (config.memory / PagedCache::page_bytes(decoder, precision)).min(of_stream.saturating_mul(config.streams))
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &InferenceDecoder {
        &self.decoder
    }

    /// Largest number of tokens of a request, prompt and completion: limited by the model's context and the memory.
    #[must_use]
    pub fn context(&self) -> usize {
        self.decoder.config().context.min(self.cache.pages().saturating_mul(PAGE))
    }

    /// Whether any request is not finished yet.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !(self.waiting.is_empty() && self.running.is_empty() && self.events.is_empty())
    }

    /// Use of the memory.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let (pages, cached) = (self.cache.pages(), self.pool.idle());
        Memory { pages, used: pages - self.pool.available(), cached }
    }

    /// Number of preemptions: a request gave back its pages to an earlier one.
    #[must_use]
    pub fn preemptions(&self) -> u64 {
        self.preemptions
    }

    /// Counts of drafted and accepted tokens so far.
    #[must_use]
    pub fn speculation(&self) -> Speculation {
        self.speculation
    }

    /// Adds a request after all others.
    ///
    /// # Errors
    /// [`InferError`] when a setting is invalid, the prompt is empty, longer than the model's context or has an id that
    /// is not in the vocabulary, or prompt and completion may need more memory than there is. The error calls it prompt
    /// 0.
    pub fn add(&mut self, request: Request) -> Result<RequestId, InferError> {
        self.check(&request, 0)?;
        self.next_id += 1;
        let id = RequestId(self.next_id);
        let sequence = Sequence::new(id, request, self.context());
        match sequence.finish {
            Some(_) => self.events.push(Event::Finished(id, sequence.into_completion())),
            None => self.waiting.push_back(sequence),
        }
        Ok(id)
    }

    fn check(&self, request: &Request, row: usize) -> Result<(), InferError> {
        let Request { prompt, sampling, .. } = request;
        let (config, tokens) = (self.decoder.config(), prompt.len());
        if request.prompt_logprobs && sampling.max_tokens == 0 {
            SamplingConfig { max_tokens: 1, ..sampling.clone() }.validate()?;
        } else {
            sampling.validate()?;
        }
        for prompt in std::iter::once(prompt).chain(&request.shorter_prompts) {
            check_ids(prompt, row, config.vocab_size)?;
        }
        if prompt.is_empty() {
            return Err(InferError::EmptyPrompt { row });
        }
        if tokens > config.context && !sampling.slide {
            return Err(InferError::PromptTooLong { row, tokens, context: config.context });
        }
        let mut most = tokens.saturating_add(sampling.max_tokens).min(config.context);
        if !request.shorter_prompts.is_empty() {
            most = most.min(self.context().max(tokens));
        }
        if PagedCache::pages_of(most) > self.cache.pages() {
            let bytes = PagedCache::pages_of(most) * PagedCache::page_bytes(config, self.decoder.cache_precision());
            return Err(InferError::TooLittleMemory { row, tokens: most, bytes, memory: self.config.memory });
        }
        Ok(())
    }

    /// Ends a request at its current token. `None` if the engine has no such request, or no longer.
    pub fn cancel(&mut self, id: RequestId) -> Option<Completion> {
        let is_it = |sequence: &Sequence| sequence.id == id;
        let mut sequence = if let Some(index) = self.running.iter().position(is_it) {
            self.running.remove(index)
        } else {
            let index = self.waiting.iter().position(is_it)?;
            self.waiting.remove(index)?
        };
        sequence.give_back(&mut self.pool);
        sequence.finish = Some(FinishReason::Cancelled);
        Some(sequence.into_completion())
    }

    /// Computes the next tokens. Events are in the order in which the requests arrived, a request's last token before
    /// its end.
    pub fn step(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        let counts = self.schedule();
        if counts.is_empty() {
            return events;
        }
        let hidden_nd = self.compute(&counts);
        let rows = self.score_prompts(&counts, &hidden_nd);
        let outcomes = self.sample(&rows, &hidden_nd);
        let mut outcomes = outcomes.into_iter().peekable();
        let window = self.window_of_all_layers();
        for mut sequence in std::mem::take(&mut self.running) {
            let outcome = outcomes.next_if(|outcome| outcome.request == sequence.id);
            let failed = outcome.and_then(|Drawn { request, tokens, failed }| {
                self.speculation.accepted += (tokens.len() as u64).saturating_sub(1);
                events.extend(tokens.into_iter().map(|token| Event::Token(request, token)));
                failed
            });
            // Accepted drafts may have filled pages.
            sequence.register(sequence.computed, &mut self.pool);
            if failed.is_none() && sequence.finish.is_none() {
                if let Some(window) = window {
                    sequence.give_back_before(window, &mut self.pool);
                }
                self.running.push(sequence);
                continue;
            }
            sequence.give_back(&mut self.pool);
            events.push(match failed {
                Some(error) => Event::Failed(sequence.id, error),
                None => Event::Finished(sequence.id, sequence.into_completion()),
            });
        }
        events
    }

    /// The hidden states of the tokens of this step. `[N, D]` In parallel, on other threads, computes the masks of
    /// constrained requests that draw a token.
    fn compute(&mut self, counts: &[usize]) -> Tensor<2> {
        let (mut ids, mut texts) = (vec![], vec![]);
        for (sequence, &count) in self.running.iter().zip(counts).filter(|(_, count)| **count > 0) {
            ids.extend(sequence.next_tokens(count));
            self.speculation.drafted += sequence.drafts.tokens.len() as u64;
            texts.push(Text { start: sequence.computed, tokens: count, pages: sequence.pages.clone() });
        }
        let (decoder, cache) = (&self.decoder, &mut self.cache);
        let mut constrained: Vec<&mut Sequence> = (self.running.iter_mut().zip(counts))
            .filter(|(sequence, count)| {
                sequence.is_constrained() && sequence.computed + **count >= sequence.window().len()
            })
            .map(|(sequence, _)| sequence)
            .collect();
        if constrained.is_empty() {
            return decoder.step(&ids, &texts, cache);
        }
        let masks = || constrained.par_iter_mut().for_each(|sequence| sequence.prepare_mask());
        rayon::join(|| decoder.step(&ids, &texts, cache), masks).0
    }

    /// Scores prompt tokens, counts the computed tokens, and returns the rows from which running requests draw a token.
    fn score_prompts(&mut self, counts: &[usize], hidden_nd: &Tensor<2>) -> Vec<DrawRows> {
        let (mut rows, mut first) = (vec![], 0);
        for (index, (sequence, &count)) in self.running.iter_mut().zip(counts).enumerate() {
            let scored: Range<usize> = sequence.prompt_rows(count);
            let at_once = logits_at_once(&self.decoder);
            for start in scored.clone().step_by(at_once) {
                let some = at_once.min(scored.end - start);
                let logits = host(self.decoder.logits(hidden_nd.clone().narrow(0, first + start, some)));
                let vocab_size = self.decoder.config().vocab_size;
                logits.chunks_exact(vocab_size).for_each(|logits| sequence.score_prompt(logits));
            }
            let drafts = sequence.drafts.tokens.len();
            sequence.computed += count - drafts;
            first += count;
            if count > 0 && sequence.computed == sequence.window().len() && sequence.wants_token() {
                rows.push(DrawRows { index, first: first - drafts - 1, count: drafts + 1 });
            }
        }
        rows
    }

    /// Draws tokens for the running requests of these rows, from the logits of each.
    fn sample(&mut self, rows: &[DrawRows], hidden_nd: &Tensor<2>) -> Vec<Drawn> {
        let (context, vocab_size) = (self.context(), self.decoder.config().vocab_size);
        let at_once = logits_at_once(&self.decoder);
        let mut outcomes = Vec::with_capacity(rows.len());
        let mut rest = rows;
        while !rest.is_empty() {
            let mut sum = 0;
            let fit = rest.iter().take_while(|rows| {
                sum += rows.count;
                sum <= at_once
            });
            let (rows, behind) = rest.split_at(fit.count().max(1));
            rest = behind;
            let logits = self.logits(rows, hidden_nd);
            let mut logits = logits.chunks_exact(vocab_size);
            let mut drawing = Vec::with_capacity(rows.len());
            let (first, last) = (rows[0].index, rows[rows.len() - 1].index);
            let mut running = self.running[first..=last].iter_mut().zip(first..);
            for rows in rows {
                let found = running.find(|(_, index)| *index == rows.index);
                let (sequence, _) = found.expect("rows are of running requests");
                let of_sequence: Vec<&[f32]> = logits.by_ref().take(rows.count).collect();
                drawing.push((sequence, of_sequence));
            }
            outcomes.par_extend(drawing.into_par_iter().map(|(sequence, logits)| {
                let (tokens, failed) = sequence.advance_all(logits.into_iter(), context);
                Drawn { request: sequence.id, tokens, failed }
            }));
        }
        outcomes
    }

    /// The logits of some requests' rows, one row after the other, on the host.
    fn logits(&self, rows: &[DrawRows], hidden_nd: &Tensor<2>) -> Vec<f32> {
        let places = rows.iter().flat_map(|rows| rows.first as u32..(rows.first + rows.count) as u32);
        let places: Vec<u32> = places.collect();
        let whole = places.len() == hidden_nd.dims()[0];
        let chosen_nd = match whole {
            true => hidden_nd.clone(),
            false => hidden_nd.clone().select(0, tensor(&places, [places.len()], &self.decoder.device())),
        };
        host(self.decoder.logits(chosen_nd))
    }

    /// Largest window of all layers; `None` if a layer attends to everything.
    fn window_of_all_layers(&self) -> Option<usize> {
        self.decoder.config().window_of_all_layers()
    }
}

/// Rows of a step from which a running request draws tokens.
struct DrawRows {
    /// Index of the request among those running.
    index: usize,
    first: usize,
    count: usize,
}

/// Tokens that a request drew in a step.
struct Drawn {
    request: RequestId,
    tokens: Vec<Token>,
    /// The error after these tokens, if any.
    failed: Option<InferError>,
}

/// Number of rows of logits that are computed at once.
fn logits_at_once(decoder: &InferenceDecoder) -> usize {
    (LOGITS_AT_ONCE / decoder.config().vocab_size).max(1)
}
