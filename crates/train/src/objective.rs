//! Objectives: the loss of a model on a batch.

use burn::tensor::{Int, Tensor, TensorData};
use fireclay_data::Batch;
use fireclay_model::{Decoder, Targets};

/// Loss of a batch, with its graph, and numbers for the log.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The weighted mean over the terms of the loss (targets or pairs); `[1]`.
    pub mean: Tensor<1>,
    /// Weight of this batch among others: the sum of its targets' weights, or the number of its pairs.
    pub weight: f64,
    /// Number of tokens that the model processed.
    pub tokens: u64,
    /// Numbers for the log, each a mean with the same weight as the loss.
    pub metrics: Vec<(&'static str, f64)>,
}

/// A function of a model and a batch that training minimises.
pub trait Objective<M = Decoder, B = Batch> {
    /// The loss, with its graph when the model is on an autodiff device.
    fn loss(&self, model: &M, batch: &B) -> Loss;
}

/// Cross-entropy of the next token, in nats: `−Σ wᵢ log p(targetᵢ) / Σ wᵢ`, with the softmax in
/// f32; 0 where no target has weight.
#[derive(Clone, Copy, Debug, Default)]
pub struct NextToken;

impl Objective for NextToken {
    fn loss(&self, decoder: &Decoder, batch: &Batch) -> Loss {
        let ids: Vec<i32> = batch.ids.iter().map(|&id| id as i32).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [batch.batch, batch.context]), &decoder.device());
        let hidden_btd = match &batch.segments {
            Some(segments) => decoder.hidden_segmented(ids, segments),
            None => decoder.hidden(ids, None),
        };
        let mut weights = batch.weights.clone().unwrap_or_else(|| vec![1.0; batch.targets.len()]);
        let weight: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        if weight > 0.0 {
            for each in &mut weights {
                *each = (f64::from(*each) / weight) as f32;
            }
        }
        let targets = Targets { ids: batch.targets.clone(), weights };
        let mean = decoder.cross_entropy(hidden_btd, targets);
        Loss { mean, weight, tokens: batch.ids.len() as u64, metrics: vec![] }
    }
}
