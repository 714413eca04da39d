//! Keys of a stage's section for its examples and its adapters.

use fireclay_corpus::{ConversationConfig, PromptConfig};
use fireclay_model::LoraConfig;
use fireclay_rlhf::RewardWeights;
use serde::{Deserialize, Serialize};

/// Conversations for fine-tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConversationData {
    /// Files and folders of conversations; none: those of the embedded corpus.
    pub data: Vec<String>,
    /// The share of the conversations in `data` that is kept for validation.
    pub validation_fraction: f64,
    /// Number of training conversations of the embedded corpus.
    pub conversations: usize,
    /// Number of validation examples of the embedded corpus.
    pub validation_conversations: usize,
    /// Topics of the embedded corpus' conversations.
    pub corpus: ConversationConfig,
}

impl Default for ConversationData {
    fn default() -> Self {
        Self {
            data: vec![],
            validation_fraction: 0.05,
            conversations: 4000,
            validation_conversations: 200,
            corpus: ConversationConfig::default(),
        }
    }
}

impl ConversationData {
    /// Checks the keys; `name` is the section's name.
    ///
    /// # Errors
    /// Key, value and its valid range.
    pub fn validate(&self, name: &str) -> Result<(), String> {
        check_fraction(name, self.validation_fraction)?;
        check_drawn(
            name,
            [("conversations", self.conversations), ("validation_conversations", self.validation_conversations)],
        )?;
        self.corpus.validate().map_err(|error| format!("{name}: {error}"))
    }
}

/// Preferences for a reward model, DPO or KTO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreferenceData {
    /// Files and folders of preferences; none: those of the embedded corpus.
    pub data: Vec<String>,
    /// The share of the prompts in `data` that is kept for validation.
    pub validation_fraction: f64,
    /// Number of training pairs of the embedded corpus.
    pub pairs: usize,
    /// Number of validation examples of the embedded corpus.
    pub validation_pairs: usize,
    /// Topics of the embedded corpus' pairs.
    pub corpus: PromptConfig,
}

impl Default for PreferenceData {
    fn default() -> Self {
        Self {
            data: vec![],
            validation_fraction: 0.1,
            pairs: 2000,
            validation_pairs: 300,
            corpus: PromptConfig::default(),
        }
    }
}

impl PreferenceData {
    /// As [`ConversationData::validate`].
    ///
    /// # Errors
    /// Key, value and its valid range.
    pub fn validate(&self, name: &str) -> Result<(), String> {
        check_fraction(name, self.validation_fraction)?;
        check_drawn(name, [("pairs", self.pairs), ("validation_pairs", self.validation_pairs)])?;
        self.corpus.validate().map_err(|error| format!("{name}: {error}"))
    }
}

/// Prompts that a policy answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptData {
    /// Files and folders of prompts; none: those of the embedded corpus.
    pub data: Vec<String>,
    /// The share of the prompts in `data` that is held out.
    pub validation_fraction: f64,
    /// Number of training prompts of the embedded corpus.
    pub prompts: usize,
    /// Most held-out prompts.
    pub held_out: usize,
    /// Topics of the embedded corpus' prompts.
    pub corpus: PromptConfig,
    /// Reward of answers.
    pub rewards: RewardWeights,
}

impl Default for PromptData {
    fn default() -> Self {
        Self {
            data: vec![],
            validation_fraction: 0.1,
            prompts: 2000,
            held_out: 128,
            corpus: PromptConfig::default(),
            rewards: RewardWeights::default(),
        }
    }
}

impl PromptData {
    /// As [`ConversationData::validate`].
    ///
    /// # Errors
    /// Key, value and its valid range.
    pub fn validate(&self, name: &str) -> Result<(), String> {
        check_fraction(name, self.validation_fraction)?;
        check_drawn(name, [("prompts", self.prompts), ("held_out", self.held_out)])?;
        self.corpus.validate().map_err(|error| format!("{name}: {error}"))
    }

    /// The paths of its files, and of the reward model.
    pub fn paths(&mut self) -> Vec<&mut String> {
        self.data.iter_mut().chain(&mut self.rewards.model).collect()
    }
}

fn check_fraction(name: &str, fraction: f64) -> Result<(), String> {
    match (0.0..1.0).contains(&fraction) {
        true => Ok(()),
        false => Err(format!("{name}.validation_fraction = {fraction} must be 0 or more and less than 1")),
    }
}

/// The most examples that a stage draws from the embedded corpus: they are held in memory.
const MOST_DRAWN: usize = 2_000_000;

/// Refuses more examples of the embedded corpus than memory holds; each number with its key.
fn check_drawn(name: &str, counts: [(&str, usize); 2]) -> Result<(), String> {
    match counts.into_iter().find(|&(_, count)| count > MOST_DRAWN) {
        None => Ok(()),
        Some((key, count)) => {
            Err(format!("{name}.{key} = {count}: at most {MOST_DRAWN} examples are drawn from the embedded corpus"))
        }
    }
}

/// Trained part of a model: adapters, or all weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adapters {
    /// Low-rank adapters to train instead of the weights themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
}
