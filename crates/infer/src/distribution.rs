//! From one position's logits to a token: the filters, the draw, and its log-probabilities.
//!
//! V is the size of the vocabulary. Everything here runs on the host, sums in f64.

use std::cmp::Ordering;

use fireclay_kernels::simd;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::SamplingConfig;

/// Distribution of the next token: the tokens that remain after the filters, with their probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Ids that can be drawn, ascending.
    ids: Vec<u32>,
    /// Their probabilities, which sum to 1.
    probabilities: Vec<f64>,
}

/// The tokens before the one to draw.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Prompt and completion so far.
    pub tokens: &'a [u32],
    /// Number of prompt tokens.
    pub prompt: usize,
}

impl<'a> From<&'a [u32]> for Seen<'a> {
    /// All of it is the prompt.
    fn from(tokens: &'a [u32]) -> Self {
        Self { tokens, prompt: tokens.len() }
    }
}

impl<'a, const N: usize> From<&'a [u32; N]> for Seen<'a> {
    fn from(tokens: &'a [u32; N]) -> Self {
        tokens.as_slice().into()
    }
}

/// A token that was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampled {
    /// The token.
    pub id: u32,
    /// Its log-probability under the model: `log_softmax(logits)[id]`.
    pub logprob: f32,
    /// Its log-probability under the distribution it was drawn from.
    pub sampling_logprob: f32,
}

/// Draws one row's tokens, with that row's own random numbers.
#[derive(Clone, Debug)]
pub struct Sampler {
    config: SamplingConfig,
    rng: ChaCha8Rng,
}

impl Sampler {
    /// A sampler that draws from stream `config.stream + row` of the seed.
    #[must_use]
    pub fn new(config: &SamplingConfig, row: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        rng.set_stream(config.stream.wrapping_add(row as u64));
        Self { config: config.clone(), rng }
    }

    /// Draws the token after `seen` from its `[V]` logits. Uses one random number per token, none if greedy. `None` if
    /// a logit is NaN or +∞, or all are −∞.
    pub fn sample<'a>(&mut self, logits: &[f32], seen: impl Into<Seen<'a>>) -> Option<Sampled> {
        self.sample_masked(logits, logits, seen.into())
    }

    /// [`sample`](Self::sample) with `masked` logits, of which some are −∞, so that their tokens cannot be drawn; `None`
    /// if all are. The log-probability under the model uses the unmasked `logits`.
    pub(crate) fn sample_masked(&mut self, logits: &[f32], masked: &[f32], seen: Seen) -> Option<Sampled> {
        let normaliser = log_sum_exp(logits)?;
        masked.iter().find(|logit| logit.is_finite())?;
        let distribution = Distribution::new(masked, seen, &self.config);
        let draw = if self.config.is_greedy() { 0.0 } else { self.rng.random::<f64>() };
        let (id, probability) = distribution.at(draw);
        let logprob = (f64::from(logits[id as usize]) - normaliser) as f32;
        Some(Sampled { id, logprob, sampling_logprob: probability.ln() as f32 })
    }
}

/// A token with its logit.
type Candidate = (f32, u32);

/// The larger logit first; of equal ones the lower id.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that sorting wants")]
fn descending(a: &Candidate, b: &Candidate) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

impl Distribution {
    /// Applies the filters of `config` in the order of its fields: biases, penalties for tokens in `seen`, temperature,
    /// top-k, top-p, min-p, typical-p. Each filter sees the renormalised probabilities of the tokens that the filters
    /// before it left. A token whose logit is −∞ is never drawn.
    ///
    /// # Panics
    /// When no logit is finite.
    #[must_use]
    pub fn new<'a>(logits: &[f32], seen: impl Into<Seen<'a>>, config: &SamplingConfig) -> Self {
        let plain = leaves_logits(config);
        if config.is_greedy() && plain {
            let best = simd::row_max(logits);
            assert!(best.is_finite(), "a distribution needs a finite logit");
            let first = logits.iter().position(|&logit| logit >= best).unwrap_or(0);
            return Self { ids: vec![first as u32], probabilities: vec![1.0] };
        }
        // Adding zero turns −0 into 0, so that the two compare as equal.
        let mut candidates: Vec<Candidate> = logits.iter().map(|&logit| logit + 0.0).zip(0..).collect();
        if !plain {
            adjust(&mut candidates, seen.into(), config);
        }
        let best = candidates.iter().min_by(|a, b| descending(a, b)).copied();
        let best = best.filter(|(logit, _)| logit.is_finite()).expect("a distribution needs a finite logit");
        if config.is_greedy() {
            return Self { ids: vec![best.1], probabilities: vec![1.0] };
        }
        // Relative to the most probable token, so that nothing overflows and filters need not renormalise.
        let weight =
            |&(logit, _): &Candidate| ((f64::from(logit) - f64::from(best.0)) / f64::from(config.temperature)).exp();
        if let Some(k) = config.top_k.filter(|&k| k < candidates.len()) {
            candidates.select_nth_unstable_by(k - 1, descending);
            candidates.truncate(k);
        }
        if let Some(p) = config.top_p.filter(|&p| p < 1.0) {
            keep_top_p(&mut candidates, f64::from(p), weight);
        }
        if let Some(min_p) = config.min_p {
            candidates.retain(|candidate| weight(candidate) >= f64::from(min_p));
        }
        if let Some(p) = config.typical_p.filter(|&p| p < 1.0) {
            keep_typical(&mut candidates, f64::from(p), weight);
        }
        // Drawing in the order of ids: then a rounding error in a logit moves the borders between tokens a little, but
        // never swaps tokens.
        candidates.sort_unstable_by_key(|&(_, id)| id);
        let weights: Vec<f64> = candidates.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        Self {
            ids: candidates.iter().map(|&(_, id)| id).collect(),
            probabilities: weights.iter().map(|weight| weight / total).collect(),
        }
    }

    /// The ids that can be drawn, ascending.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The probability of each of [`ids`](Self::ids).
    #[must_use]
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// The token at `draw` in [0, 1) if the tokens divide this interval by their probabilities, in the order of their
    /// ids; and its probability.
    #[must_use]
    pub fn at(&self, draw: f64) -> (u32, f64) {
        let mut end = 0.0;
        let mut last = (self.ids[0], self.probabilities[0]);
        for (&id, &probability) in self.ids.iter().zip(&self.probabilities) {
            end += probability;
            if probability > 0.0 {
                last = (id, probability);
            }
            if draw < end {
                break;
            }
        }
        // If the sum stays below `draw` by rounding: the last token with a positive probability.
        last
    }
}

