//! Loss on examples that were not trained on.

use std::collections::BTreeMap;

use fireclay_data::Batch;
use fireclay_model::Decoder;

use crate::{NextToken, Objective};

/// Results on a validation split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// The mean loss: for next tokens, mean −log p in nats.
    pub loss: f64,
    /// `loss / ln 2 / bytes per token`: comparable between tokenizers. `None` when the text's bytes are not known.
    pub bits_per_byte: Option<f64>,
    /// Number of terms in the mean loss: targets or pairs.
    pub weight: f64,
    /// The means of the objective's other numbers, by their names.
    pub metrics: BTreeMap<String, f64>,
}

/// The mean of an objective over `batches`. Pass `model.valid()`; otherwise every activation is kept for gradients that
/// are never computed.
pub fn evaluate_objective<M, B>(
    model: &M,
    objective: &dyn Objective<M, B>,
    batches: impl Iterator<Item = B>,
) -> Evaluation {
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut metrics: BTreeMap<String, f64> = BTreeMap::new();
    for batch in batches {
        let loss = objective.loss(model, &batch);
        sum += f64::from(loss.mean.into_scalar::<f32>()) * loss.weight;
        weight += loss.weight;
        for (name, value) in loss.metrics {
            *metrics.entry(name.to_owned()).or_default() += value * loss.weight;
        }
    }
    let mean = |sum: f64| if weight > 0.0 { sum / weight } else { f64::NAN };
    let metrics = metrics.into_iter().map(|(name, sum)| (name, mean(sum))).collect();
    Evaluation { loss: mean(sum), bits_per_byte: None, weight, metrics }
}

/// The mean next-token loss over all targets of `batches`, and in bits per byte if the average bytes per token are
/// known.
pub fn evaluate(decoder: &Decoder, batches: impl Iterator<Item = Batch>, bytes_per_token: Option<f64>) -> Evaluation {
    let evaluation = evaluate_objective(decoder, &NextToken, batches);
    let bits_per_byte = bytes_per_token.map(|bytes| evaluation.loss / std::f64::consts::LN_2 / bytes);
    Evaluation { bits_per_byte, ..evaluation }
}
