//! The training loop of every policy-gradient stage: sample, judge, learn.
//!
//! [`reinforce`](crate::reinforce), [`rloo`](crate::rloo), [`ppo`](crate::ppo) and [`grpo`](crate::grpo) each implement
//! [`PolicyGradient`] in one file: the updates from the judged answers.

use std::time::Instant;

use fireclay_data::Source;
use fireclay_data::chat::EncodedTask;
use fireclay_model::{ActivationCheckpoints, Decoder};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::metrics::names::{self, validation};
use fireclay_train::{
    Exam, Measured, Outcome, Sample, Session, StageRun, StepMetrics, StepTaken, TrainConfig, TrainError, Trainable,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::rewards::{Reward, add_rewards};
use crate::rollout::{Group, RolloutConfig, RolloutStatistics, add_reference_logprobs, greedy, rollout};
use crate::watch::Watch;

/// A policy-gradient algorithm.
pub trait PolicyGradient<M: Trainable> {
    /// Its settings, as JSON: a stage is only resumed with those it began with.
    fn settings(&self) -> Value;

    /// The part of the model that answers.
    fn policy<'m>(&self, model: &'m M) -> &'m Decoder;

    /// Learns from judged answers of the policy.
    ///
    /// # Errors
    /// When pretraining data for the loss cannot be read.
    fn learn(
        &mut self,
        model: M,
        optimizers: &mut M::Optimizers,
        groups: &[Group],
        context: StepContext<'_>,
    ) -> Result<(M, UpdateStats), TrainError>;

    /// Its state beside weights and moments.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Restores the state that [`state`](Self::state) returned.
    ///
    /// # Errors
    /// When the value is not such a state.
    fn restore_state(&mut self, _state: &Value) -> Result<(), TrainError> {
        Ok(())
    }
}

/// The step in which an algorithm learns.
#[derive(Clone, Copy, Debug)]
pub struct StepContext<'a> {
    /// The step, from 1.
    pub step: u64,
    /// Its learning rate as a fraction of the peak, by the schedule.
    pub rate: f64,
    /// Configuration of training.
    pub config: &'a TrainConfig,
    /// The temperature of log-probabilities.
    pub temperature: f64,
    /// The kept inputs of the model's blocks, if it has activation checkpointing.
    pub checkpoints: Option<&'a ActivationCheckpoints>,
}

impl StepContext<'_> {
    /// The policy's learning rate in this step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.rate * self.config.learning_rate
    }
}

/// Figures of the updates of a step.
#[derive(Clone, Debug, Default)]
pub struct UpdateStats {
    /// Numbers for the log: entropy, clip fraction and the like.
    pub metrics: Vec<(&'static str, f64)>,
    /// Number of updates skipped because a loss or a gradient was not finite.
    pub skipped: u64,
    /// Global norm of the policy's gradient, a mean over the updates; `None` where the policy was not updated.
    pub grad_norm: Option<f64>,
    /// The policy's loss, a mean over the updates; `None` where the policy was not updated.
    pub loss: Option<f64>,
}

/// Arguments of [`online`] beside model and algorithm.
pub struct Online<'a> {
    /// Settings, folder, interrupt; `config.batch` is the number of prompts of a step.
    pub run: StageRun<'a>,
    /// Configuration of rollouts.
    pub rollouts: &'a RolloutConfig,
    /// The reference: the starting policy, without gradients.
    pub reference: &'a Decoder,
    /// Reward of answers.
    pub reward: &'a dyn Reward,
    /// Prompts, `config.batch` at a time.
    pub source: &'a mut dyn Source<Vec<EncodedTask>>,
    /// Prompts that are never learned from.
    pub held_out: &'a [EncodedTask],
    /// Selects the best checkpoint; `None`: none is marked.
    pub battery: Option<&'a dyn Exam<Decoder>>,
}

/// Number of dialogues stored as samples at each evaluation.
const SAMPLES: usize = 8;
const SHOWS: [&str; 7] = [
    names::REWARD_MEAN,
    names::KL,
    names::RATIO_ERROR,
    names::ENTROPY,
    names::RESPONSE_LENGTH,
    names::FINISHED,
    names::BATTERY,
];

