//! `[battery]`: common first messages, which every policy answers from fine-tuning on.

use fireclay_infer::SamplingConfig;
use fireclay_model::huggingface::SamplingDefaults;
use fireclay_text::{CHAT_TEMPERATURE, RequestedSampling, Sampling};
use serde::{Deserialize, Serialize};

/// Prompts of the battery, and their sampling settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatterySection {
    /// Prompts of each topic at every evaluation; 0, or none: no battery, regardless of the other keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_topic: Option<usize>,
    /// Prompts of each topic at the end of a stage; 0: as many as `per_topic`.
    pub final_per_topic: usize,
    /// The temperature of sampled replies; none: that of `[chat]`, else 0.7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Most tokens in a reply; a longer one counts as wrong.
    pub max_tokens: usize,
    /// Files of tasks to ask; none: the embedded corpus' prompts.
    pub data: Vec<String>,
}

impl Default for BatterySection {
    fn default() -> Self {
        Self { per_topic: None, final_per_topic: 0, temperature: None, max_tokens: 120, data: vec![] }
    }
}

impl BatterySection {
    /// Whether there is a battery.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.during_per_topic() > 0
    }

    /// Prompts of each topic at every evaluation.
    #[must_use]
    pub fn during_per_topic(&self) -> usize {
        self.per_topic.unwrap_or(0)
    }

    /// Prompts of each topic at the end of a stage.
    #[must_use]
    pub fn last_per_topic(&self) -> usize {
        if self.final_per_topic == 0 { self.during_per_topic() } else { self.final_per_topic }
    }

    /// Sampling settings of replies from a model with these defaults: those of a chat.
    #[must_use]
    pub fn sampling(&self, model: &SamplingDefaults) -> SamplingConfig {
        let requested = RequestedSampling {
            temperature: self.temperature.map(|number| number as f32),
            ..RequestedSampling::default()
        };
        Sampling::resolve(&requested, model, self.max_tokens, CHAT_TEMPERATURE).config
    }

    /// Refuses settings that are invalid.
    ///
    /// # Errors
    /// Key, value and its valid range.
    pub(super) fn validate(&self) -> Result<(), String> {
        if self.per_topic.is_none() && (self.final_per_topic > 0 || !self.data.is_empty()) {
            let key = if self.data.is_empty() { "final_per_topic" } else { "data" };
            return Err(format!(
                "battery.{key} is set without battery.per_topic; set battery.per_topic to the prompts of each topic at \
                 every evaluation, or to 0 for no battery"
            ));
        }
        if let Some(temperature) = self.temperature.filter(|t| !(*t > 0.0 && t.is_finite())) {
            return Err(format!("battery.temperature = {temperature} must be a positive number"));
        }
        if self.max_tokens == 0 {
            return Err("battery.max_tokens = 0 must be 1 or more".into());
        }
        Ok(())
    }
}
