//! The loop that every policy-gradient stage runs: ask, judge, learn.
//!
//! What is learned from the judged answers is the algorithm's: [`reinforce`](crate::reinforce), [`rloo`](crate::rloo), [`ppo`](crate::ppo) and
//! [`grpo`](crate::grpo) each implement [`PolicyGradient`] in one file.

use std::time::Instant;

use fireclay_data::Source;
use fireclay_data::chat::EncodedTask;
use fireclay_model::{Checkpoints, Decoder};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::checkpoint::{self, Expected, Parts};
use fireclay_train::exam::{conclude, examine};
use fireclay_train::{
    Clock, Exam, Interrupt, Log, Optimizer, OptimizerConfig, Outcome, Progress, Sample, StageDir, StepMetrics, Summary,
    TrainConfig, TrainError, Trainable, TrainerState,
};
use serde_json::Value;

use crate::rewards::{Reward, add_rewards};
use crate::rollout::{Group, RolloutConfig, RolloutStatistics, add_reference_logprobs, greedy, rollout};
use crate::watch::Watch;

/// What makes one policy-gradient algorithm differ from another.
pub trait PolicyGradient<M: Trainable> {
    /// Its settings, as JSON: a stage is only resumed with those it began with.
    fn settings(&self) -> Value;

    /// The file names and numbers of its optimisers.
    fn optimizers(&self, config: &TrainConfig) -> Vec<(&'static str, OptimizerConfig)>;

    /// The part of the model that answers.
    fn policy<'m>(&self, model: &'m M) -> &'m Decoder;

    /// Learns from judged answers of the policy.
    ///
    /// # Errors
    /// When data that is mixed in cannot be read.
    fn learn(
        &mut self,
        model: M,
        optimizers: &mut [Optimizer],
        groups: &[Group],
        moment: Moment<'_>,
    ) -> Result<(M, Learned), TrainError>;

    /// What it carries from step to step beside weights and moments.
    fn memory(&self) -> Value {
        Value::Null
    }

    /// Takes up what [`memory`](Self::memory) gave.
    ///
    /// # Errors
    /// When that is not its memory.
    fn recall(&mut self, _memory: &Value) -> Result<(), TrainError> {
        Ok(())
    }
}

/// When and how strongly to learn.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The step, from 1.
    pub step: u64,
    /// Its learning rate as a share of the highest: the schedule's.
    pub rate: f64,
    /// How the stage trains.
    pub config: &'a TrainConfig,
    /// The temperature that log-probabilities are taken at.
    pub temperature: f64,
    /// What the model's blocks left for later, if it has activation checkpointing.
    pub checkpoints: Option<&'a Checkpoints>,
}

/// What came of learning.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// Numbers for the log: loss, entropy, clip fraction and the like.
    pub metrics: Vec<(&'static str, f64)>,
    /// Updates left out because a loss or a gradient was not finite.
    pub skipped: u64,
    /// Global norm of the policy's gradient, a mean over the updates.
    pub grad_norm: f64,
    /// The policy's loss, a mean over the updates.
    pub loss: f64,
}

/// What [`online`] needs beside model and algorithm.
pub struct Online<'a> {
    /// How to train; `batch` is the number of prompts of a step.
    pub config: &'a TrainConfig,
    /// How the policy is asked.
    pub rollouts: &'a RolloutConfig,
    /// What must not change when the stage is resumed, beside these and the algorithm's own numbers.
    pub settings: Value,
    /// What the policy began as, without gradients: it says how far the policy has gone.
    pub reference: &'a Decoder,
    /// What answers are worth.
    pub reward: &'a dyn Reward,
    /// Prompts, `config.batch` at a time.
    pub source: &'a mut dyn Source<Vec<EncodedTask>>,
    /// Prompts that are never learned from.
    pub held_out: &'a [EncodedTask],
    /// Decides which checkpoint is best; `None`: none is marked.
    pub battery: Option<&'a dyn Exam<Decoder>>,
    /// Turns answers into text; saved with every checkpoint.
    pub tokenizer: &'a Tokenizer,
    /// Where everything is written.
    pub stage: &'a mut StageDir,
    /// When to save and leave early.
    pub interrupt: &'a Interrupt,
    /// No progress line.
    pub quiet: bool,
}

/// Dialogues kept as samples at each evaluation.
const SAMPLES: usize = 8;
const SHOWS: [&str; 6] = ["reward_mean", "kl", "entropy", "response_length", "finished", "battery"];

