//! One sequence of a batch while it grows.

use std::ops::ControlFlow;

use crate::distribution::Sampled;
use crate::generate::{Completion, FinishReason, Timing};
use crate::utf8::State;
use crate::{InferError, Sampler, SamplingConfig, Utf8Guard};

/// A prompt and what was generated behind it so far.
pub(crate) struct Row<'a> {
    /// Prompt and completion.
    sequence: Vec<u32>,
    prompt_tokens: usize,
    /// Tokens before this one are no longer looked at.
    start: usize,
    logprobs: Vec<f32>,
    sampling_logprobs: Vec<f32>,
    sampler: Sampler,
    /// What keeps the text valid, and where in a character it is.
    guard: Option<Guarded<'a>>,
    finish: Option<FinishReason>,
    stop_tokens: usize,
}

struct Guarded<'a> {
    guard: &'a Utf8Guard,
    state: State,
    /// The logits of the tokens that are allowed.
    masked: Vec<f32>,
}

impl<'a> Row<'a> {
    /// Row `index` of a batch.
    pub(crate) fn new(
        prompt: &[u32],
        index: usize,
        config: &SamplingConfig,
        context: usize,
        guard: Option<&'a Utf8Guard>,
    ) -> Self {
        let full = prompt.len() >= context && !config.slide;
        Self {
            sequence: prompt.to_vec(),
            prompt_tokens: prompt.len(),
            start: 0,
            logprobs: vec![],
            sampling_logprobs: vec![],
            sampler: Sampler::new(config, index),
            guard: guard.map(|guard| Guarded { guard, state: guard.state_after(prompt), masked: vec![] }),
            finish: full.then_some(FinishReason::Length),
            stop_tokens: 0,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Tokens that may still come.
    pub(crate) fn remaining(&self, config: &SamplingConfig) -> usize {
        config.max_tokens - self.generated().len()
    }

    fn generated(&self) -> &[u32] {
        &self.sequence[self.prompt_tokens..]
    }

    /// The tokens to look at: all of them, or the newest half of a context that has filled up.
    pub(crate) fn window(&mut self, context: usize) -> &[u32] {
        if self.sequence.len() - self.start > context {
            self.start = self.sequence.len() - (context / 2).max(1);
        }
        &self.sequence[self.start..]
    }

    /// Chooses the next token from its logits and sees whether the row is finished.
    pub(crate) fn advance(
        &mut self,
        logits: &[f32],
        config: &SamplingConfig,
        context: usize,
        on_token: impl FnOnce(u32, f32) -> ControlFlow<()>,
    ) -> Result<u32, InferError> {
        let sampled = self.sample(logits, config, context);
        let sampled = sampled.ok_or(InferError::NotFinite { tokens: self.sequence.len() })?;
        self.sequence.push(sampled.id);
        self.logprobs.push(sampled.logprob);
        self.sampling_logprobs.push(sampled.sampling_logprob);

        let stop = config.stop.iter().filter(|stop| self.generated().ends_with(stop)).map(Vec::len).max();
        let full = self.remaining(config) == 0 || (!config.slide && self.sequence.len() >= context);
        let cancelled = on_token(sampled.id, sampled.logprob).is_break();
        self.stop_tokens = stop.unwrap_or(0);
        self.finish = match (stop, full, cancelled) {
            (Some(_), ..) => Some(FinishReason::Stop),
            (None, true, _) => Some(FinishReason::Length),
            (None, false, true) => Some(FinishReason::Cancelled),
            (None, false, false) => None,
        };
        Ok(sampled.id)
    }

    /// Chooses among all tokens, or among those that the guard allows. Where it allows none (the prompt ends inside a character, and too few tokens
    /// are left to end it), the completion stops.
    fn sample(&mut self, logits: &[f32], config: &SamplingConfig, context: usize) -> Option<Sampled> {
        let room = if config.slide { usize::MAX } else { context - self.sequence.len() };
        let left = self.remaining(config).min(room);
        let Some(Guarded { guard, state, masked }) = &mut self.guard else {
            return self.sampler.sample(logits, &self.sequence);
        };
        masked.clear();
        masked.extend_from_slice(logits);
        if !guard.mask(*state, left, masked) && !allow_stop(masked, &config.stop) {
            masked.copy_from_slice(logits);
        }
        let sampled = self.sampler.sample_masked(logits, masked, &self.sequence)?;
        *state = guard.follow(*state, sampled.id);
        Some(sampled)
    }

    pub(crate) fn into_completion(self, timing: Timing) -> Completion {
        Completion {
            ids: self.generated().to_vec(),
            logprobs: self.logprobs,
            sampling_logprobs: self.sampling_logprobs,
            finish_reason: self.finish.expect("generation ends when every row is finished"),
            stop_tokens: self.stop_tokens,
            prompt_tokens: self.prompt_tokens,
            timing,
        }
    }
}

/// Allows the tokens that stop a completion alone. Whether there are any.
fn allow_stop(masked: &mut [f32], stop: &[Vec<u32>]) -> bool {
    let mut any = false;
    for sequence in stop {
        if let [id] = sequence[..]
            && let Some(logit) = masked.get_mut(id as usize)
        {
            *logit = 0.0;
            any = true;
        }
    }
    any
}
