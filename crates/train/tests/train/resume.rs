//! A run that is cut is the run that was not.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Weak};

use burn::module::Module;
use burn::tensor::Device;
use fireclay_data::{Batch, DataError, Position, Source};
use fireclay_model::huggingface::TokenIds;
use fireclay_model::{ActivationCheckpoints, Decoder, ModelError, Precision};
use fireclay_train::{
    Fit, Interrupt, Loss, NextToken, Objective, Optimizer, Outcome, Schedule, StageDir, StageRun, TrainConfig,
    Trainable, fit, read_samples,
};

use crate::{Small, checkpoint_weights, computed};

/// Interrupts the run while batch `after` is fetched, or fails there as a crash would.
struct CutOff<S> {
    source: S,
    batches: u64,
    after: u64,
    interrupt: Option<Interrupt>,
}

impl<S: Source> Source for CutOff<S> {
    fn next_batch(&mut self) -> Result<Batch, DataError> {
        self.batches += 1;
        if self.batches > self.after {
            match &self.interrupt {
                Some(interrupt) => interrupt.request(),
                None => return Err(DataError::NoPaths),
            }
        }
        self.source.next_batch()
    }
    fn position(&self) -> Position {
        self.source.position()
    }
    fn seek(&mut self, position: &Position) -> Result<(), DataError> {
        self.source.seek(position)
    }
}

fn whole(small: &Small) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(small.run(folder.path()).unwrap(), Outcome::Finished(_)));
    folder
}

fn check_same(small: &Small, one: &Path, other: &Path) {
    assert_eq!(computed(one), computed(other));
    let samples = |folder: &Path| read_samples(&folder.join("samples.jsonl")).unwrap();
    assert_eq!(samples(one), samples(other));
    let steps = small.config.steps;
    assert_eq!(checkpoint_weights(one, steps), checkpoint_weights(other, steps));
}

#[test]
fn interrupted_anywhere_it_gives_the_same_losses_and_weights_to_the_last_bit() {
    let mut small = Small::new();
    small.config.accumulate = 2;
    let expected = whole(&small);
    for cut in [0, 1, 13, 20, 41, 59] {
        let folder = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::never();
        let mut source = CutOff { source: small.source(), batches: 0, after: cut, interrupt: Some(interrupt.clone()) };
        let outcome = small.run_with(folder.path(), &NextToken, &mut source, &interrupt).unwrap();
        match outcome {
            Outcome::Interrupted(summary) => assert_eq!(summary.step, cut / 2 + 1),
            Outcome::Finished(_) => assert_eq!(cut, 59, "only the last step finishes although it was interrupted"),
        }
        assert!(matches!(small.run(folder.path()).unwrap(), Outcome::Finished(_)));
        check_same(&small, expected.path(), folder.path());
    }
}

#[test]
fn ended_anywhere_without_saving_it_gives_the_same_too() {
    let small = Small::new();
    let expected = whole(&small);
    let folder = tempfile::tempdir().unwrap();
    // Before the first checkpoint, then after the first, then after the second.
    for after in [7, 12, 15] {
        let mut source = CutOff { source: small.source(), batches: 0, after, interrupt: None };
        small.run_with(folder.path(), &NextToken, &mut source, &Interrupt::never()).unwrap_err();
    }
    small.run(folder.path()).unwrap();
    check_same(&small, expected.path(), folder.path());
}

#[test]
fn an_interrupt_before_the_first_step_saves_and_leaves() {
    let small = Small::new();
    let folder = tempfile::tempdir().unwrap();
    let interrupt = Interrupt::never();
    interrupt.request();
    let outcome = small.run_with(folder.path(), &NextToken, &mut small.source(), &interrupt).unwrap();
    assert!(matches!(outcome, Outcome::Interrupted(summary) if summary.step == 0));
    small.run(folder.path()).unwrap();
    check_same(&small, whole(&small).path(), folder.path());
}

#[test]
fn a_finished_stage_runs_nothing_again() {
    let small = Small::new();
    let folder = whole(&small);
    let before = fs::read(folder.path().join("metrics.jsonl")).unwrap();
    let outcome = small.run(folder.path()).unwrap();
    assert!(matches!(outcome, Outcome::Finished(summary) if summary.step == 30 && summary.val_loss.is_some()));
    assert_eq!(before, fs::read(folder.path().join("metrics.jsonl")).unwrap());
}