/// Whether biases and penalties are all switched off.
#[expect(clippy::float_cmp, reason = "they are, by exactly these numbers")]
fn leaves_logits(config: &SamplingConfig) -> bool {
    let SamplingConfig { repetition_penalty, presence_penalty, frequency_penalty, logit_bias, .. } = config;
    *repetition_penalty == 1.0 && *presence_penalty == 0.0 && *frequency_penalty == 0.0 && logit_bias.is_empty()
}

/// Adds the biases, and applies the penalties to the logits of tokens already seen. What is finite stays finite, so
/// that no token is taken for a masked one, whose logit is −∞.
fn adjust(candidates: &mut [Candidate], seen: Seen, config: &SamplingConfig) {
    let mut change = |id: u32, changed: &dyn Fn(f32) -> f32| {
        if let Some((logit, _)) = candidates.get_mut(id as usize).filter(|(logit, _)| logit.is_finite()) {
            *logit = changed(*logit).clamp(f32::MIN, f32::MAX);
        }
    };
    for (&id, bias) in &config.logit_bias {
        change(id, &|logit| logit + bias);
    }
    let penalty = config.repetition_penalty;
    for ids in sorted(seen.tokens).chunk_by(|a, b| a == b) {
        change(ids[0], &|logit| if logit < 0.0 { logit * penalty } else { logit / penalty });
    }
    for ids in sorted(&seen.tokens[seen.prompt..]).chunk_by(|a, b| a == b) {
        let penalty = config.presence_penalty + config.frequency_penalty * ids.len() as f32;
        change(ids[0], &|logit| logit - penalty);
    }
}

fn sorted(ids: &[u32]) -> Vec<u32> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

/// Keeps the fewest candidates whose weights reach the share `p` of the total, those first whose surprisal is nearest
/// to the entropy.
fn keep_typical(candidates: &mut Vec<Candidate>, p: f64, weight: impl Fn(&Candidate) -> f64) {
    let total: f64 = candidates.iter().map(&weight).sum();
    let surprise = |candidate: &Candidate| -(weight(candidate) / total).ln();
    // 0 · log 0 is 0.
    let expected = |candidate: &Candidate| match weight(candidate) / total {
        0.0 => 0.0,
        share => share * surprise(candidate),
    };
    let entropy: f64 = candidates.iter().map(expected).sum();
    let distance = |candidate: &Candidate| (surprise(candidate) - entropy).abs();
    candidates.sort_unstable_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.1.cmp(&b.1)));
    let mut sum = 0.0;
    let reached = candidates.iter().position(|candidate| {
        sum += weight(candidate) / total;
        sum >= p
    });
    candidates.truncate(reached.map_or(candidates.len(), |last| last + 1));
}

/// The `count` most probable tokens and their log-probabilities, in descending order; of equal ones, the lowest id
/// first.
pub(crate) fn top_logprobs(logits: &[f32], count: usize) -> Vec<(u32, f32)> {
    let count = count.min(logits.len());
    let Some(normaliser) = (count > 0).then(|| log_sum_exp(logits)).flatten() else { return vec![] };
    let mut candidates: Vec<Candidate> = logits.iter().map(|&logit| logit + 0.0).zip(0..).collect();
    candidates.select_nth_unstable_by(count - 1, descending);
    candidates.truncate(count);
    candidates.sort_unstable_by(descending);
    candidates.into_iter().map(|(logit, id)| (id, (f64::from(logit) - normaliser) as f32)).collect()
}

/// Keeps the fewest most probable candidates whose weights reach the share `p` of the total.
fn keep_top_p(candidates: &mut Vec<Candidate>, p: f64, weight: impl Fn(&Candidate) -> f64) {
    let target = p * candidates.iter().map(&weight).sum::<f64>();
    // A few hundred tokens are usually enough; sorting the whole vocabulary costs more than everything else here.
    let mut sorted = 256;
    loop {
        let all = sorted >= candidates.len();
        if all {
            candidates.sort_unstable_by(descending);
        } else {
            candidates.select_nth_unstable_by(sorted - 1, descending);
            candidates[..sorted].sort_unstable_by(descending);
        }
        let mut sum = 0.0;
        let within = candidates.iter().take(sorted).position(|candidate| {
            sum += weight(candidate);
            sum >= target
        });
        match within {
            Some(last) => return candidates.truncate(last + 1),
            None if all => return,
            None => sorted *= 8,
        }
    }
}

/// log Σ exp(logit); `None` when a logit is NaN or +∞, or all are −∞.
pub(crate) fn log_sum_exp(logits: &[f32]) -> Option<f64> {
    Some(simd::log_sum_exp(logits)).filter(|sum| sum.is_finite())
}

#[cfg(test)]
mod tests;