/// Trains `model` for `config.steps` steps, or resumes from the newest checkpoint of the stage. Resuming is exact, as [`fit`](fireclay_train::fit())'s: what
/// is asked and what is drawn depend on seed and step alone, so that a step that was cut off anywhere is made again as it was.
///
/// # Errors
/// [`TrainError`] when settings do not fit the checkpoint, a prompt does not fit the model, or the disk fails.
#[allow(clippy::too_many_lines, reason = "the loop, from top to bottom")]
#[allow(clippy::needless_pass_by_value, reason = "a run is used up")]
pub fn online<M: Trainable>(
    model: M,
    algorithm: &mut dyn PolicyGradient<M>,
    run: Online<'_>,
) -> Result<Outcome, TrainError> {
    let config = run.config;
    config.validate()?;
    run.rollouts.validate()?;
    let device = model.device().autodiff();

    let settings = settings(algorithm, &run);
    let optimizer_configs = algorithm.optimizers(config);
    let expected = Expected { config, settings: &settings, tokenizer: run.tokenizer, optimizers: &optimizer_configs };
    let resumed = checkpoint::resume(run.stage, &expected, &model, &device)?;
    let from = resumed.as_ref().map(|resumed| resumed.state.step);
    let (model, mut optimizers, mut state) = if let Some(resumed) = resumed {
        run.source.seek(&resumed.state.position)?;
        algorithm.recall(&resumed.state.memory)?;
        (resumed.model, resumed.optimizers, resumed.state)
    } else {
        let optimizers = optimizer_configs.iter().map(|(_, config)| Optimizer::new(config.clone())).collect();
        let state =
            TrainerState { settings, memory: algorithm.memory(), ..TrainerState::new(config, run.source.position()) };
        (model.to_device(&device), optimizers, state)
    };
    let checkpoints = config.checkpoints();
    let mut model = model.train().with_precision(config.precision).with_checkpoints(checkpoints.clone());

    // Rounded as the policy is, so that the two are equal before the first step.
    let reference = run.reference.clone().with_precision(config.precision);

    let mut log = Log::open(run.stage, from, Progress::new(config.steps, state.step, &SHOWS, run.quiet))?;
    let mut watch = Watch::default();
    let clock = Clock::new(state.seconds);
    let mut saved = from;
    let mut last_evaluation = None;
    if from.is_none() {
        let valid = model.valid();
        let HeldOut { mut numbers, samples } = run.evaluate(algorithm.policy(&valid), 0)?;
        numbers.extend(examine(run.battery, algorithm.policy(&valid), &mut state)?);
        log.step(&StepMetrics { extra: numbers.iter().cloned().collect(), ..StepMetrics::default() })?;
        log.samples(&samples)?;
        last_evaluation = Some(numbers);
        if state.answers_best() {
            // What the stage begins with may be the best that it leaves.
            run.save(&valid, &optimizer_configs, &optimizers, &mut state)?;
            saved = Some(0);
        }
    }

    while state.step < config.steps && !run.interrupt.requested() {
        let step = state.step + 1;
        let due = |every: u64| step == config.steps || (every > 0 && step.is_multiple_of(every));
        let started = Instant::now();

        // Ask: the policy completes this step's prompts.
        let tasks = run.source.next_batch()?;
        let valid = model.valid();
        let mut groups = rollout(algorithm.policy(&valid), &tasks, run.tokenizer, run.rollouts, config.seed, step)?;
        let generating = started.elapsed().as_secs_f64();

        // Judge: the reward, and how far each answer is from what the reference would say.
        add_rewards(&mut groups, run.reward)?;
        add_reference_logprobs(&mut groups, &reference, run.rollouts.temperature, run.rollouts.rollout_batch);
        let scoring = started.elapsed().as_secs_f64() - generating;
        drop(valid);

        // Learn.
        let rate = config.learning_rate_at(step) / config.learning_rate;
        let (temperature, checkpoints) = (run.rollouts.temperature, checkpoints.as_ref());
        let moment = Moment { step, rate, config, temperature, checkpoints };
        let (learnt, learned) = algorithm.learn(model, &mut optimizers, &groups, moment)?;
        model = learnt;
        let elapsed = started.elapsed().as_secs_f64();
        let learning = elapsed - generating - scoring;
        let tokens: u64 = groups
            .iter()
            .flat_map(|group| &group.trajectories)
            .map(|trajectory| (trajectory.prompt.len() + trajectory.completion.len()) as u64)
            .sum();
        state.step = step;
        state.tokens += tokens;
        state.position = run.source.position();
        state.memory = algorithm.memory();
        state.skipped += learned.skipped;
        state.skipped_in_a_row = if learned.skipped > 0 { state.skipped_in_a_row + 1 } else { 0 };

        // Evaluate.
        let mut numbers = RolloutStatistics::of(&groups).named("");
        numbers.extend(learned.metrics.iter().map(|&(name, value)| (name.to_owned(), value)));
        let share = |seconds: f64| seconds / elapsed.max(1e-9);
        let shares = [("generating", generating), ("scoring", scoring), ("learning", learning)];
        numbers.extend(shares.map(|(name, seconds)| (format!("time_{name}"), share(seconds))));
        watch.look(step, &numbers, run.rollouts.max_tokens);
        state.battery = None;
        if due(config.eval_every) {
            let valid = model.valid();
            let mut found = run.evaluate(algorithm.policy(&valid), step)?;
            found.numbers.extend(examine(run.battery, algorithm.policy(&valid), &mut state)?);
            log.samples(&found.samples)?;
            numbers.extend(found.numbers.iter().cloned());
            last_evaluation = Some(found.numbers);
        }

        // Log.
        log.step(&StepMetrics {
            step,
            tokens: state.tokens,
            loss: Some(learned.loss),
            lr: Some(config.learning_rate_at(step)),
            grad_norm: Some(learned.grad_norm),
            tokens_per_s: Some(tokens as f64 / elapsed.max(1e-9)),
            seconds: clock.seconds(),
            skipped: (learned.skipped > 0).then_some(state.skipped),
            extra: numbers.into_iter().collect(),
            ..StepMetrics::default()
        })?;
        if state.skipped_in_a_row > config.max_skipped_steps {
            return Err(TrainError::Diverged { step, count: state.skipped_in_a_row });
        }

        // Save.
        if due(config.checkpoint_every) || state.answers_best() {
            state.seconds = clock.seconds();
            run.save(&model.valid(), &optimizer_configs, &optimizers, &mut state)?;
            saved = Some(step);
        }
    }

    log.progress.finish();
    if last_evaluation.is_none() && state.step == config.steps {
        // The run before this one made the last step, and was cut off before it could say so.
        last_evaluation = Some(run.evaluate(algorithm.policy(&model.valid()), state.step)?.numbers);
    }
    state.seconds = clock.seconds();
    if saved != Some(state.step) {
        run.save(&model.valid(), &optimizer_configs, &optimizers, &mut state)?;
    }
    let metrics = last_evaluation.into_iter().flatten().collect();
    let summary = Summary { metrics, ..Summary::new(&state, None) };
    if state.step < config.steps {
        return Ok(Outcome::Interrupted(summary));
    }
    let summary = conclude(run.battery, run.stage, summary)?;
    run.stage.mark_done(&summary)?;
    Ok(Outcome::Finished(summary))
}

