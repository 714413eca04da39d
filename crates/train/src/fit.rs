//! The training loop of every stage that learns from given examples: pretraining, fine-tuning, reward models, direct preference optimisation.

use std::path::PathBuf;
use std::time::Instant;

use fireclay_data::{Position, Source};
use fireclay_model::Checkpoints;
use fireclay_tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint::{self, Expected, Parts};
use crate::exam::{Exam, conclude, examine};
use crate::log::Log;
use crate::progress::Progress;
use crate::{
    Best, Evaluation, Interrupt, ModuleGradients, Objective, Optimizer, Sample, StageDir, StepMetrics, TrainConfig,
    TrainError, Trainable, TrainerState, matmul_peak,
};

/// Measures a model, without gradients; `None` where there is nothing to measure it on.
pub type Evaluate<'a, M> = &'a dyn Fn(&M) -> Result<Option<Evaluation>, TrainError>;

/// Shows what a model, without gradients, says after a step.
pub type ShowSamples<'a, M> = &'a dyn Fn(&M, u64) -> Result<Vec<Sample>, TrainError>;

/// What [`fit()`] needs beside the model.
pub struct Fit<'a, M, B> {
    /// How to train.
    pub config: &'a TrainConfig,
    /// The algorithm's own settings, which must not change when the stage is resumed; `Null` where there are none.
    pub settings: Value,
    /// What to minimise.
    pub objective: &'a dyn Objective<M, B>,
    /// Batches to train on.
    pub source: &'a mut dyn Source<B>,
    /// Measures the model, without gradients, on examples it is not trained on; `None` where there are none.
    pub evaluate: Evaluate<'a, M>,
    /// Decides which checkpoint is best; `None`: the validation loss does.
    pub exam: Option<&'a dyn Exam<M>>,
    /// Shows what the model, without gradients, says after a step.
    pub sample: ShowSamples<'a, M>,
    /// What is still to be done to the model, without gradients, before it is saved.
    pub finish: &'a dyn Fn(M) -> Result<M, TrainError>,
    /// Saved with every checkpoint.
    pub tokenizer: &'a Tokenizer,
    /// Where everything is written.
    pub stage: &'a mut StageDir,
    /// When to save and leave early.
    pub interrupt: &'a Interrupt,
    /// What the live line shows beside the loss, by the names of the objective's metrics.
    pub shows: &'a [&'static str],
    /// No progress line.
    pub quiet: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All steps are made; the stage is marked done.
    Finished(Summary),
    /// It was asked to stop, and saved. Running again goes on from there.
    Interrupted(Summary),
}

/// Where a stage stands. [`DONE`](crate::stage::done) holds it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps made.
    pub step: u64,
    /// Tokens consumed.
    pub tokens: u64,
    /// Seconds spent, over all runs.
    pub seconds: f64,
    /// Loss on the validation split at the last evaluation, nats a token.
    pub val_loss: Option<f64>,
    /// The same in bits per byte of text.
    pub val_bits_per_byte: Option<f64>,
    /// The other numbers of the last evaluation.
    #[serde(default)]
    pub metrics: std::collections::BTreeMap<String, f64>,
    /// The best checkpoint, and by what.
    pub best: Option<Best>,
    /// Steps skipped because something was not finite.
    pub skipped: u64,
    /// The newest checkpoint, relative to the stage's folder.
    pub checkpoint: PathBuf,
}

