//! Rollouts: a policy's answers as plain data.

use burn::tensor::Device;
use fireclay_data::chat::EncodedTask;
use fireclay_data::examples::Task;
use fireclay_infer::{
    Completion, Engine, EngineConfig, FinishReason, InferError, SamplingConfig, ScoreLimits, completion_logprobs,
};
use fireclay_model::{Decoder, DecoderConfig, InferenceDecoder, Precision};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::TrainError;
use fireclay_train::metrics::names;
use serde::{Deserialize, Serialize};

use crate::completions::Sequences;
use crate::numbers::positive;

/// Configuration of rollouts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutConfig {
    /// Number of completions of each prompt.
    pub group_size: usize,
    /// Most tokens in a completion.
    pub max_tokens: usize,
    /// The sampling temperature, which also applies to log-probabilities.
    pub temperature: f64,
    /// Largest number of completions that are generated at once.
    pub rollout_batch: usize,
    /// Largest memory, in MiB, for keys and values during generation, and then for scoring by the reference. With less,
    /// fewer completions are generated or scored at once; they stay the same.
    pub cache_mib: usize,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self { group_size: 1, max_tokens: 64, temperature: 1.0, rollout_batch: 256, cache_mib: 1024 }
    }
}

impl RolloutConfig {
    /// Checks that every number is possible.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is not.
    pub fn validate(&self) -> Result<(), TrainError> {
        for (key, value) in [
            ("group_size", self.group_size),
            ("max_tokens", self.max_tokens),
            ("rollout_batch", self.rollout_batch),
            ("cache_mib", self.cache_mib),
        ] {
            if value == 0 {
                return Err(TrainError::Config { key, value: "0".into(), expected: "1 or more" });
            }
        }
        positive("temperature", self.temperature)
    }
}

impl RolloutConfig {
    /// Limits of the engine that generates `completions` completions.
    #[must_use]
    pub fn engine(&self, completions: usize) -> EngineConfig {
        let streams = self.rollout_batch.min(completions.max(1));
        EngineConfig { memory: self.cache_bytes(), streams, ..EngineConfig::default() }
    }

    /// Limits of the reference's scoring batches.
    #[must_use]
    pub fn scoring(&self) -> ScoreLimits {
        ScoreLimits { rows: self.rollout_batch, memory: self.cache_bytes() }
    }

    /// Memory of sampling `answers` answers in a step and of scoring them, each of at most `tokens` tokens with its
    /// prompt.
    #[must_use]
    pub fn memory(&self, decoder: &DecoderConfig, answers: usize, tokens: usize) -> RolloutMemory {
        let engine = self.engine(answers);
        RolloutMemory {
            kv_cache: Engine::cache_bytes(decoder, Precision::F32, &engine) as u64,
            streams: engine.streams,
            scoring: self.scoring().bytes(decoder, answers, tokens.min(decoder.context)) as u64,
        }
    }

    /// Whether the key of this name may change when a stage is resumed: the number of answers drawn at once, and the
    /// memory for them, affect only speed.
    #[must_use]
    pub fn is_free(key: &str) -> bool {
        matches!(key, "rollout_batch" | "cache_mib")
    }

    fn cache_bytes(&self) -> usize {
        self.cache_mib.saturating_mul(1 << 20)
    }
}

/// Memory of a stage during sampling, in bytes, without the weights; the gradients' memory is free then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutMemory {
    /// Keys and values: allocated for a step's answers, and never exceeded.
    pub kv_cache: u64,
    /// Largest number of answers that are generated at once.
    pub streams: usize,
    /// The forward pass of the reference over these answers.
    pub scoring: u64,
}

/// A prompt and one completion of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trajectory {
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
    /// The completion's tokens, including the one that ends it.
    pub completion: Vec<u32>,
    /// log π of each token of the completion under the policy that drew it.
    pub logprobs: Vec<f32>,
    /// log π of each token under the reference.
    pub reference_logprobs: Vec<f32>,
    /// The completion as text, without the token that ends it.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Its reward.
    pub reward: f64,
}

/// The completions of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The prompt.
    pub task: Task,
    /// The answers.
    pub trajectories: Vec<Trajectory>,
}

impl Trajectory {
    /// Whether it ended by itself.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.finish_reason == FinishReason::Stop
    }

    /// An estimate of KL(π ‖ reference) of the whole completion: `Σ log π − log reference`, nats.
    #[must_use]
    pub fn kl(&self) -> f64 {
        self.logprobs.iter().zip(&self.reference_logprobs).map(|(p, r)| f64::from(*p) - f64::from(*r)).sum()
    }
}

