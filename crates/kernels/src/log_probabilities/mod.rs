//! Log-probabilities of given tokens and entropies of their distributions, as one differentiable operation. Policy
//! gradients use it.

#[cfg(feature = "flex")]
mod cpu;
pub mod reference;

use burn::tensor::Tensor;

use crate::Precision;
use crate::head::Head;

/// Log-probability of one token a row, and the entropy of the row's distribution.
#[derive(Clone, Debug)]
pub struct LogProbabilities {
    /// log p of the token, in nats: `[N]`.
    pub chosen: Tensor<1>,
    /// The entropy `−Σ p log p` of the whole softmax, in nats: `[N]`.
    pub entropy: Tensor<1>,
}

/// Log-probability of token `ids[i]` under, and entropy of, the softmax of `hᵢ·W / temperature`, computed in f32.
///
/// On the CPU the logits are computed a few rows at a time, and again in the backward pass, so that `[N, V]` is never
/// in memory as a whole.
///
/// # Shapes
/// hidden `[N, D]`, N ids → two of `[N]`
///
/// # Panics
/// When there is not one id a row, an id is not in the vocabulary, or the temperature is not positive.
#[must_use]
pub fn log_probabilities(
    hidden: Tensor<2>,
    head: Head,
    ids: Vec<u32>,
    temperature: f64,
    precision: Precision,
) -> LogProbabilities {
    let [rows, _] = hidden.dims();
    let vocabulary = head.vocabulary();
    assert_eq!(ids.len(), rows, "one token a row");
    assert!(ids.iter().all(|&id| (id as usize) < vocabulary), "a token is not in the vocabulary");
    assert!(temperature > 0.0, "a temperature of {temperature}");
    #[cfg(feature = "flex")]
    if crate::op::on_host(&hidden) {
        let (how, head) = head.into_parts(precision);
        let inputs = std::iter::once(hidden).chain(head).map(Tensor::into_dispatch);
        let kernel = cpu::LogProbabilitiesKernel { ids, inverse_temperature: (1.0 / temperature) as f32, how };
        let both: Tensor<2> = crate::op::apply(kernel, inputs.collect::<Vec<_>>());
        let of = |row| both.clone().narrow(0, row, 1).squeeze_dim::<1>(0);
        return LogProbabilities { chosen: of(0), entropy: of(1) };
    }
    reference::of_logits(head.logits(hidden, precision), &ids, temperature)
}
