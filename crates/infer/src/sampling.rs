//! Sampling settings: [`SamplingConfig`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::InferError;

/// Sampling settings and stop conditions.
///
/// The filters apply in the order of the fields, which is `transformers`' order. The default draws from the model's own
/// distribution (temperature 1, no filter), so that both log-probabilities of a token agree; [`greedy`](Self::greedy)
/// takes the most probable token each time. For text that is meant to be read, a temperature of 0.7 to 0.9 is usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingConfig {
    /// Added to the logits of these tokens, before all else; from −10⁶ to 10⁶.
    pub logit_bias: BTreeMap<u32, f32>,
    /// Logits of tokens that the prompt or the completion already has are divided by this where positive, and
    /// multiplied where negative (Keskar et al. 2019, CTRL, section 4.1); from 0.01 to 100, 1 changes nothing.
    pub repetition_penalty: f32,
    /// Subtracted from the logits of tokens that the completion already has, however often; from −100 to 100, 0 changes
    /// nothing.
    pub presence_penalty: f32,
    /// Subtracted from a token's logit as often as the completion already has it; from −100 to 100, 0 changes nothing.
    pub frequency_penalty: f32,
    /// Logits are divided by this; 0 is greedy: the largest logit wins, and of equal ones the lowest id.
    pub temperature: f32,
    /// Keeps only the `k` largest logits (Fan et al. 2018); of equal ones the lowest ids, so that exactly `k` stay.
    pub top_k: Option<usize>,
    /// Keeps only the fewest most probable tokens whose probabilities sum to at least `p` (Holtzman et al. 2020); 1
    /// changes nothing.
    pub top_p: Option<f32>,
    /// Keeps only tokens at least `min_p` times as probable as the most probable one (Nguyen et al. 2024); 0 changes
    /// nothing.
    pub min_p: Option<f32>,
    /// Keeps only the fewest tokens whose probabilities sum to at least `p`, those first whose `−log p` is nearest to
    /// the entropy (Meister et al. 2022, "Locally Typical Sampling"); 1 changes nothing.
    pub typical_p: Option<f32>,
    /// Most tokens to generate. The model's context ends a completion earlier unless it [slides](Self::slide) or
    /// there are [shorter prompts](crate::Request::shorter_prompts).
    pub max_tokens: usize,
    /// A completion that ends in one of these sequences is finished. They stay part of it, with their
    /// log-probabilities.
    pub stop: Vec<Vec<u32>>,
    /// Tokens that end a text. Like stop sequences of one token, unless they are ignored.
    pub eos: Vec<u32>,
    /// Whether end-of-text tokens are treated like any other token.
    pub ignore_eos: bool,
    /// Minimum number of tokens: before it nothing stops a completion, and no end-of-text token is drawn.
    pub min_tokens: usize,
    /// When the model's context is full, continue with its newest half instead of stopping; the following tokens, and
    /// their log-probabilities, are then predicted from fewer than all tokens before them.
    pub slide: bool,
    /// Seed of the random numbers. The same seed, stream and logits give the same tokens.
    pub seed: u64,
    /// Random stream of the seed from which a request draws. If one call completes several prompts, prompt `r` draws
    /// from `stream + r`.
    pub stream: u64,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self {
            logit_bias: BTreeMap::new(),
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            temperature: 1.0,
            top_k: None,
            top_p: None,
            min_p: None,
            typical_p: None,
            max_tokens: 256,
            stop: vec![],
            eos: vec![],
            ignore_eos: false,
            min_tokens: 0,
            slide: false,
            seed: 0,
            stream: 0,
        }
    }
}

impl SamplingConfig {
    /// Settings that take the most probable token each time.
    #[must_use]
    pub fn greedy(max_tokens: usize) -> Self {
        Self { temperature: 0.0, max_tokens, ..Self::default() }
    }

    /// Whether the choice is certain: temperature 0.
    #[must_use]
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// The tokens that end a completion by themselves.
    pub(crate) fn stop_ids(&self) -> impl Iterator<Item = u32> {
        let eos = self.eos.iter().copied().filter(|_| !self.ignore_eos);
        eos.chain(self.stop.iter().filter_map(|stop| if let [id] = stop[..] { Some(id) } else { None }))
    }