impl Group {
    /// Tokens of all prompts and completions, a prompt counting with each of its completions.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        let tokens = |trajectory: &Trajectory| (trajectory.prompt.len() + trajectory.completion.len()) as u64;
        self.trajectories.iter().map(tokens).sum()
    }
}

/// Prompt and completion of each trajectory as one sequence, in the given order.
#[must_use]
pub fn sequences<'a>(trajectories: impl IntoIterator<Item = &'a Trajectory>) -> Sequences {
    let sequence = |t: &Trajectory| ([&t.prompt[..], &t.completion[..]].concat(), t.prompt.len());
    Sequences::new(trajectories.into_iter().map(sequence))
}

/// Draws `config.group_size` completions of each task. `seed` and `stream` select the random numbers: equal ones give
/// the same completions. Rewards and reference log-probabilities are filled in later.
///
/// # Errors
/// [`TrainError::Infer`] when a prompt does not fit the context or logits are not finite.
///
/// # Panics
/// When the policy tracks gradients.
pub fn rollout(
    policy: impl Into<InferenceDecoder>,
    tasks: &[EncodedTask],
    tokenizer: &Tokenizer,
    config: &RolloutConfig,
    seed: u64,
    stream: u64,
) -> Result<Vec<Group>, TrainError> {
    // One stream per completion, so that its result depends neither on the others nor on the batch size.
    let first = stream.wrapping_mul((tasks.len() * config.group_size) as u64);
    let sampling = SamplingConfig {
        temperature: config.temperature as f32,
        max_tokens: config.max_tokens,
        seed,
        stream: first,
        ..SamplingConfig::default()
    };
    answers(policy, tasks, tokenizer, sampling, config)
}

/// The most probable completion of each task.
///
/// # Errors
/// As [`rollout`].
///
/// # Panics
/// As [`rollout`].
pub fn greedy(
    policy: impl Into<InferenceDecoder>,
    tasks: &[EncodedTask],
    tokenizer: &Tokenizer,
    config: &RolloutConfig,
) -> Result<Vec<Group>, TrainError> {
    let single = RolloutConfig { group_size: 1, ..config.clone() };
    answers(policy, tasks, tokenizer, SamplingConfig::greedy(config.max_tokens), &single)
}

/// `config.group_size` completions of each task, drawn with `sampling` and ended by the tokenizer's stop tokens.
///
/// # Errors
/// As [`rollout`].
///
/// # Panics
/// As [`rollout`].
pub fn answers(
    policy: impl Into<InferenceDecoder>,
    tasks: &[EncodedTask],
    tokenizer: &Tokenizer,
    sampling: SamplingConfig,
    config: &RolloutConfig,
) -> Result<Vec<Group>, TrainError> {
    let stop = tokenizer.stop_ids().into_iter().map(|id| vec![id]).collect();
    let sampling = SamplingConfig { stop, ..sampling };
    let prompts: Vec<Vec<u32>> =
        tasks.iter().flat_map(|task| std::iter::repeat_n(task.prompt.clone(), config.group_size)).collect();
    let trajectories = generate(policy.into(), &prompts, tokenizer, &sampling, config)?;
    Ok(group(tasks, trajectories, config.group_size))
}

fn group(tasks: &[EncodedTask], trajectories: Vec<Trajectory>, size: usize) -> Vec<Group> {
    let mut trajectories = trajectories.into_iter();
    let group = |task: &EncodedTask| Group {
        task: task.task.clone(),
        trajectories: trajectories.by_ref().take(size).collect(),
    };
    tasks.iter().map(group).collect()
}

fn generate(
    policy: InferenceDecoder,
    prompts: &[Vec<u32>],
    tokenizer: &Tokenizer,
    sampling: &SamplingConfig,
    config: &RolloutConfig,
) -> Result<Vec<Trajectory>, InferError> {
    let completions = Engine::new(policy, config.engine(prompts.len()))?.complete_all(prompts, sampling)?;
    let trajectory = |(prompt, completion): (&Vec<u32>, Completion)| Trajectory {
        prompt: prompt.clone(),
        text: tokenizer.decode(completion.ids_before_stop()),
        completion: completion.ids,
        logprobs: completion.sampling_logprobs,
        reference_logprobs: vec![],
        finish_reason: completion.finish_reason,
        reward: 0.0,
    };
    Ok(prompts.iter().zip(completions).map(trajectory).collect())
}

