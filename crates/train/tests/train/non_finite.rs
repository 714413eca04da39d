//! Losses and gradients that are not numbers.

use std::cell::Cell;

use fireclay_data::Batch;
use fireclay_model::Decoder;
use fireclay_train::{Interrupt, Loss, NextToken, Objective, Outcome, TrainError};

use crate::{Small, checkpoint_weights, computed};

/// [`NextToken`], but not a number where `bad` says so.
struct Sometimes<F> {
    batches: Cell<u64>,
    bad: F,
}

impl<F: Fn(u64) -> bool> Objective for Sometimes<F> {
    fn loss(&self, decoder: &Decoder, batch: &Batch) -> Loss {
        self.batches.set(self.batches.get() + 1);
        let loss = NextToken.loss(decoder, batch);
        if (self.bad)(self.batches.get()) { Loss { mean: loss.mean * f64::NAN, ..loss } } else { loss }
    }
}

fn run(small: &Small, bad: impl Fn(u64) -> bool, folder: &std::path::Path) -> Result<Outcome, TrainError> {
    let objective = Sometimes { batches: Cell::new(0), bad };
    small.run_with(folder, &objective, &mut small.source(), &Interrupt::never())
}

#[test]
fn a_step_that_is_not_a_number_is_skipped_and_counted() {
    let small = Small::new();
    let folder = tempfile::tempdir().unwrap();
    let Outcome::Finished(summary) = run(&small, |batch| batch == 7 || batch == 20, folder.path()).unwrap() else {
        panic!("it finishes")
    };
    assert_eq!((summary.step, summary.skipped), (30, 2));
    let lines = computed(folder.path());
    let skipped: Vec<_> = lines.iter().filter_map(|line| Some((line.step, line.loss, line.skipped?))).collect();
    assert_eq!(skipped, [(7, None, 1), (20, None, 2)]);
    assert!(lines.last().unwrap().loss.unwrap() < lines[1].loss.unwrap());
    for (name, bytes) in checkpoint_weights(folder.path(), 30) {
        let finite = bytes.as_chunks::<4>().0.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite());
        assert!(finite, "{name}");
    }
}

#[test]
fn too_many_in_a_row_end_the_run_with_a_reason() {
    let mut small = Small::new();
    small.config.max_skipped_steps = 3;
    let folder = tempfile::tempdir().unwrap();
    let error = run(&small, |batch| batch > 12, folder.path()).unwrap_err();
    assert!(!error.is_user_error());
    let message = error.to_string();
    assert!(
        message.contains("step 16") && message.contains("4 times in a row") && message.contains("learning_rate"),
        "{message}"
    );
    // The checkpoints saved before can be resumed.
    assert!(matches!(small.run(folder.path()).unwrap(), Outcome::Finished(_)));
}

#[test]
fn a_stage_of_which_the_last_half_was_skipped_does_not_finish() {
    let mut small = Small::new();
    (small.config.steps, small.config.warmup_steps) = (8, 1);
    let folder = tempfile::tempdir().unwrap();
    let message = run(&small, |batch| batch > 4, folder.path()).unwrap_err().to_string();
    assert!(message.contains("step 8") && message.contains("4 times in a row"), "{message}");
    // Nor does it when it is run again.
    assert!(run(&small, |_| false, folder.path()).is_err());
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(run(&small, |batch| batch > 5, folder.path()).unwrap(), Outcome::Finished(_)));
}

#[test]
fn weights_that_are_not_finite_are_not_saved() {
    let mut small = Small::new();
    // The update of a weight of 0.02 overflows.
    (small.config.steps, small.config.warmup_steps, small.config.checkpoint_every) = (1, 0, 0);
    (small.config.learning_rate, small.config.weight_decay) = (3e38, 3e38);
    let folder = tempfile::tempdir().unwrap();
    let error = run(&small, |_| false, folder.path()).unwrap_err();
    assert!(!error.is_user_error());
    assert!(error.to_string().contains("step 1: the weights are no longer finite numbers"), "{error}");
    assert!(!folder.path().join("checkpoints/step-000001").exists());
}
