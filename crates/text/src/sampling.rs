//! Sampling settings: requested, the model's, and resolved.

use std::fmt::Display;

use fireclay_infer::SamplingConfig;
use fireclay_model::huggingface::SamplingDefaults;

/// The default temperature of a chat, if neither the user nor the model sets one.
pub const CHAT_TEMPERATURE: f32 = 0.7;

/// Requested sampling settings: a command's flags, or a request's. Missing ones are the model's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestedSampling {
    /// Sampling temperature.
    pub temperature: Option<f32>,
    /// Number of most probable tokens to keep.
    pub top_k: Option<usize>,
    /// Keeps the fewest tokens whose probabilities reach this sum.
    pub top_p: Option<f32>,
    /// Keeps tokens at least this many times as probable as the most probable one.
    pub min_p: Option<f32>,
    /// Penalty of tokens that already occurred.
    pub repetition_penalty: Option<f32>,
    /// Seed of the random numbers.
    pub seed: u64,
}

/// Resolved sampling settings: as requested, else as its `generation_config.json` says, else by the caller's default.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// The settings, not validated yet.
    pub config: SamplingConfig,
    /// Summary of the settings in effect: `temperature 0.7 (generation_config.json), top-p 0.9`.
    pub summary: String,
}

impl Sampling {
    /// Settings of request and model together; `temperature` if neither has one.
    pub fn resolve(
        requested: &RequestedSampling,
        model: &SamplingDefaults,
        max_tokens: usize,
        temperature: f32,
    ) -> Self {
        let greedy = (model.do_sample == Some(false)).then_some(0.0);
        let of_model = greedy.or(model.temperature.map(|number| number as f32));
        let mut notes = vec![];
        let mut pick = |name, requested, model| pick(&mut notes, name, requested, model);
        let temperature = match pick("temperature", requested.temperature, of_model) {
            Some(temperature) => temperature,
            None => pick("temperature", Some(temperature), None).unwrap_or(temperature),
        };
        let top_p = pick("top-p", requested.top_p, model.top_p.map(|number| number as f32).filter(|&p| p < 1.0));
        let min_p = pick("min-p", requested.min_p, model.min_p.map(|number| number as f32).filter(|&p| p > 0.0));
        let penalty = model.repetition_penalty.map(|number| number as f32);
        let repetition_penalty = pick("repetition penalty", requested.repetition_penalty, penalty);
        // 0 keeps all tokens and overrides the model's setting.
        let top_k = match requested.top_k {
            Some(0) => None,
            top_k => self::pick(&mut notes, "top-k", top_k, model.top_k.filter(|&k| k > 0)),
        };
        let config = SamplingConfig {
            repetition_penalty: repetition_penalty.unwrap_or(1.0),
            temperature,
            top_k,
            top_p,
            min_p,
            max_tokens,
            seed: requested.seed,
            ..SamplingConfig::default()
        };
        Self { config, summary: notes.join(", ") }
    }
}

/// The requested value, else the model's; and a note on it.
fn pick<T: Copy + Display>(notes: &mut Vec<String>, name: &str, requested: Option<T>, model: Option<T>) -> Option<T> {
    let source = if requested.is_none() { " (generation_config.json)" } else { "" };
    let value = requested.or(model);
    notes.extend(value.map(|value| format!("{name} {value}{source}")));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested() -> RequestedSampling {
        RequestedSampling { seed: 3, ..RequestedSampling::default() }
    }

    /// As Qwen2.5's `generation_config.json`.
    fn model() -> SamplingDefaults {
        SamplingDefaults {
            do_sample: Some(true),
            temperature: Some(0.6),
            top_p: Some(0.8),
            top_k: Some(20),
            min_p: Some(0.05),
            repetition_penalty: Some(1.1),
        }
    }

    fn check(requested: &RequestedSampling, model: &SamplingDefaults, expect: SamplingConfig, summary: &str) {
        let expect = SamplingConfig { max_tokens: 9, seed: 3, ..expect };
        assert_eq!(Sampling::resolve(requested, model, 9, 0.7), Sampling { config: expect, summary: summary.into() });
    }

    #[test]
    fn without_flags_the_model_decides_and_without_both_the_command() {
        let from = "(generation_config.json)";
        check(
            &requested(),
            &model(),
            SamplingConfig {
                temperature: 0.6,
                top_p: Some(0.8),
                top_k: Some(20),
                min_p: Some(0.05),
                repetition_penalty: 1.1,
                ..SamplingConfig::default()
            },
            &format!(
                "temperature 0.6 {from}, top-p 0.8 {from}, min-p 0.05 {from}, repetition penalty 1.1 {from}, top-k 20 {from}"
            ),
        );
        let expect = SamplingConfig { temperature: 0.7, ..SamplingConfig::default() };
        check(&requested(), &SamplingDefaults::default(), expect, "temperature 0.7");
    }

    #[test]
    fn a_flag_overrides_the_model() {
        let requested = RequestedSampling {
            temperature: Some(0.0),
            top_k: Some(5),
            top_p: Some(1.0),
            min_p: Some(0.5),
            repetition_penalty: Some(1.0),
            ..requested()
        };
        let expect = SamplingConfig {
            temperature: 0.0,
            top_k: Some(5),
            top_p: Some(1.0),
            min_p: Some(0.5),
            ..SamplingConfig::default()
        };
        check(&requested, &model(), expect, "temperature 0, top-p 1, min-p 0.5, repetition penalty 1, top-k 5");
    }

    #[test]
    fn a_model_that_is_not_sampled_is_greedy_unless_told() {
        let greedy = SamplingDefaults { do_sample: Some(false), temperature: Some(0.6), ..SamplingDefaults::default() };
        let expect = SamplingConfig { temperature: 0.0, ..SamplingConfig::default() };
        check(&requested(), &greedy, expect, "temperature 0 (generation_config.json)");
        let expect = SamplingConfig { temperature: 0.9, ..SamplingConfig::default() };
        check(&RequestedSampling { temperature: Some(0.9), ..requested() }, &greedy, expect, "temperature 0.9");
    }

    #[test]
    fn filters_that_keep_everything_are_none() {
        let off = SamplingDefaults { top_k: Some(0), top_p: Some(1.0), ..SamplingDefaults::default() };
        let expect = SamplingConfig { temperature: 0.7, ..SamplingConfig::default() };
        check(&requested(), &off, expect, "temperature 0.7");
    }
}
