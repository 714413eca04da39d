//! `[chat]`: the default sampling settings of a finished model.

use fireclay_model::huggingface::SamplingDefaults;
use serde::{Deserialize, Serialize};

/// Sampling settings in the `generation_config.json` of checkpoints, from fine-tuning on. An absent key leaves the
/// setting to the program that loads the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatSection {
    /// Sampling temperature; 0 is greedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling: the smallest set of tokens whose probabilities sum to this, above 0 and up to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Sample among this many most probable tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Sample among the tokens at least this many times as probable as the most probable one, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
}

impl ChatSection {
    /// The keys of a `generation_config.json`.
    #[must_use]
    pub fn sampling(self) -> SamplingDefaults {
        let Self { temperature, top_p, top_k, min_p } = self;
        let do_sample = temperature.map(|temperature| temperature > 0.0);
        let temperature = temperature.filter(|temperature| *temperature > 0.0);
        SamplingDefaults { do_sample, temperature, top_p, top_k, min_p, ..SamplingDefaults::default() }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// Key, value and its valid range.
    pub(super) fn validate(self) -> Result<(), String> {
        if let Some(temperature) = self.temperature.filter(|t| !(t.is_finite() && *t >= 0.0)) {
            return Err(format!("chat.temperature = {temperature} must be a number from 0"));
        }
        if let Some(top_p) = self.top_p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
            return Err(format!("chat.top_p = {top_p} must be above 0 and up to 1"));
        }
        if let Some(min_p) = self.min_p.filter(|p| !(0.0..=1.0).contains(p)) {
            return Err(format!("chat.min_p = {min_p} must be from 0 to 1"));
        }
        if self.top_k == Some(0) {
            return Err("chat.top_k = 0 must be 1 or more; leave it out to keep all tokens".into());
        }
        Ok(())
    }
}