/// Trains `model` for `config.steps` steps, or resumes from the newest checkpoint of the stage. Resuming is exact, as
/// for [`fit`](fireclay_train::fit()): prompts and random numbers depend only on seed and step, so that an interrupted
/// step is repeated identically.
///
/// # Errors
/// [`TrainError`] when settings do not fit the checkpoint, a prompt does not fit the model, or the disk fails.
pub fn online<M: Trainable>(
    model: M,
    algorithm: &mut dyn PolicyGradient<M>,
    online: Online<'_>,
) -> Result<Outcome, TrainError> {
    let Online { mut run, rollouts, reference, reward, source, held_out, battery } = online;
    let (config, tokenizer) = (run.config, run.tokenizer);
    rollouts.validate()?;
    run.settings = settings(algorithm.settings(), rollouts, run.settings);
    let held_out = HeldOut { prompts: held_out, tokenizer, rollouts, seed: config.seed, reward, reference, battery };
    let (mut session, mut model) = Session::begin(run, model, source, &SHOWS)?;
    // Rounded as the policy is, so that the two are equal before the first step.
    let reference = reference.clone().with_precision(config.precision);
    let checkpoints = session.activation_checkpoints().cloned();
    let mut watch = Watch::default();

    if session.is_new() {
        log_start(&mut session, algorithm, &model.valid(), &held_out)?;
    } else {
        algorithm.restore_state(&session.state.algorithm_state)?;
    }

    while let Some(step) = session.next_step() {
        // Sample: the policy completes this step's prompts.
        let mut time = Stopwatch::default();
        let tasks = source.next_batch()?;
        let valid = model.valid();
        let mut groups = rollout(algorithm.policy(&valid), &tasks, tokenizer, rollouts, config.seed, step)?;
        time.lap("generating");

        // Judge: the reward, and log-probabilities under the reference for the KL.
        add_rewards(&mut groups, reward)?;
        add_reference_logprobs(&mut groups, &reference, rollouts.temperature, rollouts.scoring())?;
        time.lap("scoring");
        drop(valid);

        // Learn.
        let context = StepContext {
            step,
            rate: config.learning_rate_at(step) / config.learning_rate,
            config,
            temperature: rollouts.temperature,
            checkpoints: checkpoints.as_ref(),
        };
        let (learnt, stats) = algorithm.learn(model, &mut session.optimizers, &groups, context)?;
        model = learnt;
        time.lap("learning");
        let (tokens, position) = (groups.iter().map(Group::tokens).sum(), source.position());
        let line = session.advance(StepTaken { tokens, seconds: time.total(), skipped: stats.skipped, position });
        session.state.algorithm_state = algorithm.state();

        // Evaluate and log.
        let numbers = step_numbers(&groups, &stats, &time);
        watch.look(step, &numbers, rollouts.max_tokens);
        let mut measured = None;
        if session.due(config.eval_every) {
            let (found, samples) = held_out.measure(algorithm.policy(&model.valid()), step)?;
            session.log_samples(&samples)?;
            measured = Some(found);
        }
        let UpdateStats { loss, grad_norm, .. } = stats;
        session.log(StepMetrics { loss, grad_norm, extra: numbers.into_iter().collect(), ..line }, measured)?;

        // Save.
        if session.save_due() {
            session.save(&model.valid())?;
        }
    }

    let evaluate = |step| Ok(held_out.evaluate(algorithm.policy(&model.valid()), step)?.0);
    session.end(battery, evaluate, || Ok(model.valid()))
}

/// Evaluates, logs and saves the model that the stage begins with: it may be the best of the stage.
fn log_start<M: Trainable>(
    session: &mut Session<M>,
    algorithm: &dyn PolicyGradient<M>,
    model: &M,
    held_out: &HeldOut,
) -> Result<(), TrainError> {
    session.state.algorithm_state = algorithm.state();
    let (measured, samples) = held_out.measure(algorithm.policy(model), 0)?;
    session.log_samples(&samples)?;
    session.log(StepMetrics::default(), Some(measured))?;
    if session.save_due() {
        session.save(model)?;
    }
    Ok(())
}

/// Numbers of a step for the log: of its answers, of the updates, and of its time.
fn step_numbers(groups: &[Group], stats: &UpdateStats, time: &Stopwatch) -> Vec<(String, f64)> {
    let mut numbers = RolloutStatistics::of(groups).named("");
    numbers.extend(stats.metrics.iter().map(|&(name, value)| (name.to_owned(), value)));
    numbers.extend(time.shares());
    numbers
}

/// An algorithm's state as it was saved.
///
/// # Errors
/// [`TrainError::Damaged`] when the `algorithm` did not write it.
pub(crate) fn restored<T: DeserializeOwned>(state: &Value, algorithm: &str) -> Result<T, TrainError> {
    serde_json::from_value(state.clone()).map_err(|error| TrainError::Damaged {
        file: "trainer/state.json".into(),
        problem: format!("not what {algorithm} wrote ({error})"),
        remedy: "delete the newest checkpoint to resume from the one before".into(),
    })
}

