//! One update of a model, and how a step's answers are cut into minibatches.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_model::Checkpoints;
use fireclay_train::{ModuleGradients, Optimizer};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::completions::number;

/// Takes the gradient of `loss` and makes a step with it, unless something is not finite. Returns
/// the model, and loss and gradient norm, or `None` for them when the step was left out.
pub(crate) fn descend<M: Module>(
    model: M,
    optimizer: &mut Optimizer,
    loss: &Tensor<1>,
    checkpoints: Option<&Checkpoints>,
    learning_rate: f64,
) -> (M, Option<(f64, f64)>) {
    let gradients = ModuleGradients::of_loss(&model, loss, checkpoints);
    let norm = gradients.norm();
    let loss = number(loss.clone());
    if !(loss.is_finite() && norm.is_finite()) {
        return (model, None);
    }
    (optimizer.step(model, gradients, norm, learning_rate), Some((loss, norm)))
}

/// `0 .. count` in an order that seed, step and epoch choose, in pieces of `size`; the last may be short.
pub(crate) fn minibatches(count: usize, size: usize, seed: u64, step: u64, epoch: u64) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    rng.set_stream(epoch);
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut rng);
    order.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
}

/// Means of numbers that are named alike in every update.
#[derive(Debug, Default)]
pub(crate) struct Means {
    sums: Vec<(&'static str, f64, u64)>,
    /// Updates left out.
    pub(crate) skipped: u64,
}

impl Means {
    pub(crate) fn add(&mut self, name: &'static str, value: f64) {
        match self.sums.iter_mut().find(|(other, ..)| *other == name) {
            Some((_, sum, count)) => {
                *sum += value;
                *count += 1;
            }
            None => self.sums.push((name, value, 1)),
        }
    }

    /// Adds loss and norm of an update under their names, or counts it as left out.
    pub(crate) fn update(&mut self, loss: &'static str, norm: &'static str, result: Option<(f64, f64)>) {
        match result {
            Some((value, gradient)) => {
                self.add(loss, value);
                self.add(norm, gradient);
            }
            None => self.skipped += 1,
        }
    }

    pub(crate) fn into_stats(self) -> crate::online::UpdateStats {
        let all: Vec<_> = self.sums.into_iter().map(|(name, sum, count)| (name, sum / count as f64)).collect();
        let find = |name| all.iter().find(|(other, _)| *other == name).map_or(0.0, |(_, value)| *value);
        let (loss, grad_norm) = (find("loss"), find("grad_norm"));
        let metrics = all.into_iter().filter(|(name, _)| *name != "loss" && *name != "grad_norm").collect();
        crate::online::UpdateStats { metrics, skipped: self.skipped, grad_norm, loss }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_in_one_minibatch_of_an_epoch() {
        let pieces = minibatches(10, 4, 1, 2, 3);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        let mut all: Vec<_> = pieces.concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(pieces, minibatches(10, 4, 1, 2, 3));
        assert_ne!(pieces, minibatches(10, 4, 1, 2, 4));
        assert_ne!(pieces, minibatches(10, 4, 1, 3, 3));
    }
}
