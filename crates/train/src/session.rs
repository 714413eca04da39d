//! The part shared by all training loops: begin or resume, intervals, logging, saving, end.
//!
//! [`fit()`](crate::fit()) and the loop over the policy's own answers in `fireclay-rlhf` own the model and the control
//! flow, and call this in between:
//!
//! ```text
//! let (mut session, mut model) = Session::begin(run, model, source, shows)?;
//! if session.is_new() { … }                       measure, log and save, as below
//! while let Some(step) = session.next_step() {
//!     …                                           one step of the model
//!     let line = session.advance(StepTaken { … });
//!     let measured = …                            if session.due(config.eval_every)
//!     session.log(line, measured)?;
//!     if session.save_due() { session.save(&model.valid())?; }
//! }
//! session.end(exam, |step| …, || …)               what is still to be measured and saved
//! ```

use std::time::Instant;

use fireclay_data::{Position, Source};
use fireclay_model::ActivationCheckpoints;

use crate::checkpoint::{self, Begin, CheckpointParts};
use crate::exam::{Exam, examine_final};
use crate::finite::is_finite;
use crate::log::Log;
use crate::optimizer::Optimizers;
use crate::progress::Progress;
use crate::{Measured, Outcome, Sample, StageRun, StepMetrics, Summary, TrainError, Trainable, TrainerState};

/// A running training stage. The loop owns the model; all other state that outlives a step is here.
pub struct Session<'a, M: Trainable> {
    /// The stage's progress, as checkpoints store it.
    pub state: TrainerState,
    /// The model's optimisers.
    pub optimizers: M::Optimizers,
    run: StageRun<'a>,
    checkpoints: Option<ActivationCheckpoints>,
    log: Log,
    clock: Clock,
    /// The step of the checkpoint from which it was resumed.
    from: Option<u64>,
    /// The step that was saved last.
    saved: Option<u64>,
    /// The step that was logged last: a step is logged before it is saved, and before the next.
    logged: u64,
    /// The newest measurement of this run of the stage.
    measured: Option<Measured>,
}

/// Statistics of one step of a loop.
#[derive(Clone, Debug)]
pub struct StepTaken {
    /// Tokens consumed by it.
    pub tokens: u64,
    /// Seconds that it took.
    pub seconds: f64,
    /// Number of its updates that were skipped because a loss or a gradient was not finite.
    pub skipped: u64,
    /// The position in the data after it.
    pub position: Position,
}

impl<'a, M: Trainable> Session<'a, M> {
    /// Begins the stage with `model`, or resumes it from its newest checkpoint: `source` then seeks to its saved
    /// position, and `model` is dropped before the saved weights are used. Returns the session and the model to train.
    ///
    /// # Errors
    /// [`TrainError`] when the settings are impossible or do not fit the checkpoint, it is damaged, or the disk fails.
    pub fn begin<B>(
        run: StageRun<'a>,
        model: M,
        source: &mut dyn Source<B>,
        shows: &[&'static str],
    ) -> Result<(Self, M), TrainError> {
        run.config.validate()?;
        let device = model.device().autodiff();
        let (model, optimizers, state, from) = match checkpoint::resume(&run, model, &device)? {
            Begin::Resumed { model, optimizers, state } => {
                source.seek(&state.position)?;
                let step = state.step;
                (model, optimizers, *state, Some(step))
            }
            Begin::Fresh(model) => {
                let state = TrainerState::new(run.config, source.position());
                let state = TrainerState { settings: run.settings.clone(), ..state };
                (model.to_device(&device), M::Optimizers::new(&run.config.optimizer()), state, None)
            }
        };
        let checkpoints = run.config.activation_checkpoints();
        let model = model.train().with_precision(run.config.precision).with_activation_checkpoints(checkpoints.clone());
        let progress = Progress::new(run.config.steps, state.step, shows, run.quiet);
        let log = Log::open(run.stage, from, progress)?;
        let clock = Clock::new(state.seconds);
        run.interrupt.set_saving(true);
        let logged = state.step;
        Ok((Self { state, optimizers, run, checkpoints, log, clock, from, saved: from, logged, measured: None }, model))
    }

    /// Whether the stage begins now and is not resumed.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.from.is_none()
    }

