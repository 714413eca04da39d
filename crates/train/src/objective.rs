//! What is minimised: a model and a batch give a loss.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_data::Batch;
use fireclay_model::Decoder;

/// A loss that gradients can be taken of.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The mean over the targets, weighted; `[1]`.
    pub mean: Tensor<1>,
    /// The sum of the targets' weights: what this batch counts beside others.
    pub tokens: f64,
}

/// A loss of a model on a batch.
pub trait Objective<M = Decoder> {
    /// The loss, with its graph when the model is on an autodiff device.
    fn loss(&self, model: &M, batch: &Batch) -> Loss;
}

/// Cross-entropy of the next token, in nats: `−Σ wᵢ log p(targetᵢ) / Σ wᵢ`, with the softmax in f32.
#[derive(Clone, Copy, Debug, Default)]
pub struct NextToken;

impl Objective for NextToken {
    fn loss(&self, decoder: &Decoder, batch: &Batch) -> Loss {
        let device = decoder.device();
        let logprobs_btv = log_softmax(decoder.forward(ids(batch, &device), None), 2);
        let losses_bt = target_losses(logprobs_btv, batch);
        mean(losses_bt, batch)
    }
}

/// [`NextToken`] plus `coefficient · log² Z`, where Z is the softmax's denominator: keeps the logits from drifting
/// (Chowdhery et al. 2022, `PaLM`, section 5, with 1e-4).
#[derive(Clone, Copy, Debug)]
pub struct NextTokenZLoss {
    /// Weight of the regularisation.
    pub coefficient: f64,
}

impl Objective for NextTokenZLoss {
    fn loss(&self, decoder: &Decoder, batch: &Batch) -> Loss {
        let device = decoder.device();
        let logits_btv = decoder.forward(ids(batch, &device), None);
        let logprobs_btv = log_softmax(logits_btv.clone(), 2);
        // log Z is what log_softmax took off every logit; the first one's will do.
        let log_z_bt = (logits_btv.narrow(2, 0, 1) - logprobs_btv.clone().narrow(2, 0, 1)).squeeze_dim::<2>(2);
        let losses_bt = target_losses(logprobs_btv, batch) + log_z_bt.square() * self.coefficient;
        mean(losses_bt, batch)
    }
}

fn ids(batch: &Batch, device: &Device) -> Tensor<2, Int> {
    indices(&batch.ids, batch, device)
}

fn indices(ids: &[u32], batch: &Batch, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch.batch, batch.context]), device)
}

/// −log p of every target. `[B, T, V]` → `[B, T]`
fn target_losses(logprobs_btv: Tensor<3>, batch: &Batch) -> Tensor<2> {
    let targets_bt = indices(&batch.targets, batch, &logprobs_btv.device());
    -logprobs_btv.gather(2, targets_bt.unsqueeze_dim(2)).squeeze_dim::<2>(2)
}

/// The weighted mean; 0 where no target has weight.
fn mean(losses_bt: Tensor<2>, batch: &Batch) -> Loss {
    let Some(weights) = &batch.weights else {
        return Loss { mean: losses_bt.mean(), tokens: batch.targets.len() as f64 };
    };
    let tokens: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let weights_bt = TensorData::new(weights.clone(), [batch.batch, batch.context]);
    let weighted_bt = losses_bt.clone() * Tensor::from_data(weights_bt, &losses_bt.device());
    let divisor = if tokens > 0.0 { tokens } else { 1.0 };
    Loss { mean: weighted_bt.sum() / divisor, tokens }
}