fn settings<M: Trainable>(algorithm: &dyn PolicyGradient<M>, run: &Online<'_>) -> Value {
    let mut all = serde_json::Map::new();
    let rollouts = serde_json::to_value(run.rollouts).expect("settings are JSON");
    for part in [algorithm.settings(), rollouts, run.settings.clone()] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    // How many are drawn at once changes nothing but speed.
    all.remove("rollout_batch");
    all.remove("cache_mib");
    Value::Object(all)
}

/// What an evaluation found: numbers by their names, and dialogues.
struct HeldOut {
    numbers: Vec<(String, f64)>,
    samples: Vec<Sample>,
}

impl Online<'_> {
    /// What the policy, without gradients, answers to the held-out prompts, drawn and most probable, and some of the dialogues.
    fn evaluate(&self, policy: &Decoder, step: u64) -> Result<HeldOut, TrainError> {
        if self.held_out.is_empty() {
            return Ok(HeldOut { numbers: vec![], samples: vec![] });
        }
        let single = RolloutConfig { group_size: 1, ..self.rollouts.clone() };
        // The same random numbers each time, of a seed that training does not use.
        let mut drawn = rollout(policy, self.held_out, self.tokenizer, &single, !self.config.seed, 0)?;
        add_rewards(&mut drawn, self.reward)?;
        add_reference_logprobs(&mut drawn, self.reference, single.temperature, single.rollout_batch);
        let mut best = greedy(policy, self.held_out, self.tokenizer, &single)?;
        add_rewards(&mut best, self.reward)?;

        let mut numbers = RolloutStatistics::of(&drawn).named("val_");
        let greedy = RolloutStatistics::of(&best);
        let greedy = [
            ("val_greedy_reward_mean", Some(greedy.reward_mean)),
            ("val_greedy_correct", greedy.correct),
            ("val_greedy_exact", greedy.exact),
        ];
        numbers.extend(greedy.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let samples = drawn.iter().take(SAMPLES).map(|group| sample(group, step)).collect();
        Ok(HeldOut { numbers, samples })
    }

    fn save<M: Trainable>(
        &self,
        model: &M,
        names: &[(&'static str, OptimizerConfig)],
        optimizers: &[Optimizer],
        state: &mut TrainerState,
    ) -> Result<(), TrainError> {
        let optimizers: Vec<_> = names.iter().map(|(name, _)| *name).zip(optimizers).collect();
        let parts = Parts { model, tokenizer: self.tokenizer, optimizers: &optimizers };
        checkpoint::save(self.stage, &parts, state).map(|_| ())
    }
}

/// A dialogue as a sample: what was said before, a turn a line, and the answer.
pub(crate) fn sample(group: &Group, step: u64) -> Sample {
    let turns = group.task.messages.iter().map(|message| format!("{}: {}", message.role, message.content));
    let text = group.trajectories.first().map_or_else(String::new, |trajectory| trajectory.text.clone());
    Sample { step, prompt: turns.collect::<Vec<_>>().join("\n"), text }
}