    /// Whether all steps are done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state.step >= self.run.config.steps
    }

    /// The step to make now, from 1. `None` when all are done or an interrupt was requested; the progress line is then
    /// closed.
    ///
    /// # Panics
    /// When the step before was not logged.
    pub fn next_step(&mut self) -> Option<u64> {
        self.assert_logged();
        if self.is_complete() || self.run.interrupt.requested() {
            self.log.progress.finish();
            return None;
        }
        Some(self.state.step + 1)
    }

    /// The kept inputs of the model's blocks, if the stage has activation checkpointing.
    #[must_use]
    pub fn activation_checkpoints(&self) -> Option<&ActivationCheckpoints> {
        self.checkpoints.as_ref()
    }

    /// Counts a finished step in the state, and returns its line of metrics with speed, learning rate and totals; the
    /// caller adds its results and passes the line to [`log`](Self::log).
    #[must_use = "the line of a step is logged"]
    pub fn advance(&mut self, taken: StepTaken) -> StepMetrics {
        let StepTaken { tokens, seconds, skipped, position } = taken;
        let state = &mut self.state;
        state.step += 1;
        state.tokens += tokens;
        state.position = position;
        state.skipped += skipped;
        state.skipped_in_a_row = if skipped > 0 { state.skipped_in_a_row + 1 } else { 0 };
        (state.val_loss, state.exam) = (None, None);
        StepMetrics {
            step: state.step,
            tokens: state.tokens,
            lr: Some(self.run.config.learning_rate_at(state.step)),
            tokens_per_s: Some(tokens as f64 / seconds.max(1e-9)),
            skipped: (skipped > 0).then_some(state.skipped),
            ..StepMetrics::default()
        }
    }

    /// Whether an action with the interval `every` (0: only at the end) is due at this step.
    #[must_use]
    pub fn due(&self, every: u64) -> bool {
        let step = self.state.step;
        self.is_complete() || (step > 0 && every > 0 && step.is_multiple_of(every))
    }

    /// Whether this step is to be saved: a checkpoint is due, or the step has the best exam score so far.
    #[must_use]
    pub fn save_due(&self) -> bool {
        self.due(self.run.config.checkpoint_every) || self.state.is_best_by_exam()
    }

    /// Logs a step, or with step 0 the state before the first, with what was measured there: the scores select the best
    /// checkpoint. Of the starting model only that of an exam does, as its validation loss is not compared with
    /// checkpoints'.
    ///
    /// # Errors
    /// [`TrainError::Io`] when a file cannot be written, [`TrainError::Diverged`] when too many
    /// steps in a row were skipped.
    pub fn log(&mut self, mut line: StepMetrics, measured: Option<Measured>) -> Result<(), TrainError> {
        if let Some(measured) = measured {
            line = measured.on(line);
            self.state.val_loss = measured.val_loss.filter(|_| line.step > 0);
            self.state.exam = measured.score;
            self.measured = Some(measured);
        }
        let seconds = if line.step == 0 { 0.0 } else { self.clock.seconds() };
        self.logged = line.step;
        self.log.step(&StepMetrics { seconds, ..line })?;
        let count = self.state.skipped_in_a_row;
        match count > self.run.config.max_skipped_steps {
            true => Err(TrainError::Diverged { step: self.state.step, count }),
            false => Ok(()),
        }
    }

    /// Stores samples, and shows them.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn log_samples(&mut self, samples: &[Sample]) -> Result<(), TrainError> {
        self.log.samples(samples)
    }

    /// Saves a checkpoint of this step. `model` is without gradients.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] when its weights are not finite, [`TrainError::Save`] when it cannot be written.
    ///
    /// # Panics
    /// When the step was not logged: the scores that are logged with it choose the best checkpoint.
    pub fn save(&mut self, model: &M) -> Result<(), TrainError> {
        self.assert_logged();
        if !is_finite(model) {
            return Err(TrainError::NotFinite { step: self.state.step });
        }
        self.state.seconds = self.clock.seconds();
        let optimizers = self.optimizers.named();
        let parts = CheckpointParts { model, tokenizer: self.run.tokenizer, optimizers: &optimizers };
        checkpoint::save(self.run.stage, &parts, &mut self.state)?;
        self.saved = Some(self.state.step);
        Ok(())
    }

    fn assert_logged(&self) {
        assert_eq!(self.logged, self.state.step, "a step is logged before it is saved, and before the next");
    }

    /// Ends this run of the stage: saves `model`, which is without gradients, if the step is not saved yet. If all
    /// steps are done, runs the final exam and marks the stage as done; `evaluate` measures the model if this run has
    /// not.
    ///
    /// # Errors
    /// As `evaluate`, `model` and [`Exam::examine_final`], [`TrainError::Diverged`] when the last half of the steps was
    /// skipped, and when the disk fails.
    pub fn end<E>(
        mut self,
        exam: Option<&dyn Exam<E>>,
        evaluate: impl FnOnce(u64) -> Result<Measured, TrainError>,
        model: impl FnOnce() -> Result<M, TrainError>,
    ) -> Result<Outcome, TrainError> {
        let last = match self.measured.take() {
            // The previous run made the last step, but was interrupted before it marked the stage as done.
            None if self.is_complete() => evaluate(self.state.step)?,
            measured => measured.unwrap_or_default(),
        };
        if self.saved != Some(self.state.step) {
            self.save(&model()?)?;
        }
        let summary = Summary::new(&self.state, last);
        if !self.is_complete() {
            return Ok(Outcome::Interrupted(summary));
        }
        // A stage of which the last half was skipped has nothing to show.
        let TrainerState { step, skipped_in_a_row: count, .. } = self.state;
        if count > 0 && 2 * count >= step {
            return Err(TrainError::Diverged { step, count });
        }
        let summary = examine_final(exam, self.run.stage, summary)?;
        self.run.stage.mark_done(&summary)?;
        Ok(Outcome::Finished(summary))
    }
}

/// Seconds over all runs of a stage.
#[derive(Clone, Copy, Debug)]
struct Clock {
    started: Instant,
    before: f64,
}

impl Clock {
    /// Goes on from `before` seconds.
    fn new(before: f64) -> Self {
        Self { started: Instant::now(), before }
    }

    /// Seconds so far.
    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }
}
