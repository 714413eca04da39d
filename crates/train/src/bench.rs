//! The training step that is compared with `PyTorch`'s.

use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use fireclay_data::Batch;
use fireclay_kernels::bench::median;
use fireclay_model::{Activation, ActivationCheckpoints, Decoder, DecoderConfig, Precision};
use serde::{Deserialize, Serialize};

use crate::{ModuleGradients, NextToken, Objective, Optimizer, OptimizerConfig, TrainError, peak_memory};

/// The benchmark's model: a decoder with layer norm, learned positions, `ReLU`, biases everywhere but in its untied
/// head, and its batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BenchShape {
    /// Rows (B).
    pub batch: usize,
    /// Tokens in a row (T).
    pub context: usize,
    /// Width (D).
    pub width: usize,
    /// Heads (H).
    pub heads: usize,
    /// Blocks (L).
    pub layers: usize,
    /// Tokens in the vocabulary (V).
    pub vocab: usize,
    /// Steps; the first three are not timed.
    pub steps: usize,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// Whether each block keeps only its input for the backward pass.
    pub checkpointing: bool,
}

impl Default for BenchShape {
    fn default() -> Self {
        Self {
            batch: 8,
            context: 256,
            width: 384,
            heads: 6,
            layers: 6,
            vocab: 4096,
            steps: 8,
            precision: Precision::F32,
            checkpointing: false,
        }
    }
}

/// Results of the measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Tokens a second, from the median time of the steps after the first three.
    pub tokens_per_s: f64,
    /// The most memory the process has had at once, in bytes; 0 where the system does not say.
    pub peak_bytes: u64,
    /// Trainable numbers.
    pub parameters: usize,
    /// Loss of each step before its update, nats a token.
    pub losses: Vec<f64>,
}

impl BenchShape {
    /// The decoder of this shape.
    #[must_use]
    pub fn decoder(&self) -> DecoderConfig {
        DecoderConfig {
            activation: Activation::Relu,
            tied_head: false,
            ..DecoderConfig::gpt2(self.vocab, self.width, self.layers, self.heads, self.context)
        }
    }

    /// Ids and targets, each `[B, T]` row by row, from a formula that any program can repeat: number i is
    /// `(7919·i + 13) mod V` and `(104729·i + 5) mod V`.
    #[must_use]
    pub fn data(&self) -> Batch {
        let formula = |factor: usize, offset: usize| {
            (0..self.batch * self.context).map(|i| ((i * factor + offset) % self.vocab) as u32).collect()
        };
        Batch {
            batch: self.batch,
            context: self.context,
            ids: formula(7919, 13),
            targets: formula(104_729, 5),
            weights: None,
            segments: None,
        }
    }

    fn validate(&self) -> Result<(), TrainError> {
        if self.steps < 4 {
            let value = self.steps.to_string();
            return Err(TrainError::Config {
                key: "steps",
                value,
                expected: "4 or more: the first three are not timed",
            });
        }
        if self.batch == 0 {
            return Err(TrainError::Config { key: "batch", value: "0".into(), expected: "1 or more" });
        }
        Ok(self.decoder().validate()?)
    }
}

/// Trains for `shape.steps` steps on one batch with `AdamW` (learning rate 1e-3, β .9 and .95, decay 0.1 on everything,
/// clip 1) and times each.
///
/// # Errors
/// When the shape is impossible.
pub fn bench_train(shape: &BenchShape, device: &Device) -> Result<BenchReport, TrainError> {
    shape.validate()?;
    let checkpoints = shape.checkpointing.then(ActivationCheckpoints::default);
    let decoder = |device: &Device| {
        let decoder = shape.decoder().init(0, device).with_precision(shape.precision);
        decoder.with_activation_checkpoints(checkpoints.clone())
    };
    bench_decoder(decoder, &shape.data(), shape.steps, checkpoints.as_ref(), device)
}

/// [`bench_train`] for any decoder, which is made on the given device and has `checkpoints` if there are any, and any
/// batch.
///
/// # Errors
/// When the device fails.
///
/// # Panics
/// When `steps` is less than 4.
pub fn bench_decoder(
    decoder: impl FnOnce(&Device) -> Decoder,
    batch: &Batch,
    steps: usize,
    checkpoints: Option<&ActivationCheckpoints>,
    device: &Device,
) -> Result<BenchReport, TrainError> {
    assert!(steps > 3, "the first three steps are not timed, and there are {steps}");
    let mut decoder = decoder(&device.clone().autodiff());
    let parameters = decoder.num_params();
    let mut optimizer = Optimizer::new(OptimizerConfig { decay_vectors: true, ..OptimizerConfig::default() });
    let (mut seconds, mut losses) = (vec![], vec![]);
    for _ in 0..steps {
        let start = Instant::now();
        let loss = NextToken.loss(&decoder, batch);
        let mut gradients = ModuleGradients::of_loss(&decoder, &loss.mean, checkpoints);
        let norm = gradients.norm();
        decoder = optimizer.step(decoder, gradients, norm, 1e-3);
        losses.push(f64::from(loss.mean.into_scalar::<f32>()));
        // A GPU runs asynchronously.
        device.sync().map_err(|error| TrainError::Device(error.to_string()))?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let tokens_per_s = (batch.batch * batch.context) as f64 / median(&mut seconds[3..]);
    Ok(BenchReport { tokens_per_s, peak_bytes: peak_memory().unwrap_or(0), parameters, losses })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_trains_and_counts_what_pytorch_counts() {
        let shape = BenchShape {
            batch: 2,
            context: 16,
            width: 16,
            heads: 2,
            layers: 2,
            vocab: 32,
            steps: 6,
            ..BenchShape::default()
        };
        let report = bench_train(&shape, &fireclay_model::device::parse("cpu").unwrap()).unwrap();
        // sum(p.numel() for p in model.parameters()) of the PyTorch script with these numbers.
        assert_eq!(report.parameters, 7872);
        assert_eq!(report.losses.len(), 6);
        assert!(report.losses[5] < report.losses[0] && report.tokens_per_s > 0.0, "{report:?}");
    }

    #[test]
    fn too_few_steps_are_refused() {
        let shape = BenchShape { steps: 3, ..BenchShape::default() };
        let error = bench_train(&shape, &fireclay_model::device::parse("cpu").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "steps = 3: it must be 4 or more: the first three are not timed");
    }
}