/// Settings that must not change when a stage is resumed: the algorithm's, the rollouts', and those of the stage
/// itself.
fn settings(algorithm: Value, rollouts: &RolloutConfig, own: Value) -> Value {
    let mut all = serde_json::Map::new();
    let rollouts = serde_json::to_value(rollouts).expect("settings are JSON");
    for part in [algorithm, rollouts, own] {
        let Value::Object(part) = part else { continue };
        for (key, value) in part {
            assert!(!all.contains_key(&key), "two settings are named {key}");
            all.insert(key, value);
        }
    }
    all.retain(|key, _| !RolloutConfig::is_free(key));
    Value::Object(all)
}

/// The seconds of a step's parts.
struct Stopwatch {
    started: Instant,
    laps: Vec<(&'static str, f64)>,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { started: Instant::now(), laps: vec![] }
    }
}

impl Stopwatch {
    /// Ends a part of the step.
    fn lap(&mut self, name: &'static str) {
        let seconds = self.started.elapsed().as_secs_f64() - self.total();
        self.laps.push((name, seconds));
    }

    /// Seconds of all parts.
    fn total(&self) -> f64 {
        self.laps.iter().map(|(_, seconds)| seconds).sum()
    }

    /// Each part's share of the whole, as `time_NAME`.
    fn shares(&self) -> impl Iterator<Item = (String, f64)> {
        let total = self.total().max(1e-9);
        self.laps.iter().map(move |(name, seconds)| (format!("time_{name}"), seconds / total))
    }
}

/// The prompts that the policy is evaluated on.
struct HeldOut<'a> {
    prompts: &'a [EncodedTask],
    tokenizer: &'a Tokenizer,
    rollouts: &'a RolloutConfig,
    seed: u64,
    reward: &'a dyn Reward,
    reference: &'a Decoder,
    battery: Option<&'a dyn Exam<Decoder>>,
}

impl HeldOut<'_> {
    /// Evaluates the policy, without gradients, and runs its battery.
    fn measure(&self, policy: &Decoder, step: u64) -> Result<(Measured, Vec<Sample>), TrainError> {
        let (measured, samples) = self.evaluate(policy, step)?;
        let examined = self.battery.map(|battery| battery.examine(policy, step)).transpose()?;
        Ok((measured.with_exam(examined), samples))
    }

    /// Statistics of the policy's answers, without gradients, to the held-out prompts, sampled and greedy, and some of
    /// the dialogues.
    fn evaluate(&self, policy: &Decoder, step: u64) -> Result<(Measured, Vec<Sample>), TrainError> {
        if self.prompts.is_empty() {
            return Ok((Measured::default(), vec![]));
        }
        let single = RolloutConfig { group_size: 1, ..self.rollouts.clone() };
        // The same random numbers each time, from a seed that training does not use.
        let mut drawn = rollout(policy, self.prompts, self.tokenizer, &single, !self.seed, 0)?;
        add_rewards(&mut drawn, self.reward)?;
        add_reference_logprobs(&mut drawn, self.reference, single.temperature, single.scoring())?;
        let mut best = greedy(policy, self.prompts, self.tokenizer, &single)?;
        add_rewards(&mut best, self.reward)?;

        let mut numbers = RolloutStatistics::of(&drawn).named(names::VALIDATION);
        let greedy = RolloutStatistics::of(&best);
        let greedy = [
            (names::REWARD_MEAN, Some(greedy.reward_mean)),
            (names::CORRECT, greedy.correct),
            (names::EXACT, greedy.exact),
        ];
        let named = |name| validation(&format!("greedy_{name}"));
        numbers.extend(greedy.into_iter().filter_map(|(name, value)| Some((named(name), value?))));
        let samples = drawn.iter().take(SAMPLES).map(|group| sample(group, step)).collect();
        Ok((Measured::numbers(numbers), samples))
    }
}

/// A dialogue as a sample: the earlier turns, one per line, and the answer.
pub(crate) fn sample(group: &Group, step: u64) -> Sample {
    let turns = group.task.messages.iter().map(|message| format!("{}: {}", message.role, message.content));
    let text = group.trajectories.first().map_or_else(String::new, |trajectory| trajectory.text.clone());
    Sample { step, prompt: turns.collect::<Vec<_>>().join("\n"), text }
}
