//! The examples that stages learn from, as keys of their sections, and the keys of what is trained.

use fireclay_corpus::{ConversationConfig, PromptConfig};
use fireclay_model::LoraConfig;
use serde::{Deserialize, Serialize};

/// Which conversations a model is fine-tuned on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConversationData {
    /// Files and folders of conversations; none: those of the embedded corpus.
    pub data: Vec<String>,
    /// The share of the conversations in `data` that is kept for validation.
    pub validation_fraction: f64,
    /// How many conversations of the embedded corpus are learned.
    pub conversations: usize,
    /// How many others of it are kept for validation.
    pub validation_conversations: usize,
    /// What the embedded corpus' conversations are about.
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
    /// Refuses what cannot be read; `name` is the section's name.
    ///
    /// # Errors
    /// Key, value and what it must be.
    pub fn validate(&self, name: &str) -> Result<(), String> {
        check_fraction(name, self.validation_fraction)?;
        check_drawn(
            name,
            [("conversations", self.conversations), ("validation_conversations", self.validation_conversations)],
        )?;
        self.corpus.validate().map_err(|error| format!("{name}: {error}"))
    }
}

/// Which preferences a model learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreferenceData {
    /// Files and folders of preferences; none: those of the embedded corpus.
    pub data: Vec<String>,
    /// The share of the prompts in `data` that is kept for validation.
    pub validation_fraction: f64,
    /// How many pairs of the embedded corpus are learned.
    pub pairs: usize,
    /// How many others of it are kept for validation.
    pub validation_pairs: usize,
    /// What the embedded corpus' pairs are about.
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
    /// Key, value and what it must be.
    pub fn validate(&self, name: &str) -> Result<(), String> {
        check_fraction(name, self.validation_fraction)?;
        check_drawn(name, [("pairs", self.pairs), ("validation_pairs", self.validation_pairs)])?;
        self.corpus.validate().map_err(|error| format!("{name}: {error}"))
    }
}

/// Which prompts a policy answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptData {
    /// Files and folders of prompts; none: those of the embedded corpus.
    pub data: Vec<String>,
    /// The share of the prompts in `data` that is held out.
    pub validation_fraction: f64,
    /// How many prompts of the embedded corpus are learned from.
    pub prompts: usize,
    /// How many prompts, at most, are held out.
    pub held_out: usize,
    /// What the embedded corpus' prompts are about.
    pub corpus: PromptConfig,
    /// What answers are worth.
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
    /// Key, value and what it must be.
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

/// What of a model is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adapters {
    /// Low-rank adapters to train instead of the weights themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
}

/// What counts how much in the worth of an answer; 0: not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardWeights {
    /// The reward model's opinion.
    pub learned: f64,
    /// A reward model other than that of this run's stage `reward`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// 1 for a right answer.
    pub correct: f64,
    /// −1 for an answer that does not end by itself.
    pub unfinished: f64,
    /// Minus the share of repeated runs of `repetition_run` tokens.
    pub repetition: f64,
    /// Tokens in such a run.
    pub repetition_run: usize,
    /// −1 for every `most_tokens` tokens over `most_tokens`.
    pub length: f64,
    /// Tokens that cost nothing.
    pub most_tokens: usize,
}

impl Default for RewardWeights {
    fn default() -> Self {
        Self {
            learned: 1.0,
            model: None,
            correct: 0.0,
            unfinished: 0.0,
            repetition: 0.0,
            repetition_run: 4,
            length: 0.0,
            most_tokens: 128,
        }
    }
}