/// Result of resuming a run of ten steps with changed settings.
fn resumed_with(schedule: Schedule, change: impl Fn(&mut TrainConfig)) -> Result<Outcome, String> {
    let mut small = Small::new();
    small.config = TrainConfig { steps: 20, schedule, ..small.config };
    let folder = tempfile::tempdir().unwrap();
    let mut source = CutOff { source: small.source(), batches: 0, after: 12, interrupt: None };
    small.run_with(folder.path(), &NextToken, &mut source, &Interrupt::never()).unwrap_err();
    change(&mut small.config);
    small.run(folder.path()).map_err(|error| {
        assert!(error.is_user_error());
        error.to_string()
    })
}

#[test]
fn a_setting_that_alters_training_must_not_change() {
    let check = |change: fn(&mut TrainConfig), expect: &str| {
        let message = resumed_with(Schedule::Cosine, change).unwrap_err();
        assert!(message.contains(expect), "{message}");
    };
    check(|c| c.batch = 4, "batch was 2 when this stage began and is 4 now");
    check(|c| c.learning_rate = 0.5, "learning_rate was 0.003 when this stage began and is 0.5 now");
    check(|c| c.seed = 1, "seed was 42 when this stage began and is 1 now");
    check(|c| c.steps = 40, "steps was 20 when this stage began and is 40 now");
}

#[test]
fn what_does_not_alter_training_may_change() {
    let change = |c: &mut TrainConfig| (c.eval_every, c.keep_checkpoints) = (3, 1);
    assert!(matches!(resumed_with(Schedule::Cosine, change), Ok(Outcome::Finished(_))));
    // A stable rate lets a run be made longer, as long as it does not decay yet.
    let longer = |c: &mut TrainConfig| c.steps = 24;
    assert!(matches!(resumed_with(Schedule::Wsd, longer), Ok(Outcome::Finished(summary)) if summary.step == 24));
    assert!(matches!(resumed_with(Schedule::Constant, longer), Ok(Outcome::Finished(summary)) if summary.step == 24));
}

/// A decoder that tells when it is freed.
#[derive(Module, Debug)]
struct Watched {
    decoder: Decoder,
    #[module(skip)]
    alive: Arc<()>,
}

impl Trainable for Watched {
    type Optimizers = Optimizer;

    fn device(&self) -> Device {
        self.decoder.device()
    }
    fn with_precision(self, precision: Precision) -> Self {
        Self { decoder: self.decoder.with_precision(precision), ..self }
    }
    fn with_activation_checkpoints(self, checkpoints: Option<ActivationCheckpoints>) -> Self {
        Self { decoder: self.decoder.with_activation_checkpoints(checkpoints), ..self }
    }
    fn save(&self, dir: &Path, tokens: &TokenIds) -> Result<(), ModelError> {
        Trainable::save(&self.decoder, dir, tokens)
    }
    fn restore(self, dir: &Path, device: &Device) -> Result<Self, ModelError> {
        Ok(Self { decoder: self.decoder.restore(dir, device)?, alive: Arc::new(()) })
    }
    fn configuration(&self) -> serde_json::Value {
        self.decoder.configuration()
    }
    fn flops_per_token(&self, context: usize) -> f64 {
        self.decoder.config().flops_per_token(context)
    }
}

/// The loss of a run in which the model that it was given must be alive, or not.
struct Expects {
    given: Weak<()>,
    alive: bool,
}

impl Objective<Watched, Batch> for Expects {
    fn loss(&self, model: &Watched, batch: &Batch) -> Loss {
        assert_eq!(self.given.upgrade().is_some(), self.alive, "whether the model that was passed in is in memory");
        NextToken.loss(&model.decoder, batch)
    }
}

#[test]
fn a_resumed_run_frees_the_model_that_it_was_given() {
    let small = Small::new();
    let folder = tempfile::tempdir().unwrap();
    let run = |alive: bool, after: u64| {
        let interrupt = Interrupt::never();
        let mut source = CutOff { source: small.source(), batches: 0, after, interrupt: Some(interrupt.clone()) };
        let model = Watched { decoder: small.decoder(), alive: Arc::new(()) };
        let objective = Expects { given: Arc::downgrade(&model.alive), alive };
        let run = StageRun {
            config: &small.config,
            settings: serde_json::Value::Null,
            tokenizer: &small.tokenizer,
            stage: &mut StageDir::open(folder.path()).unwrap(),
            interrupt: &interrupt,
            quiet: true,
        };
        let (source, objective) = (&mut source as &mut dyn Source, &objective as &dyn Objective<_, _>);
        let (evaluate, sample) = (&|_: &Watched| Ok(None), &|_: &Watched, _| Ok(vec![]));
        let finish = &Ok;
        fit(model, Fit { run, objective, source, evaluate, exam: None, sample, finish, shows: &[] }).unwrap()
    };
    assert!(matches!(run(true, 3), Outcome::Interrupted(_)), "a new run trains what it was given");
    assert!(matches!(run(false, u64::MAX), Outcome::Finished(_)));
}
