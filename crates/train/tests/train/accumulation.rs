//! Batches that are cut in pieces, and targets that do not count.

use burn::module::Module;
use fireclay_data::{Batch, DataError, Position, Source};
use fireclay_model::Decoder;
use fireclay_train::{Interrupt, ModuleGradients, NextToken, Objective, TrainConfig};

use crate::{Small, computed, device, weights};

/// Gives the rows of `batch`, `rows` at a time, over and over.
struct Cut {
    batch: Batch,
    rows: usize,
    at: usize,
}

fn rows(batch: &Batch, from: usize, count: usize) -> Batch {
    let range = from * batch.context..(from + count) * batch.context;
    Batch {
        batch: count,
        context: batch.context,
        ids: batch.ids[range.clone()].to_vec(),
        targets: batch.targets[range.clone()].to_vec(),
        weights: batch.weights.as_ref().map(|weights| weights[range].to_vec()),
        segments: None,
    }
}

impl Source for Cut {
    fn next_batch(&mut self) -> Result<Batch, DataError> {
        let batch = rows(&self.batch, self.at, self.rows);
        self.at = (self.at + self.rows) % self.batch.batch;
        Ok(batch)
    }
    fn position(&self) -> Position {
        Position::default()
    }
    fn seek(&mut self, _: &Position) -> Result<(), DataError> {
        Ok(())
    }
}

/// Trains a few steps on eight rows, `batch` at a time, and gives the losses and the gradients' norms.
fn train(batch: Batch, size: usize) -> Vec<(f64, f64)> {
    let mut small = Small::new();
    let accumulate = batch.batch / size;
    small.config = TrainConfig { steps: 6, batch: size, accumulate, ..small.config };
    let folder = tempfile::tempdir().unwrap();
    let mut source = Cut { batch, rows: size, at: 0 };
    small.run_with(folder.path(), &NextToken, &mut source, &Interrupt::never()).unwrap();
    computed(folder.path()).into_iter().filter_map(|line| Some((line.loss?, line.grad_norm?))).collect()
}

fn check_cut_in_pieces(weights: Option<Vec<f32>>) {
    let mut small = Small::new();
    small.config.batch = 8;
    let batch = Batch { weights, ..small.source().next_batch().unwrap() };
    let whole = train(batch.clone(), 8);
    let pieces = train(batch, 2);
    assert_eq!(whole.len(), 6);
    for (whole, pieces) in whole.iter().zip(&pieces) {
        assert!((whole.0 - pieces.0).abs() < 1e-5, "losses {} and {}", whole.0, pieces.0);
        assert!((whole.1 / pieces.1 - 1.0).abs() < 1e-4, "norms {} and {}", whole.1, pieces.1);
    }
}

#[test]
fn four_batches_of_two_rows_train_like_one_of_eight() {
    check_cut_in_pieces(None);
}

#[test]
fn a_piece_counts_as_much_as_its_targets_weigh() {
    // The first rows carry little weight, the last much.
    check_cut_in_pieces(Some((0..8 * 16).map(|i| if i % 5 == 0 { 0.0 } else { (i / 16) as f32 * 0.25 }).collect()));
}

fn loss_of(objective: &impl Objective, decoder: &Decoder, batch: &Batch) -> f64 {
    f64::from(objective.loss(decoder, batch).mean.into_scalar::<f32>())
}

#[test]
fn a_target_of_weight_0_has_no_part_in_loss_and_gradient() {
    let small = Small::new();
    let decoder = small.decoder().to_device(&device().autodiff()).train();
    let mut batch = small.source().next_batch().unwrap();
    let weights: Vec<f32> = (0..batch.targets.len()).map(|i| if i % 3 == 0 { 0.0 } else { 1.0 }).collect();
    let tokens: f32 = weights.iter().sum();
    batch.weights = Some(weights);
    let gradients = |batch: &Batch| {
        let loss = NextToken.loss(&decoder, batch);
        assert!((loss.weight - f64::from(tokens)).abs() < 1e-9);
        (loss.mean.clone().into_scalar::<f32>(), ModuleGradients::of(&decoder, loss.mean.backward()).norm())
    };
    let before = gradients(&batch);
    for target in batch.targets.iter_mut().step_by(3) {
        *target = (*target + 1) % 7;
    }
    assert_eq!(before, gradients(&batch));
}

#[test]
fn a_batch_without_any_weight_has_loss_0_and_gradient_0() {
    let small = Small::new();
    let decoder = small.decoder().to_device(&device().autodiff()).train();
    let batch = small.source().next_batch().unwrap();
    let batch = Batch { weights: Some(vec![0.0; batch.targets.len()]), ..batch };
    let loss = NextToken.loss(&decoder, &batch);
    assert_eq!(loss.mean.clone().into_scalar::<f32>(), 0.0);
    assert_eq!(ModuleGradients::of(&decoder, loss.mean.backward()).norm(), 0.0);
}

#[test]
fn an_untrained_decoder_is_about_as_good_as_chance() {
    let small = Small::new();
    let loss = loss_of(&NextToken, &small.decoder(), &small.source().next_batch().unwrap());
    let chance = (small.tokenizer.vocab_size() as f64).ln();
    assert!((loss - chance).abs() < 0.2, "loss {loss}, ln V {chance}");
}

#[test]
fn a_step_changes_every_weight() {
    let small = Small::new();
    let folder = tempfile::tempdir().unwrap();
    small.run(folder.path()).unwrap();
    let trained = crate::checkpoint_weights(folder.path(), 30);
    for ((name, before), (_, after)) in weights(&small.decoder()).iter().zip(&trained) {
        assert_ne!(before, after, "{name}");
    }
}