/// Fills in the log-probabilities of every trajectory under `reference`.
///
/// # Errors
/// [`InferError::NotFinite`] when one is not finite.
pub fn add_reference_logprobs(
    groups: &mut [Group],
    reference: &Decoder,
    temperature: f64,
    limits: ScoreLimits,
) -> Result<(), InferError> {
    let all = || groups.iter().flat_map(|group| &group.trajectories);
    let scores = completion_logprobs(reference, sequences(all()).as_slice(), temperature, limits)?;
    let trajectories = groups.iter_mut().flat_map(|group| &mut group.trajectories);
    trajectories.zip(scores).for_each(|(trajectory, scores)| trajectory.reference_logprobs = scores);
    Ok(())
}

/// The largest |ratio − 1| over all tokens, where the ratio is their probability under `policy` divided by that at
/// sampling time: 0, up to rounding, if `policy` is the one that drew them.
///
/// # Errors
/// [`InferError::NotFinite`] when a probability is not finite.
pub fn largest_ratio_error(policy: &Decoder, groups: &[Group], temperature: f64) -> Result<f64, InferError> {
    let trajectories = || groups.iter().flat_map(|group| &group.trajectories);
    let scores =
        completion_logprobs(policy, sequences(trajectories()).as_slice(), temperature, ScoreLimits::default())?;
    let errors = trajectories().zip(&scores).flat_map(|(trajectory, scores)| {
        let pairs = scores.iter().zip(&trajectory.logprobs);
        pairs.map(|(now, then)| ((f64::from(*now) - f64::from(*then)).exp() - 1.0).abs())
    });
    Ok(errors.fold(0.0, f64::max))
}

/// Statistics of a rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RolloutStatistics {
    /// Mean of the rewards.
    pub reward_mean: f64,
    /// Their standard deviation.
    pub reward_std: f64,
    /// Mean KL to the reference, nats a completion.
    pub kl: f64,
    /// Mean number of tokens in a completion.
    pub response_length: f64,
    /// The share of completions that ended by themselves.
    pub finished: f64,
    /// The share of right answers among those that can be checked; `None` where none can.
    pub correct: Option<f64>,
    /// The share of these answers that equal the reference answer word by word; `None` if no task has one.
    pub exact: Option<f64>,
}

impl RolloutStatistics {
    /// Statistics of all completions of some groups.
    #[must_use]
    pub fn of(groups: &[Group]) -> Self {
        let all = || groups.iter().flat_map(|group| group.trajectories.iter().map(move |t| (&group.task, t)));
        let count = all().count().max(1) as f64;
        let mean = |value: &dyn Fn(&Trajectory) -> f64| all().map(|(_, t)| value(t)).sum::<f64>() / count;
        let (reward_mean, variance) = crate::advantages::mean_and_variance(all().map(|(_, t)| t.reward));
        let share = |judged: Vec<bool>| {
            (!judged.is_empty()).then(|| judged.iter().filter(|&&good| good).count() as f64 / judged.len() as f64)
        };
        Self {
            reward_mean,
            reward_std: variance.sqrt(),
            kl: mean(&Trajectory::kl),
            response_length: mean(&|t| t.completion.len() as f64),
            finished: mean(&|t| f64::from(u8::from(t.finished()))),
            correct: share(all().filter_map(|(task, t)| task.check.is_right(&t.text)).collect()),
            exact: share(
                all()
                    .filter(|(task, t)| task.check.is_right(&t.text).is_some())
                    .filter_map(|(task, t)| Some(task.reference.as_ref()?.trim() == t.text.trim()))
                    .collect(),
            ),
        }
    }

    /// The metrics by name, with `prefix` before each name.
    #[must_use]
    pub fn named(&self, prefix: &str) -> Vec<(String, f64)> {
        let numbers = [
            (names::REWARD_MEAN, Some(self.reward_mean)),
            (names::REWARD_STD, Some(self.reward_std)),
            (names::KL, Some(self.kl)),
            (names::RESPONSE_LENGTH, Some(self.response_length)),
            (names::FINISHED, Some(self.finished)),
            (names::CORRECT, self.correct),
            (names::EXACT, self.exact),
        ];
        numbers.into_iter().filter_map(|(name, value)| Some((format!("{prefix}{name}"), value?))).collect()
    }
}

/// Per-token numbers of some trajectories as a tensor, 0 after a completion's end. `[B, C]`
pub(crate) fn token_tensor(
    trajectories: &[&Trajectory],
    sequences: &Sequences,
    value: impl Fn(&Trajectory, usize) -> f32,
    device: &Device,
) -> burn::tensor::Tensor<2> {
    sequences.per_token(|b, c| value(trajectories[b], c), device)
}
