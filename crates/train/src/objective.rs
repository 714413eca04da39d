//! What is minimised: a model and a batch give a loss.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_data::Batch;
use fireclay_model::Decoder;

/// A loss that gradients can be taken of.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The mean over what the loss is about (targets, pairs), weighted; `[1]`.
    pub mean: Tensor<1>,
    /// What this batch counts beside others: the sum of its targets' weights, the number of its pairs.
    pub weight: f64,
    /// Tokens that went through the model.
    pub tokens: u64,
    /// Numbers for the log, each a mean that counts as much as the loss.
    pub metrics: Vec<(&'static str, f64)>,
}

/// A loss of a model on a batch.
pub trait Objective<M = Decoder, B = Batch> {
    /// The loss, with its graph when the model is on an autodiff device.
    fn loss(&self, model: &M, batch: &B) -> Loss;
}

/// Cross-entropy of the next token, in nats: `−Σ wᵢ log p(targetᵢ) / Σ wᵢ`, with the softmax in f32.
#[derive(Clone, Copy, Debug, Default)]
pub struct NextToken;

impl Objective for NextToken {
    fn loss(&self, decoder: &Decoder, batch: &Batch) -> Loss {
        let logprobs_btv = log_softmax(logits(decoder, batch), 2);
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
        let logits_btv = logits(decoder, batch);
        let logprobs_btv = log_softmax(logits_btv.clone(), 2);
        // log Z is what log_softmax took off every logit; the first one's will do.
        let log_z_bt = (logits_btv.narrow(2, 0, 1) - logprobs_btv.clone().narrow(2, 0, 1)).squeeze_dim::<2>(2);
        let losses_bt = target_losses(logprobs_btv, batch) + log_z_bt.square() * self.coefficient;
        mean(losses_bt, batch)
    }
}

/// Logits of every position, which sees its own segment only where the batch has segments. `[B, T, V]`
fn logits(decoder: &Decoder, batch: &Batch) -> Tensor<3> {
    let ids = indices(&batch.ids, batch, &decoder.device());
    match &batch.segments {
        Some(segments) => decoder.forward_segmented(ids, segments),
        None => decoder.forward(ids, None),
    }
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
    let tokens = batch.ids.len() as u64;
    let Some(weights) = &batch.weights else {
        return Loss { mean: losses_bt.mean(), weight: batch.targets.len() as f64, tokens, metrics: vec![] };
    };
    let weight: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let weights_bt = TensorData::new(weights.clone(), [batch.batch, batch.context]);
    let weighted_bt = losses_bt.clone() * Tensor::from_data(weights_bt, &losses_bt.device());
    let divisor = if weight > 0.0 { weight } else { 1.0 };
    Loss { mean: weighted_bt.sum() / divisor, weight, tokens, metrics: vec![] }
}
