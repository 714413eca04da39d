//! Draws the next tokens of a request from the logits.

use std::time::Instant;

use super::Sequence;
use crate::distribution::{Sampled, Seen, top_logprobs};
use crate::engine::request::Token;
use crate::{FinishReason, InferError, SamplingConfig};

impl Sequence {
    /// Draws tokens from the logits of the newest token and of the drafts after it, as long as these are accepted.
    /// Returns the tokens, and the error after them, if any.
    pub fn advance_all<'a>(
        &mut self,
        logits: impl Iterator<Item = &'a [f32]>,
        context: usize,
    ) -> (Vec<Token>, Option<InferError>) {
        let drafts = std::mem::take(&mut self.drafts.tokens);
        let (mut tokens, mut drafts, mut accepted, mut rejected) = (vec![], drafts.iter(), 0, false);
        for logits in logits {
            let token = match self.advance(logits, context) {
                Ok(token) => token,
                Err(error) => return (tokens, Some(error)),
            };
            let id = token.id;
            tokens.push(token);
            match drafts.next() {
                Some(&draft) if draft == id => accepted += 1,
                Some(_) => rejected = true,
                None => {}
            }
            if rejected || self.finish.is_some() || accepted < tokens.len() {
                break;
            }
            // The draft was accepted, so its keys and values are valid.
            self.computed += 1;
        }
        self.drafts.observe(accepted, rejected);
        (tokens, None)
    }

    /// Whether the completion has a constraint.
    pub fn is_constrained(&self) -> bool {
        self.constraint.is_some()
    }

    /// Computes the mask of allowed tokens. An error is reported when the token is drawn.
    pub fn prepare_mask(&mut self) {
        if let Some(constraint) = &mut self.constraint {
            drop(constraint.prepare());
        }
    }

    /// Draws the next token from its logits and checks whether the completion is finished.
    ///
    /// # Errors
    /// [`InferError::NotFinite`] when the logits are not finite, [`InferError::Constraint`] when no token can satisfy
    /// the constraint, or its mask is too much to compute.
    pub fn advance(&mut self, logits: &[f32], context: usize) -> Result<Token, InferError> {
        let sampled = self.sample(logits, context)?.ok_or(InferError::NotFinite { tokens: self.tokens.len() })?;
        let matched = match &mut self.constraint {
            Some(constraint) => constraint.follow(sampled.id)?,
            None => false,
        };
        let top = top_logprobs(logits, self.top);
        self.tokens.push(sampled.id);
        self.window.push(sampled.id);
        self.logprobs.push(sampled.logprob);
        self.sampling_logprobs.push(sampled.sampling_logprob);
        if self.top > 0 {
            self.tops.push(top.clone());
        }
        let full = self.remaining() == 0 || self.room(context) == 0;
        self.finish = match self.stops(sampled.id) || matched {
            true => Some(FinishReason::Stop),
            false => full.then_some(FinishReason::Length),
        };
        let now = Instant::now();
        self.times.first.get_or_insert(now);
        self.times.last = Some(now);
        let Sampled { id, logprob, sampling_logprob } = sampled;
        Ok(Token { id, logprob, sampling_logprob, top })
    }

    /// Whether the completion ends in a stop condition, and the number of its tokens in it.
    fn stops(&mut self, id: u32) -> bool {
        let in_text = self.stop_watch.as_mut().and_then(|watch| watch.push(id));
        let generated = self.tokens.len() - self.prompt_tokens;
        if generated < self.config.min_tokens {
            return false;
        }
        let ends = !self.config.ignore_eos && self.config.eos.contains(&id);
        let sequence = self.config.stop.iter().filter(|stop| self.generated().ends_with(stop)).map(Vec::len).max();
        self.stop_tokens = sequence.unwrap_or(usize::from(ends));
        if self.stop_tokens == 0
            && let Some(found) = in_text
        {
            (self.stop_tokens, self.kept_bytes) = (found.tokens.min(generated), found.kept_bytes);
        }
        self.stop_tokens > 0
    }

    /// Draws among all tokens, or among the allowed ones.
    fn sample(&mut self, logits: &[f32], context: usize) -> Result<Option<Sampled>, InferError> {
        let seen = Seen { tokens: &self.tokens, prompt: self.prompt_tokens };
        let too_early = self.tokens.len() - self.prompt_tokens < self.config.min_tokens;
        if self.guard.is_none() && self.constraint.is_none() && !too_early {
            return Ok(self.sampler.sample(logits, seen));
        }
        let left = self.remaining().min(self.room(context));
        let masked = &mut self.masked;
        masked.clear();
        masked.extend_from_slice(logits);
        if let Some(constraint) = &mut self.constraint {
            if !constraint.mask(masked, self.config.stop_ids(), too_early)? {
                return Err(InferError::Constraint { reason: "no token of this model can follow".into() });
            }
        } else if too_early {
            for id in self.config.stop_ids() {
                masked.get_mut(id as usize).into_iter().for_each(|logit| *logit = f32::NEG_INFINITY);
            }
        }
        let Some((guard, state)) = &mut self.guard else {
            return Ok(self.sampler.sample_masked(logits, masked, seen));
        };
        if !guard.mask(*state, left, masked) {
            // If the prompt ends inside a character, and too few tokens are left to complete it, the completion stops.
            // The constraint takes precedence.
            match &mut self.constraint {
                Some(constraint) => {
                    masked.copy_from_slice(logits);
                    constraint.mask(masked, self.config.stop_ids(), too_early)?;
                }
                None if allow_stop(masked, &self.config) => {}
                None => masked.copy_from_slice(logits),
            }
        }
        let sampled = self.sampler.sample_masked(logits, masked, seen);
        if let Some(sampled) = &sampled {
            *state = guard.follow(*state, sampled.id);
        }
        Ok(sampled)
    }
}

/// Allows only the tokens that end a completion by themselves. Returns whether there are any.
fn allow_stop(masked: &mut [f32], config: &SamplingConfig) -> bool {
    let mut any = false;
    for id in config.stop_ids() {
        if let Some(logit) = masked.get_mut(id as usize) {
            *logit = 0.0;
            any = true;
        }
    }
    any
}
