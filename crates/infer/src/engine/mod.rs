//! Many requests at once: [`Engine`].

mod request;
mod pages;
mod drafts;
mod sequence;
mod schedule;
mod complete;

use std::collections::VecDeque;
use std::ops::Range;

use burn::tensor::Tensor;
use fireclay_model::{DecoderConfig, InferenceDecoder, PAGE, PagedCache, Text};
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
    /// Most bytes of keys and values. They are set aside when the engine is made, unless all streams together need
    /// fewer, and never exceeded.
    pub memory: usize,
    /// Requests that are computed at once, at most.
    pub streams: usize,
    /// Tokens of prompts that are read in one step, at most.
    pub chunk: usize,
    /// Tokens that a request may guess from its own tokens and verify in one step, at most; 0: none. Its tokens stay
    /// the same.
    pub drafts: usize,
}

impl Default for EngineConfig {
    /// One GiB, 256 streams, 512 tokens of prompts, 8 guesses.
    fn default() -> Self {
        Self { memory: 1 << 30, streams: 256, chunk: 512, drafts: 8 }
    }
}

/// Counts of guessed and accepted tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speculation {
    /// Guesses that were computed.
    pub drafted: u64,
    /// Those that came true.
    pub accepted: u64,
}

/// The pages of an engine, of [`PAGE`] tokens each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of them.
    pub pages: usize,
    /// Those that requests use now.
    pub used: usize,
    /// Unused pages that are kept for requests with the same beginning.
    pub cached: usize,
}

/// Answers many requests at once. They can be added and cancelled between any two steps; each [`step`](Self::step)
/// gives a token to every request whose prompt is read.
///
/// Keys and values lie in pages. Requests that begin with the same tokens share them, whether they are answered
/// together (several answers to one prompt) or one after another (the turns of a conversation). What a request gets
/// depends on nothing but itself: on the CPU backend its tokens and log-probabilities are the same, to the last bit,
/// alone and among others, however its neighbours come and go and however little memory there is.
pub struct Engine {
    decoder: InferenceDecoder,
    config: EngineConfig,
    cache: PagedCache,
    pool: PagePool,
    /// Requests that were not begun, or not begun again, in the order in which they came; all came later than those
    /// running.
    waiting: VecDeque<Sequence>,
    /// In the order in which they came.
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
        let pages = Self::pages(decoder.config(), &config);
        let cache = PagedCache::new(decoder.config(), pages, &decoder.device());
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

    /// Bytes of keys and values that an engine with this configuration sets aside.
    #[must_use]
    pub fn cache_bytes(decoder: &DecoderConfig, config: &EngineConfig) -> usize {
        Self::pages(decoder, config) * PagedCache::page_bytes(decoder)
    }

    /// Pages that fit the memory, or that all streams together can use.
    fn pages(decoder: &DecoderConfig, config: &EngineConfig) -> usize {
        let of_stream = PagedCache::pages_of(decoder.context);
        (config.memory / PagedCache::page_bytes(decoder)).min(of_stream.saturating_mul(config.streams))
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &InferenceDecoder {
        &self.decoder
    }

    /// Tokens that prompt and completion of a request can have: as many as the model's context, or as the memory holds.
    #[must_use]
    pub fn context(&self) -> usize {
        self.decoder.config().context.min(self.cache.pages().saturating_mul(PAGE))
    }

    /// Whether a request is not finished yet.
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

    /// Number of times that a request gave back its pages to an earlier one.
    #[must_use]
    pub fn preemptions(&self) -> u64 {
        self.preemptions
    }

    /// Counts of guessed and accepted tokens so far.
    #[must_use]
    pub fn speculation(&self) -> Speculation {
        self.speculation
    }

    /// Adds a request behind all others.
    ///
    /// # Errors
    /// [`InferError`] when a setting means nothing, the prompt is empty, longer than the model's context or has an id
    /// that is not in the vocabulary, or prompt and completion may need more memory than there is. It names the prompt
    /// 0.
    pub fn add(&mut self, request: Request) -> Result<RequestId, InferError> {
        self.check(&request, 0)?;
        self.next_id += 1;
        let id = RequestId(self.next_id);
        let sequence = Sequence::new(id, request, self.decoder.config().context);
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
        check_ids(prompt, row, config.vocab_size)?;
        if prompt.is_empty() {
            return Err(InferError::EmptyPrompt { row });
        }
        if tokens > config.context && !sampling.slide {
            return Err(InferError::PromptTooLong { row, tokens, context: config.context });
        }
        let most = tokens.saturating_add(sampling.max_tokens).min(config.context);
        if PagedCache::pages_of(most) > self.cache.pages() {
            let bytes = PagedCache::pages_of(most) * PagedCache::page_bytes(config);
            return Err(InferError::TooLittleMemory { row, tokens: most, bytes, memory: self.config.memory });
        }
        Ok(())
    }

    /// Ends a request where it is. `None` when the engine has no such request (any more).
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

    /// Computes the next tokens. What happened comes in the order in which the requests came, a request's last token
    /// before its end.
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
            let failed = outcome.and_then(|Outcome { request, tokens, failed }| {
                self.speculation.accepted += (tokens.len() as u64).saturating_sub(1);
                events.extend(tokens.into_iter().map(|token| Event::Token(request, token)));
                failed
            });
            // Guesses that came true may have filled pages.
            sequence.make_known(sequence.computed, &mut self.pool);
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

    /// The last layer of the tokens that are computed in this step. `[N, D]` Beside it, on other threads, the
    /// constraints of those requests that draw a token say which tokens can follow.
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

    /// Scores tokens of prompts, counts what was computed, and says from which rows the running requests draw a token.
    fn score_prompts(&mut self, counts: &[usize], hidden_nd: &Tensor<2>) -> Vec<Rows> {
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
                rows.push(Rows { index, first: first - drafts - 1, count: drafts + 1 });
            }
        }
        rows
    }

    /// Draws tokens for the running requests of these rows, from the logits of each.
    fn sample(&mut self, rows: &[Rows], hidden_nd: &Tensor<2>) -> Vec<Outcome> {
        let (context, vocab_size) = (self.decoder.config().context, self.decoder.config().vocab_size);
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
                Outcome { request: sequence.id, tokens, failed }
            }));
        }
        outcomes
    }

    /// The logits of some requests' rows, one row behind the other, on the host.
    fn logits(&self, rows: &[Rows], hidden_nd: &Tensor<2>) -> Vec<f32> {
        let places = rows.iter().flat_map(|rows| rows.first as u32..(rows.first + rows.count) as u32);
        let places: Vec<u32> = places.collect();
        let whole = places.len() == hidden_nd.dims()[0];
        let chosen_nd = match whole {
            true => hidden_nd.clone(),
            false => hidden_nd.clone().select(0, tensor(&places, [places.len()], &self.decoder.device())),
        };
        host(self.decoder.logits(chosen_nd))
    }

    /// Largest window of the layers; `None` if one attends to everything.
    fn window_of_all_layers(&self) -> Option<usize> {
        self.decoder.config().window_of_all_layers()
    }
}

/// The rows of a step that a running request draws tokens from.
struct Rows {
    /// Its place among those running.
    index: usize,
    first: usize,
    count: usize,
}

/// Tokens of a request in a step.
struct Outcome {
    request: RequestId,
    tokens: Vec<Token>,
    /// The error after them.
    failed: Option<InferError>,
}

/// Rows of logits that are computed at once.
fn logits_at_once(decoder: &InferenceDecoder) -> usize {
    (LOGITS_AT_ONCE / decoder.config().vocab_size).max(1)
}