/// Trains `model` for `config.steps` steps, or resumes from the newest checkpoint of the stage, whose weights then replace the given ones.
///
/// Resuming is exact: on a deterministic backend (`flex`) a run that is cut anywhere gives the same losses and weights, to the last bit,
/// as one that is not.
///
/// # Errors
/// [`TrainError`] when the settings do not fit the checkpoint, data or disk fail, or losses stay non-finite.
pub fn fit<M: Trainable, B>(model: M, mut run: Fit<'_, M, B>) -> Result<Outcome, TrainError> {
    let config = run.config;
    config.validate()?;
    let device = model.device().autodiff();

    let expected = Expected {
        config,
        settings: &run.settings,
        tokenizer: run.tokenizer,
        optimizers: &[("optimizer", config.optimizer())],
    };
    let resumed = checkpoint::resume(run.stage, &expected, &model, &device)?;
    let from = resumed.as_ref().map(|resumed| resumed.state.step);
    let (model, mut optimizer, mut state) = match resumed {
        Some(mut resumed) => {
            run.source.seek(&resumed.state.position)?;
            (resumed.model, resumed.optimizers.remove(0), resumed.state)
        }
        None => (model.to_device(&device), Optimizer::new(config.optimizer()), run.first_state()),
    };
    let checkpoints = config.checkpoints();
    let mut model = model.train().with_precision(config.precision).with_checkpoints(checkpoints.clone());

    let mut log = Log::open(run.stage, from, Progress::new(config.steps, state.step, run.shows, run.quiet))?;
    let flops_per_token = model.flops_per_token(config.context);
    let peak = matmul_peak(&device, config.precision);
    let clock = Clock::new(state.seconds);
    let (mut saved, mut last_evaluation) = (from, None);
    if from.is_none() {
        let valid = model.valid();
        let found = run.measure(&valid, &mut state)?;
        if found.evaluation.is_some() || !found.examined.is_empty() {
            log.step(&found.on(StepMetrics::default()))?;
        }
        last_evaluation = found.evaluation;
        // What the stage begins with may be the best that it leaves. Its loss is no checkpoint's.
        state.val_loss = None;
        if state.answers_best() {
            run.save(valid, &optimizer, &mut state)?;
            saved = Some(0);
        }
    }

    while state.step < config.steps && !run.interrupt.requested() {
        let step = state.step + 1;
        let is_last = step == config.steps;
        let due = |every: u64| is_last || (every > 0 && step.is_multiple_of(every));

        // Step: gradients of `accumulate` batches, one update, unless something is not finite.
        let started = Instant::now();
        let Accumulated { loss, tokens, metrics, gradients } = run.gradients(&model, checkpoints.as_ref())?;
        let norm = gradients.norm();
        let learning_rate = config.learning_rate_at(step);
        let finite = loss.is_finite() && norm.is_finite();
        if finite {
            model = optimizer.step(model, gradients, norm, learning_rate);
            state.skipped_in_a_row = 0;
        } else {
            state.skipped += 1;
            state.skipped_in_a_row += 1;
        }
        let elapsed = started.elapsed().as_secs_f64();
        state.step = step;
        state.tokens += tokens;
        state.position = run.source.position();
        state.seconds = clock.seconds();

        // Evaluate.
        (state.val_loss, state.battery) = (None, None);
        let found = if due(config.eval_every) { run.measure(&model.valid(), &mut state)? } else { Measured::default() };

        // Log.
        let tokens_per_s = tokens as f64 / elapsed.max(1e-9);
        let line = StepMetrics {
            step,
            tokens: state.tokens,
            loss: Some(loss),
            lr: Some(learning_rate),
            grad_norm: Some(norm),
            tokens_per_s: Some(tokens_per_s),
            mfu: Some(tokens_per_s * flops_per_token / peak),
            seconds: clock.seconds(),
            skipped: (!finite).then_some(state.skipped),
            extra: metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ..StepMetrics::default()
        };
        log.step(&found.on(line))?;
        last_evaluation = found.evaluation.or(last_evaluation);
        if state.skipped_in_a_row > config.max_skipped_steps {
            return Err(TrainError::Diverged { step, count: state.skipped_in_a_row });
        }

        // Sample.
        if due(config.sample_every) && config.sample_tokens > 0 {
            match (run.sample)(&model.valid(), step) {
                Ok(samples) => log.samples(&samples)?,
                // A sample is for people to look at: what spoils it must not end the training before it is saved.
                Err(error) => tracing::warn!("step {step}: no sample: {error}"),
            }
        }

        // Save.
        if due(config.checkpoint_every) || state.answers_best() {
            state.seconds = clock.seconds();
            run.save(model.valid(), &optimizer, &mut state)?;
            saved = Some(step);
        }
    }

    log.progress.finish();
    if last_evaluation.is_none() && state.step == config.steps {
        // The run before this one made the last step, and was cut off before it could say so.
        last_evaluation = (run.evaluate)(&model.valid())?;
    }
    if saved != Some(state.step) {
        run.save(model.valid(), &optimizer, &mut state)?;
    }
    run.end(Summary::new(&state, last_evaluation))
}

/// What `accumulate` batches give together.
struct Accumulated {
    loss: f64,
    tokens: u64,
    metrics: Vec<(&'static str, f64)>,
    gradients: ModuleGradients,
}

impl<M: Trainable, B> Fit<'_, M, B> {
    fn first_state(&self) -> TrainerState {
        let position: Position = self.source.position();
        TrainerState { settings: self.settings.clone(), ..TrainerState::new(self.config, position) }
    }

