//! `[battery]`: what people type first, asked of every policy from fine-tuning on.

use serde::{Deserialize, Serialize};

/// Which prompts make up the battery, and how they are asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatterySection {
    /// Prompts of each topic at every evaluation; 0: no battery.
    pub per_topic: usize,
    /// Prompts of each topic at the end of a stage; 0: as many as `per_topic`.
    pub final_per_topic: usize,
    /// The temperature of sampled replies.
    pub temperature: f64,
    /// Most tokens in a reply; a longer one counts as wrong.
    pub max_tokens: usize,
    /// Files of tasks to ask; none: the embedded corpus' prompts.
    pub data: Vec<String>,
}

impl Default for BatterySection {
    fn default() -> Self {
        Self { per_topic: 0, final_per_topic: 0, temperature: 0.7, max_tokens: 120, data: vec![] }
    }
}

impl BatterySection {
    /// Whether there is a battery.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.per_topic > 0
    }

    /// Prompts of each topic at the end of a stage.
    #[must_use]
    pub fn last_per_topic(&self) -> usize {
        if self.final_per_topic == 0 { self.per_topic } else { self.final_per_topic }
    }

    /// Refuses what cannot be asked.
    ///
    /// # Errors
    /// Key, value and what it must be.
    pub(super) fn validate(&self) -> Result<(), String> {
        if !self.is_on() && self.final_per_topic > 0 {
            let at_end = self.final_per_topic;
            return Err(format!(
                "battery.final_per_topic = {at_end}, and battery.per_topic = 0 turns the battery off; set \
                 battery.per_topic"
            ));
        }
        if !self.is_on() && !self.data.is_empty() {
            return Err(
                "battery.data names files, and battery.per_topic = 0 turns the battery off; set battery.per_topic to \
                        the prompts of each topic to ask"
                    .into(),
            );
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(format!("battery.temperature = {} must be a positive number", self.temperature));
        }
        if self.max_tokens == 0 {
            return Err("battery.max_tokens = 0 must be 1 or more".into());
        }
        Ok(())
    }
}
