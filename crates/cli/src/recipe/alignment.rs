//! The sections of the stages that make an assistant of a language model.

use fireclay_data::corpus::{ConversationConfig, PromptConfig};
use fireclay_model::LoraConfig;
use fireclay_rlhf::{
    DpoConfig, GrpoConfig, KtoConfig, PpoConfig, ReinforceConfig, RewardConfig, RlooConfig, RolloutConfig,
};
use fireclay_train::{Schedule, TrainConfig, TrainError};
use serde::{Deserialize, Serialize};

use super::Stage;
use super::parts::section;

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

/// What a stage that fine-tunes trains with where the recipe is silent.
fn fine_tuning(learning_rate: f64, steps: u64, batch: usize) -> TrainConfig {
    TrainConfig {
        steps,
        batch,
        learning_rate,
        warmup_steps: steps / 20,
        weight_decay: 0.0,
        schedule: Schedule::Cosine,
        eval_every: steps / 4,
        sample_every: steps / 2,
        checkpoint_every: steps / 4,
        ..TrainConfig::default()
    }
}

/// Defines a stage's section: the training keys, its data, its algorithm.
macro_rules! stage_section {
    ($(#[$doc:meta])* $name:ident: $data:ty, { $($part:ident: $kind:ty),* }, $train:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct $name {
            /// How it trains.
            #[serde(flatten)]
            pub train: TrainConfig,
            $(
                #[allow(missing_docs, reason = "the type says what it is")]
                #[serde(flatten)]
                pub $part: $kind,
            )*
            /// What it learns from.
            #[serde(flatten)]
            pub data: $data,
        }

        impl Default for $name {
            fn default() -> Self {
                Self { train: $train, $($part: <$kind>::default(),)* data: <$data>::default() }
            }
        }

        section!($name { train, $($part,)* data });
    };
}

stage_section!(
    /// `[sft]`
    SftSection: ConversationData, { adapters: Adapters }, fine_tuning(1e-4, 500, 8)
);
stage_section!(
    /// `[reward]`
    RewardSection: PreferenceData, { loss: RewardConfig }, fine_tuning(5e-5, 200, 16)
);
stage_section!(
    /// `[dpo]`
    DpoSection: PreferenceData, { algorithm: DpoConfig, adapters: Adapters }, fine_tuning(1e-5, 200, 8)
);
stage_section!(
    /// `[kto]`
    KtoSection: PreferenceData, { algorithm: KtoConfig, adapters: Adapters }, fine_tuning(1e-5, 200, 16)
);
stage_section!(
    /// `[reinforce]`
    ReinforceSection: PromptData, { algorithm: ReinforceConfig, rollouts: RolloutConfig, adapters: Adapters }, fine_tuning(1e-5, 100, 32)
);
stage_section!(
    /// `[rloo]`
    RlooSection: PromptData, { algorithm: RlooConfig, rollouts: RolloutConfig, adapters: Adapters }, fine_tuning(1e-5, 100, 16)
);
stage_section!(
    /// `[ppo]`
    PpoSection: PromptData, { algorithm: PpoConfig, rollouts: RolloutConfig, adapters: Adapters }, fine_tuning(1e-5, 100, 32)
);
stage_section!(
    /// `[grpo]`
    GrpoSection: PromptData, { algorithm: GrpoConfig, rollouts: RolloutConfig, adapters: Adapters }, fine_tuning(1e-5, 100, 16)
);

/// The most examples that a stage draws from the embedded corpus: they are held in memory.
const MOST_DRAWN: usize = 2_000_000;

/// How many examples each stage draws from the embedded corpus, by key.
fn drawn(recipe: &super::Recipe) -> Vec<(String, usize)> {
    let sft = &recipe.sft.data;
    let mut counts = vec![
        ("sft.conversations".to_owned(), sft.conversations),
        ("sft.validation_conversations".to_owned(), sft.validation_conversations),
    ];
    for (stage, data) in [("reward", &recipe.reward.data), ("dpo", &recipe.dpo.data), ("kto", &recipe.kto.data)] {
        counts.push((format!("{stage}.pairs"), data.pairs));
        counts.push((format!("{stage}.validation_pairs"), data.validation_pairs));
    }
    for stage in [Stage::Reinforce, Stage::Rloo, Stage::Ppo, Stage::Grpo] {
        let data = recipe.prompt_data(stage);
        counts.push((format!("{}.prompts", stage.name()), data.prompts));
        counts.push((format!("{}.held_out", stage.name()), data.held_out));
    }
    counts
}