    /// Checks that every setting is valid.
    ///
    /// # Errors
    /// [`InferError::Setting`] names the first invalid setting and its allowed values.
    pub fn validate(&self) -> Result<(), InferError> {
        let check = |good: bool, setting, value: &dyn ToString, expected| match good {
            true => Ok(()),
            false => Err(InferError::Setting { setting, value: value.to_string(), expected }),
        };
        let Self { repetition_penalty, temperature, max_tokens, .. } = self;
        for bias in self.logit_bias.values() {
            let fits = (-1e6..=1e6).contains(bias);
            check(fits, "logit_bias", bias, "give a number from -1e6 to 1e6; 0 changes nothing")?;
        }
        for (setting, penalty) in
            [("presence_penalty", self.presence_penalty), ("frequency_penalty", self.frequency_penalty)]
        {
            let fits = (-100.0..=100.0).contains(&penalty);
            check(fits, setting, &penalty, "give a number from -100 to 100; 0 changes nothing")?;
        }
        check(
            (0.01..=100.0).contains(repetition_penalty),
            "repetition_penalty",
            repetition_penalty,
            "give a number from 0.01 to 100; 1 changes nothing",
        )?;
        check(
            *temperature >= 0.0 && temperature.is_finite(),
            "temperature",
            temperature,
            "give 0 for the most probable token, or a positive number",
        )?;
        if let Some(top_k) = self.top_k {
            check(top_k > 0, "top_k", &top_k, "give the number of tokens to choose from, or leave it out")?;
        }
        if let Some(top_p) = self.top_p {
            check(top_p > 0.0 && top_p <= 1.0, "top_p", &top_p, "give a probability above 0 and up to 1")?;
        }
        if let Some(min_p) = self.min_p {
            check((0.0..=1.0).contains(&min_p), "min_p", &min_p, "give a share from 0 to 1")?;
        }
        if let Some(p) = self.typical_p {
            check(p > 0.0 && p <= 1.0, "typical_p", &p, "give a probability above 0 and up to 1")?;
        }
        check(*max_tokens > 0, "max_tokens", max_tokens, "give a positive number")?;
        check(self.stop.iter().all(|sequence| !sequence.is_empty()), "stop", &"[]", "a stop sequence needs a token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_mean_nothing_are_named() {
        let check = |change: fn(&mut SamplingConfig), expect: &str| {
            let mut config = SamplingConfig::default();
            assert_eq!(config.validate(), Ok(()));
            change(&mut config);
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(expect) && !message.contains('\n'), "{message}");
        };
        check(|c| c.temperature = -0.5, "temperature = -0.5");
        check(|c| c.temperature = f32::NAN, "temperature = NaN");
        check(|c| c.top_k = Some(0), "top_k = 0");
        check(|c| c.top_p = Some(0.0), "top_p = 0");
        check(|c| c.top_p = Some(1.5), "top_p = 1.5");
        check(|c| c.min_p = Some(-0.1), "min_p = -0.1");
        check(|c| c.repetition_penalty = 0.0, "repetition_penalty = 0");
        check(|c| c.repetition_penalty = 1e-38, "give a number from 0.01 to 100");
        check(|c| c.typical_p = Some(0.0), "typical_p = 0");
        check(|c| c.presence_penalty = f32::INFINITY, "presence_penalty = inf");
        check(|c| c.frequency_penalty = f32::NAN, "frequency_penalty = NaN");
        check(|c| c.frequency_penalty = -3e38, "give a number from -100 to 100");
        check(|c| c.logit_bias = [(3, f32::NAN)].into(), "logit_bias = NaN");
        check(|c| c.logit_bias = [(3, 1e7)].into(), "give a number from -1e6 to 1e6");
        check(|c| c.max_tokens = 0, "max_tokens = 0");
        check(|c| c.stop = vec![vec![1], vec![]], "stop = []");
    }

    #[test]
    fn what_is_left_out_of_json_has_its_default() {
        let config: SamplingConfig = serde_json::from_str(r#"{"temperature": 0.5, "top_k": 4}"#).unwrap();
        assert_eq!(config, SamplingConfig { temperature: 0.5, top_k: Some(4), ..SamplingConfig::default() });
        assert!(serde_json::from_str::<SamplingConfig>(r#"{"temprature": 0.5}"#).is_err());
    }
}
