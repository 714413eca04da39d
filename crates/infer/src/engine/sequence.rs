//! State of one request.

mod draw;

use std::sync::Arc;
use std::time::Instant;

use fireclay_model::{PAGE, PagedCache};

use super::drafts::Drafts;
use super::pages::{NO_PAGE, PageKey, PagePool};
use super::request::{Request, RequestId};
use crate::distribution::top_logprobs;
use crate::stop::StopWatch;
use crate::utf8::State;
use crate::{CompiledConstraint, Completion, FinishReason, PromptScore, Sampler, SamplingConfig, Timing, Utf8Guard};

/// A prompt and its completion so far.
pub(crate) struct Sequence {
    pub id: RequestId,
    config: SamplingConfig,
    /// Prompt and completion.
    tokens: Vec<u32>,
    prompt_tokens: usize,
    /// The tokens that are attended to: all of them, until the context is full.
    window: Vec<u32>,
    /// Prompts to continue from once the context is full, each shorter than the one before.
    shorter_prompts: Vec<Vec<u32>>,
    /// Number of shorter prompts that were taken or passed over.
    shortened: usize,
    /// Number of tokens of the window whose keys and values are in pages.
    pub computed: usize,
    /// The pages of the window's tokens.
    pub pages: Vec<u32>,
    /// Number of tokens that were cached when it started.
    cached_tokens: Option<usize>,
    /// Where its pages begin among those of all requests.
    begin: PageKey,
    /// Number of pages whose content was registered, and the identity of the last one.
    registered: (usize, PageKey),
    sampler: Sampler,
    pub drafts: Drafts,
    /// Guard of valid UTF-8, and its state.
    guard: Option<(Arc<Utf8Guard>, State)>,
    constraint: Option<CompiledConstraint>,
    stop_watch: Option<StopWatch>,
    top: usize,
    /// Whether the prompt is scored as well.
    scores_prompt: bool,
    /// Whether no token is to be generated after it.
    only_scored: bool,
    /// The logits of the tokens that are allowed.
    masked: Vec<f32>,
    logprobs: Vec<f32>,
    sampling_logprobs: Vec<f32>,
    tops: Vec<Vec<(u32, f32)>>,
    prompt_scores: Vec<PromptScore>,
    pub finish: Option<FinishReason>,
    stop_tokens: usize,
    kept_bytes: usize,
    times: Times,
}