    /// The mean loss over `accumulate` batches and its gradients: what one batch of all their rows would give, a batch
    /// counting as much as it weighs.
    fn gradients(&mut self, model: &M, checkpoints: Option<&Checkpoints>) -> Result<Accumulated, TrainError> {
        let mut sum: Option<(f64, Accumulated)> = None;
        for _ in 0..self.config.accumulate {
            let loss = self.objective.loss(model, &self.source.next_batch()?);
            // One batch alone needs no weighing.
            let weight = if self.config.accumulate == 1 { 1.0 } else { loss.weight };
            let weighted = if self.config.accumulate == 1 { loss.mean } else { loss.mean * weight };
            let mut gradients = ModuleGradients::of_loss(model, &weighted, checkpoints);
            if !self.config.train_biases {
                gradients = gradients.without_biases();
            }
            let value = f64::from(weighted.into_scalar::<f32>());
            let metrics: Vec<_> = loss.metrics.into_iter().map(|(name, value)| (name, value * weight)).collect();
            sum = Some(match sum {
                None => (weight, Accumulated { loss: value, tokens: loss.tokens, metrics, gradients }),
                Some((weights, mut all)) => {
                    all.loss += value;
                    all.tokens += loss.tokens;
                    all.metrics.iter_mut().zip(metrics).for_each(|(sum, (_, value))| sum.1 += value);
                    all.gradients.add(gradients);
                    (weights + weight, all)
                }
            });
        }
        let (weight, sum) = sum.expect("accumulate is 1 or more");
        let divisor = if weight > 0.0 { weight } else { 1.0 };
        Ok(Accumulated {
            loss: sum.loss / divisor,
            tokens: sum.tokens,
            metrics: sum.metrics.into_iter().map(|(name, value)| (name, value / divisor)).collect(),
            gradients: sum.gradients.scaled(1.0 / divisor),
        })
    }

    /// Measures a model, without gradients; the state takes what decides between checkpoints.
    fn measure(&self, model: &M, state: &mut TrainerState) -> Result<Measured, TrainError> {
        let evaluation = (self.evaluate)(model)?;
        state.val_loss = evaluation.as_ref().map(|evaluation| evaluation.loss);
        Ok(Measured { evaluation, examined: examine(self.exam, model, state)? })
    }

    /// Declares the stage finished, if it is.
    fn end(&self, summary: Summary) -> Result<Outcome, TrainError> {
        if summary.step < self.config.steps {
            return Ok(Outcome::Interrupted(summary));
        }
        let summary = conclude(self.exam, self.stage, summary)?;
        self.stage.mark_done(&summary)?;
        Ok(Outcome::Finished(summary))
    }

    fn save(&self, model: M, optimizer: &Optimizer, state: &mut TrainerState) -> Result<(), TrainError> {
        let model = (self.finish)(model)?;
        let parts = Parts { model: &model, tokenizer: self.tokenizer, optimizers: &[("optimizer", optimizer)] };
        checkpoint::save(self.stage, &parts, state).map(|_| ())
    }
}

/// What was measured at a step.
#[derive(Default)]
struct Measured {
    evaluation: Option<Evaluation>,
    examined: Vec<(String, f64)>,
}

impl Measured {
    /// A line with what was found.
    fn on(&self, mut line: StepMetrics) -> StepMetrics {
        line.extra.extend(self.examined.iter().cloned());
        let Some(evaluation) = &self.evaluation else { return line };
        line.extra.extend(evaluation.metrics.iter().map(|(name, &value)| (format!("val_{name}"), value)));
        StepMetrics { val_loss: Some(evaluation.loss), val_bits_per_byte: evaluation.bits_per_byte, ..line }
    }
}

impl Summary {
    /// Where a stage stands whose last evaluation was `evaluation`.
    #[must_use]
    pub fn new(state: &TrainerState, evaluation: Option<Evaluation>) -> Self {
        let (val_loss, val_bits_per_byte, metrics) = match evaluation {
            Some(found) => (Some(found.loss), found.bits_per_byte, found.metrics),
            None => (state.val_loss, None, std::collections::BTreeMap::new()),
        };
        Self {
            step: state.step,
            tokens: state.tokens,
            seconds: state.seconds,
            val_loss,
            val_bits_per_byte,
            metrics,
            best: state.best,
            skipped: state.skipped,
            checkpoint: format!("checkpoints/step-{:06}", state.step).into(),
        }
    }
}

/// Seconds over all runs of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    before: f64,
}

impl Clock {
    /// Goes on from `before` seconds.
    #[must_use]
    pub fn new(before: f64) -> Self {
        Self { started: Instant::now(), before }
    }

    /// Seconds so far.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }
}
