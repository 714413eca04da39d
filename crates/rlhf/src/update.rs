//! One update of a model, and the minibatches of a step's answers.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_model::ActivationCheckpoints;
use fireclay_train::metrics::names;
use fireclay_train::{ModuleGradients, Optimizer};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::completions::number;

/// Computes the gradient of `loss` and makes an update, unless something is not finite. Returns the model, and loss and
/// gradient norm, or `None` for them if the update was skipped.
pub(crate) fn descend<M: Module>(
    model: M,
    optimizer: &mut Optimizer,
    loss: &Tensor<1>,
    checkpoints: Option<&ActivationCheckpoints>,
    learning_rate: f64,
) -> (M, Option<(f64, f64)>) {
    let mut gradients = ModuleGradients::of_loss(&model, loss, checkpoints);
    let norm = gradients.norm();
    let loss = number(loss.clone());
    if !(loss.is_finite() && norm.is_finite()) {
        return (model, None);
    }
    (optimizer.step(model, gradients, norm, learning_rate), Some((loss, norm)))
}

/// `0 .. count` in a random order, by seed, step and epoch, in pieces of `size`; the last may be shorter.
pub(crate) fn minibatches(count: usize, size: usize, seed: u64, step: u64, epoch: u64) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    rng.set_stream(epoch);
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut rng);
    order.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
}

/// Means over updates of metrics with the same name.
#[derive(Debug, Default)]
pub(crate) struct Means {
    sums: Vec<(&'static str, f64, u64)>,
    /// The largest |ratio − 1| before the policy's first update.
    ratio_error: Option<f64>,
    /// Whether the policy has been updated, or would have been.
    policy_updated: bool,
    /// Number of skipped updates.
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

    /// Before the policy's first update every ratio is 1 but for rounding, for the answers are its own. Keeps the
    /// largest |ratio − 1| of the passes until then; later ones change nothing. All `[B, C]`
    pub(crate) fn ratio_error(&mut self, logprobs_bc: &Tensor<2>, old_bc: &Tensor<2>, mask_bc: &Tensor<2>) {
        if self.policy_updated {
            return;
        }
        let errors = ((logprobs_bc.clone().detach() - old_bc.clone()).exp() - 1.0).abs() * mask_bc.clone();
        let largest = number(errors.max());
        self.ratio_error = Some(self.ratio_error.map_or(largest, |before| before.max(largest)));
    }

    /// Adds loss and gradient norm of an update of the policy, or counts it as left out.
    pub(crate) fn policy_update(&mut self, result: Option<(f64, f64)>) {
        self.policy_updated = true;
        self.update(names::LOSS, names::GRAD_NORM, result);
    }

    /// The same of an update of the critic.
    pub(crate) fn critic_update(&mut self, result: Option<(f64, f64)>) {
        self.update(names::VALUE_LOSS, names::CRITIC_GRAD_NORM, result);
    }

    fn update(&mut self, loss: &'static str, norm: &'static str, result: Option<(f64, f64)>) {
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
        let find = |name| all.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        let (loss, grad_norm) = (find(names::LOSS), find(names::GRAD_NORM));
        let error = self.ratio_error.map(|error| (names::RATIO_ERROR, error));
        let others = all.into_iter().filter(|(name, _)| ![names::LOSS, names::GRAD_NORM].contains(name));
        let metrics = others.chain(error).collect();
        crate::online::UpdateStats { metrics, skipped: self.skipped, grad_norm, loss }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_error_is_the_largest_before_the_first_update() {
        let device = fireclay_model::device::parse("cpu").unwrap();
        let row = |values: [f32; 3]| Tensor::<2>::from_floats([values], &device);
        let (old, mask) = (row([-1.0, -2.0, 0.0]), row([1.0, 1.0, 0.0]));
        let mut means = Means::default();
        means.ratio_error(&row([-1.0, -2.0 + 1.5_f32.ln(), 9.0]), &old, &mask);
        means.ratio_error(&row([-1.0 + 0.25_f32.ln(), -2.0, 0.0]), &old, &mask);
        means.critic_update(Some((1.0, 1.0)));
        means.policy_update(Some((1.0, 1.0)));
        means.ratio_error(&row([5.0, 5.0, 5.0]), &old, &mask);
        let metrics = means.into_stats().metrics;
        let (_, error) = metrics.iter().find(|(name, _)| *name == "ratio_error").unwrap();
        assert!((error - 0.75).abs() < 1e-6, "{error}");
    }

    #[test]
    fn a_policy_that_was_not_updated_has_no_loss() {
        let mut means = Means::default();
        means.critic_update(Some((3.0, 2.0)));
        means.policy_update(None);
        let stats = means.into_stats();
        assert_eq!((stats.loss, stats.grad_norm, stats.skipped), (None, None, 1));
        assert_eq!(stats.metrics, [("value_loss", 3.0), ("critic_grad_norm", 2.0)]);
    }

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