/// When a request was first computed, and when its first and its newest token came.
#[derive(Clone, Copy, Default)]
struct Times {
    begun: Option<Instant>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Sequence {
    pub fn new(id: RequestId, request: Request, context: usize) -> Self {
        let Request {
            prompt,
            shorter_prompts,
            sampling,
            guard,
            constraint,
            stop_strings,
            top_logprobs,
            prompt_logprobs,
            cache_salt,
        } = request;
        let mut sequence = Self {
            id,
            prompt_tokens: prompt.len(),
            window: prompt.clone(),
            shorter_prompts,
            shortened: 0,
            computed: 0,
            pages: vec![],
            cached_tokens: None,
            begin: PageKey::Begin(cache_salt),
            registered: (0, PageKey::Begin(cache_salt)),
            sampler: Sampler::new(&sampling, 0),
            drafts: Drafts::default(),
            guard: guard.map(|guard| {
                let state = guard.state_after(&prompt);
                (guard, state)
            }),
            constraint,
            stop_watch: stop_strings.map(StopWatch::new),
            top: top_logprobs,
            scores_prompt: prompt_logprobs,
            masked: vec![],
            logprobs: vec![],
            sampling_logprobs: vec![],
            tops: vec![],
            prompt_scores: vec![],
            finish: None,
            only_scored: false,
            stop_tokens: 0,
            kept_bytes: 0,
            times: Times::default(),
            tokens: prompt,
            config: sampling,
        };
        let full = sequence.room(context) == 0;
        sequence.only_scored = prompt_logprobs && (full || sequence.config.max_tokens == 0);
        sequence.finish = (full && !sequence.only_scored).then_some(FinishReason::Length);
        sequence
    }

    /// The tokens that are attended to.
    pub fn window(&self) -> &[u32] {
        &self.window
    }

    /// Number of tokens that fit the context, without bound if it can be made room in.
    fn room(&self, context: usize) -> usize {
        if self.config.slide || self.next_shorter(context).is_some() {
            return usize::MAX;
        }
        context.saturating_sub(self.window.len())
    }

    /// Index of the shorter prompt to continue from once the context is full: the first that leaves an eighth of the
    /// context, or else the last, if it leaves room at all.
    fn next_shorter(&self, context: usize) -> Option<usize> {
        let generated = self.generated().len();
        let leaves = |prompt: &Vec<u32>, room: usize| prompt.len() + generated + room <= context;
        // The log-probabilities of a prompt are those of the whole prompt.
        let left = if self.scores_prompt { &[] } else { &self.shorter_prompts[self.shortened..] };
        let first = left.iter().position(|prompt| leaves(prompt, context.div_ceil(8)));
        let last = left.last().filter(|prompt| leaves(prompt, 1)).map(|_| left.len() - 1);
        first.or(last).map(|index| self.shortened + index)
    }

    fn generated(&self) -> &[u32] {
        &self.tokens[self.prompt_tokens..]
    }

    /// Number of tokens that may still be generated.
    fn remaining(&self) -> usize {
        self.config.max_tokens.saturating_sub(self.generated().len())
    }

    /// Number of tokens whose keys and values are missing, at most `limit`; a single one is always allowed.
    pub fn next_count(&self, limit: usize) -> usize {
        let missing = self.window().len() - self.computed;
        if missing == 1 { 1 } else { missing.min(limit) }
    }

    /// Drafts tokens after the newest one, at most `most` of them, in a step of `rows` requests. Returns their number.
    pub fn draft(&mut self, most: usize, rows: usize, context: usize) -> usize {
        let room = context.saturating_sub(self.window.len());
        // The token that fills the context is not followed by another one.
        let most = most.min(self.remaining().saturating_sub(1)).min(room.saturating_sub(1));
        // A sliding context starts over once it is full.
        if most == 0 || self.only_scored || self.config.slide {
            self.drafts.tokens.clear();
            return 0;
        }
        self.drafts.draft(&self.window, most, rows)
    }

    /// The tokens to compute next: `count` existing ones, and the drafts after them.
    pub fn next_tokens(&self, count: usize) -> impl Iterator<Item = u32> {
        let existing = &self.window()[self.computed..][..count - self.drafts.tokens.len()];
        existing.iter().chain(&self.drafts.tokens).copied()
    }

    /// Makes room in a full context: the completion continues from a shorter prompt, or else from the newest half.
    pub fn make_room(&mut self, context: usize, pool: &mut PagePool) {
        let shorter = self.next_shorter(context).filter(|_| self.window.len() >= context);
        if let Some(index) = shorter {
            self.window = [&self.shorter_prompts[index], self.generated()].concat();
            self.shortened = index + 1;
        } else if self.window.len() > context {
            self.window = self.tokens[self.tokens.len() - (context / 2).max(1)..].to_vec();
        } else {
            return;
        }
        self.give_back(pool);
    }

    /// Takes the cached pages of its prefix. The last token is always computed, for its prediction.
    pub fn take_cached(&mut self, pool: &mut PagePool) {
        let scored = self.prompt_scores.len() + 1 >= self.prompt_tokens;
        if self.scores_prompt && !scored {
            return;
        }
        let (pages, key) = pool.take_cached(self.begin, &self.window[..self.window.len() - 1]);
        self.computed = pages.len() * PAGE;
        self.cached_tokens.get_or_insert(self.computed);
        self.registered = (pages.len(), key);
        self.pages = pages;
    }

    /// Number of pages that `count` more tokens need.
    pub fn pages_for(&self, count: usize) -> usize {
        PagedCache::pages_of(self.computed + count).saturating_sub(self.pages.len())
    }

    /// Takes pages for `count` more tokens, and registers those that they fill. Drafts may be among the tokens; pages
    /// with drafts are not registered.
    pub fn take(&mut self, count: usize, pool: &mut PagePool) {
        self.times.begun.get_or_insert_with(Instant::now);
        let end = self.computed + count;
        while self.pages.len() * PAGE < end {
            self.pages.push(pool.take().expect("the schedule of a step counts its pages"));
        }
        self.register(end, pool);
    }

    /// Registers the pages that the first `end` tokens fill.
    pub fn register(&mut self, end: usize, pool: &mut PagePool) {
        let full = self.window[..end.min(self.window.len())].as_chunks::<PAGE>().0;
        for (tokens, &page) in full.iter().zip(&self.pages).skip(self.registered.0) {
            self.registered = (self.registered.0 + 1, pool.register(page, self.registered.1, *tokens));
        }
    }

    /// Gives back pages that no later token attends to, in a model whose layers all have a window of `window` tokens.
    pub fn give_back_before(&mut self, window: usize, pool: &mut PagePool) {
        let first_seen = (self.computed + 1).saturating_sub(window);
        for page in &mut self.pages[..first_seen / PAGE] {
            if *page != NO_PAGE {
                pool.give_back(std::mem::replace(page, NO_PAGE));
            }
        }
    }

    /// Gives back all pages, the last one first, so that prefixes stay cached for longest.
    pub fn give_back(&mut self, pool: &mut PagePool) {
        self.pages.drain(..).rev().filter(|&page| page != NO_PAGE).for_each(|page| pool.give_back(page));
        self.computed = 0;
        self.registered = (0, self.begin);
    }

    /// Indices, among the next `count` tokens, of those that predict a prompt token that is not scored yet.
    pub fn prompt_rows(&self, count: usize) -> std::ops::Range<usize> {
        if !self.scores_prompt || self.window.len() < self.tokens.len() {
            return 0..0;
        }
        let first = self.prompt_scores.len().max(self.computed);
        let end = (self.prompt_tokens - 1).min(self.computed + count);
        first.min(end) - self.computed.min(end)..end - self.computed.min(end)
    }

    /// Scores the next prompt token from the logits before it.
    pub fn score_prompt(&mut self, logits: &[f32]) {
        let id = self.tokens[self.prompt_scores.len() + 1];
        let normaliser = crate::distribution::log_sum_exp(logits).unwrap_or(f64::NAN);
        let logprob = (f64::from(logits[id as usize]) - normaliser) as f32;
        self.prompt_scores.push(PromptScore { logprob, top: top_logprobs(logits, self.top) });
    }

    /// Whether a token is to be drawn, once the prompt is computed. Otherwise the request is finished.
    pub fn wants_token(&mut self) -> bool {
        if self.only_scored {
            self.finish = Some(FinishReason::Length);
        }
        !self.only_scored
    }

    /// The generated tokens, however the request ended.
    pub fn into_completion(self) -> Completion {
        let seconds = |from: Option<Instant>, to: Option<Instant>| {
            from.zip(to).map_or(0.0, |(from, to)| to.duration_since(from).as_secs_f64())
        };
        let Times { begun, first, last } = self.times;
        let outputs = self.logprobs.len();
        Completion {
            ids: self.generated().to_vec(),
            finish_reason: self.finish.unwrap_or(FinishReason::Cancelled),
            stop_tokens: self.stop_tokens,
            kept_bytes: self.kept_bytes,
            prompt_tokens: self.prompt_tokens,
            shortened: self.shortened,
            cached_tokens: self.cached_tokens.unwrap_or(0),
            timing: Timing {
                prefill_seconds: seconds(begun, first),
                decode_seconds: seconds(first, last),
                prefill_outputs: outputs.min(1),
                decode_outputs: outputs.saturating_sub(1),
            },
            logprobs: self.logprobs,
            sampling_logprobs: self.sampling_logprobs,
            top_logprobs: self.tops,
            prompt_scores: self.prompt_scores,
        }
    }
}