/// Refuses numbers that a stage's section cannot have; `stage` is its name.
///
/// # Errors
/// Key, value and what it must be.
pub(super) fn validate(recipe: &super::Recipe) -> Result<(), String> {
    let named = |stage: &str, result: Result<(), TrainError>| result.map_err(|error| format!("{stage}.{error}"));
    for (stage, train) in recipe.training() {
        named(stage.name(), train.validate())?;
    }
    for (key, count) in drawn(recipe) {
        if count > MOST_DRAWN {
            return Err(format!("{key} = {count}: at most {MOST_DRAWN} examples are drawn from the embedded corpus"));
        }
    }
    for (stage, rollouts) in [
        ("reinforce", &recipe.reinforce.rollouts),
        ("rloo", &recipe.rloo.rollouts),
        ("ppo", &recipe.ppo.rollouts),
        ("grpo", &recipe.grpo.rollouts),
    ] {
        named(stage, rollouts.validate())?;
        if rollouts.group_size == 1 && (stage == "rloo" || stage == "grpo") && recipe.runs(stage) {
            return Err(format!("{stage}.group_size = 1: {stage} compares answers to one prompt; give 2 or more"));
        }
    }
    for (stage, fraction) in [
        ("sft", recipe.sft.data.validation_fraction),
        ("reward", recipe.reward.data.validation_fraction),
        ("dpo", recipe.dpo.data.validation_fraction),
        ("kto", recipe.kto.data.validation_fraction),
        ("ppo", recipe.ppo.data.validation_fraction),
        ("grpo", recipe.grpo.data.validation_fraction),
        ("rloo", recipe.rloo.data.validation_fraction),
        ("reinforce", recipe.reinforce.data.validation_fraction),
    ] {
        if !(0.0..1.0).contains(&fraction) {
            return Err(format!("{stage}.validation_fraction = {fraction} must be 0 or more and less than 1"));
        }
    }
    for stage in [Stage::Reinforce, Stage::Rloo, Stage::Ppo, Stage::Grpo] {
        let (_, train) = recipe.training().into_iter().find(|(one, _)| *one == stage).expect("it trains");
        let name = stage.name();
        if train.accumulate != 1 {
            return Err(format!("{name}.accumulate = {}: set {name}.minibatch instead", train.accumulate));
        }
        if !train.train_biases {
            return Err(format!(
                "{name}.train_biases = false: only pretraining, sft, reward, dpo and kto can leave biases untrained"
            ));
        }
        recipe.prompt_data(stage).corpus.validate().map_err(|error| format!("{name}: {error}"))?;
    }
    recipe.sft.data.corpus.validate().map_err(|error| format!("sft: {error}"))?;
    for (stage, corpus) in
        [("reward", &recipe.reward.data.corpus), ("dpo", &recipe.dpo.data.corpus), ("kto", &recipe.kto.data.corpus)]
    {
        corpus.validate().map_err(|error| format!("{stage}: {error}"))?;
    }
    if recipe.kto.train.batch == 1 && recipe.runs("kto") {
        return Err("kto.batch = 1: kto compares a prompt with the answers to others; give 2 or more".into());
    }
    named("reward", recipe.reward.loss.validate())?;
    named("kto", recipe.kto.algorithm.validate())?;
    named("reinforce", recipe.reinforce.algorithm.validate())?;
    named("rloo", recipe.rloo.algorithm.validate())?;
    named("ppo", recipe.ppo.algorithm.validate())?;
    named("grpo", recipe.grpo.algorithm.validate())?;
    named("dpo", recipe.dpo.algorithm.validate())
}
