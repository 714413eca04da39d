//! Loss on text that was not trained on.

use fireclay_data::Batch;
use fireclay_model::Decoder;

use crate::{NextToken, Objective};

/// How well a decoder predicts a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean −log p of the next token, nats.
    pub loss: f64,
    /// `loss / ln 2 / bytes per token`: comparable between tokenizers. `None` when the text's bytes are not known.
    pub bits_per_byte: Option<f64>,
    /// Targets it is the mean of.
    pub tokens: u64,
}

/// The mean next-token loss over all targets of `batches`. Give it [`decoder.valid()`](burn::module::Module::valid), or every
/// activation is kept for gradients that nobody takes.
pub fn evaluate(decoder: &Decoder, batches: impl Iterator<Item = Batch>, bytes_per_token: Option<f64>) -> Evaluation {
    let (mut sum, mut tokens) = (0.0, 0.0);
    for batch in batches {
        let loss = NextToken.loss(decoder, &batch);
        sum += f64::from(loss.mean.into_scalar::<f32>()) * loss.tokens;
        tokens += loss.tokens;
    }
    let loss = if tokens > 0.0 { sum / tokens } else { f64::NAN };
    let bits_per_byte = bytes_per_token.map(|bytes| loss / std::f64::consts::LN_2 / bytes);
    Evaluation { loss, bits_per_byte, tokens: tokens as u64 }
}
