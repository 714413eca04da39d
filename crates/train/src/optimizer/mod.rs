//! `AdamW` (Loshchilov and Hutter 2019) and Muon (Jordan et al. 2024), with clipping by the global norm.
//!
//! State is kept by parameter *name* (`blocks.0.attention.query.weight`), so that a checkpoint
//! means the same in every process. It works on any burn module: decoders, value heads, reward
//! models.

mod gradients;
mod muon;
mod set;
mod state;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use fireclay_kernels::optimizer::{AdamWCoefficients, Momentum, adamw};
use fireclay_model::Precision;
pub use gradients::ModuleGradients;
use muon::Direction;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
pub use set::Optimizers;

/// The rule by which the matrices inside the blocks are updated. Everything else, and adapters,
/// have [`AdamW`](Self::AdamW) in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdateRule {
    /// Each number by its own gradients.
    #[default]
    AdamW,
    /// Each matrix by the nearest orthogonal one to its momentum.
    Muon,
}

/// The numbers of an [`Optimizer`].
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerConfig {
    /// Optimiser of matrices inside the blocks.
    pub rule: UpdateRule,
    /// Memory of the mean of gradients, β₁.
    pub beta1: f64,
    /// Memory of the mean of squared gradients, β₂.
    pub beta2: f64,
    /// Added to the denominator, ε.
    pub epsilon: f64,
    /// Memory of Muon's mean of gradients, μ.
    pub momentum: f64,
    /// Decoupled decay λ.
    pub weight_decay: f64,
    /// Whether vectors (norms, biases) decay too. A GPT's do not; `PyTorch`'s default is that everything does.
    pub decay_vectors: bool,
    /// The most that the global norm of the gradient may be; 0: no limit.
    pub clip: f64,
    /// Number format of Muon's matrix products.
    pub precision: Precision,
}

/// For every parameter w with gradient g, at update t, with learning rate η, by `AdamW`:
///
/// ```text
/// g ← g · min(1, clip / (‖all g‖₂ + 1e-6))
/// m ← β₁·m + (1 − β₁)·g          v ← β₂·v + (1 − β₂)·g²
/// w ← w − η·λ·w − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
///
/// λ is 0 for vectors unless [`decay_vectors`](OptimizerConfig::decay_vectors). This is
/// `torch.nn.utils.clip_grad_norm_` followed by `torch.optim.AdamW`.
///
/// Matrices inside blocks, if [`UpdateRule::Muon`] is asked for, of R rows and C columns:
///
/// ```text
/// m ← μ·m + (1 − μ)·g
/// w ← w − η·λ·w − η · 0.2·√max(R, C) · orthogonal((1 − μ)·g + μ·m)
/// ```
///
/// with `orthogonal` by five steps of Newton and Schulz, and a factor with which the update is as
/// large as `AdamW`'s, so that learning rate and decay mean the same (Liu et al. 2025, "Muon is
/// scalable for LLM training", equation 4). This is `torch.optim.Muon` with `match_rms_adamw`.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    /// Updates made so far, t.
    step: u64,
    moments: BTreeMap<String, Moments>,
}

/// Running means of one parameter, flattened.
#[derive(Clone, Debug)]
struct Moments {
    shape: Vec<usize>,
    /// m, `[elements]`
    first: Tensor<1>,
    /// v, `[elements]`; Muon has none.
    second: Option<Tensor<1>>,
}

impl Optimizer {
    /// An optimiser that has seen nothing yet.
    #[must_use]
    pub fn new(config: OptimizerConfig) -> Self {
        Self { config, step: 0, moments: BTreeMap::new() }
    }

    /// Updates made so far.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.step
    }

    /// Whether Muon updates the matrix of this name.
    fn is_muons(&self, name: &str) -> bool {
        let mut parts = name.split('.');
        self.config.rule == UpdateRule::Muon && parts.any(|part| part == "blocks") && !parts.any(|part| part == "lora")
    }

    /// One update. `norm` is the gradients' [`norm`](ModuleGradients::norm), which the caller has found to be finite.
    /// Parameters without a gradient stay as they are.
    #[must_use]
    pub fn step<M: Module>(&mut self, module: M, gradients: ModuleGradients, norm: f64, learning_rate: f64) -> M {
        self.step += 1;
        let OptimizerConfig { beta1, beta2, epsilon, clip, .. } = self.config;
        let clip_factor = if clip > 0.0 { (clip / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let updates = self.step as f64;
        let coefficients = AdamWCoefficients {
            gradient: gradients.scale() * clip_factor,
            beta1,
            beta2,
            epsilon,
            keep: 1.0,
            rate: learning_rate / (1.0 - beta1.powf(updates)),
            correction2: (1.0 - beta2.powf(updates)).sqrt(),
        };
        let mut step = OptimizerStep {
            on_host: gradients.on_host(),
            optimizer: self,
            gradients,
            coefficients,
            learning_rate,
            directions: BTreeMap::new(),
            path: vec![],
        };
        step.find_directions();
        module.map(&mut step)
    }
}

/// Walks over a module's parameters and updates each.
struct OptimizerStep<'a> {
    optimizer: &'a mut Optimizer,
    gradients: ModuleGradients,
    coefficients: AdamWCoefficients,
    learning_rate: f64,
    on_host: bool,
    /// Of Muon's matrices.
    directions: BTreeMap<String, Direction>,
    path: Vec<String>,
}

impl OptimizerStep<'_> {
    /// The directions of all of Muon's matrices that have a momentum, several at once: the products of one matrix are
    /// too small for all threads. At the first update there are none, and on a GPU the products are asked for one after
    /// the other anyway.
    fn find_directions(&mut self) {
        if !self.on_host {
            return;
        }
        let is_muons =
            |(name, moments): &(&String, &Moments)| moments.shape.len() == 2 && self.optimizer.is_muons(name);
        let names: Vec<String> = self.optimizer.moments.iter().filter(is_muons).map(|(name, _)| name.clone()).collect();
        let matrices: Vec<_> = names
            .into_iter()
            .filter_map(|name| {
                let gradient = self.gradients.take(&name)?;
                let Moments { shape, first, .. } = self.optimizer.moments.remove(&name).expect("its name is known");
                let shape = <[usize; 2]>::try_from(shape).expect("Muon's moments are of matrices");
                Some((name, gradient, first, shape))
            })
            .collect();
        let directions = matrices
            .into_par_iter()
            .map(|(name, gradient, first, shape)| (name, self.direction(gradient, first, shape)))
            .collect::<Vec<_>>();
        self.directions = directions.into_iter().collect();
    }

    fn direction(&self, gradient: Tensor<1>, momentum: Tensor<1>, shape: [usize; 2]) -> Direction {
        let OptimizerConfig { momentum: keep, precision, .. } = self.optimizer.config;
        let coefficients = Momentum { gradient: self.coefficients.gradient, keep };
        Direction::of(gradient, momentum, shape, coefficients, precision, self.on_host)
    }
}

impl ModuleMapper for OptimizerStep<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        let name = self.path.join(".");
        let direction = self.directions.remove(&name);
        let gradient = self.gradients.take(&name);
        if direction.is_none() && gradient.is_none() {
            return param;
        }
        let decays = R > 1 || self.optimizer.config.decay_vectors;
        let keep = if decays { 1.0 - self.learning_rate * self.optimizer.config.weight_decay } else { 1.0 };
        let coefficients = AdamWCoefficients { keep, ..self.coefficients };
        param.map(|weight| {
            let shape = weight.dims();
            let weight = weight.inner().reshape([shape.iter().product::<usize>()]);
            // Taken out of the map, so that each tensor has one owner and is changed in place.
            let moments = self.optimizer.moments.remove(&name);
            let (weight, moments) = match shape[..] {
                [rows, columns] if self.optimizer.is_muons(&name) => {
                    let Direction { direction, momentum: first } = direction.unwrap_or_else(|| {
                        let first = moments.map_or_else(|| Tensor::zeros_like(&weight), |moments| moments.first);
                        self.direction(gradient.expect("there is one or a direction"), first, [rows, columns])
                    });
                    let rate = self.learning_rate;
                    let weight = muon::update(weight, direction, [rows, columns], keep, rate, self.on_host);
                    (weight, Moments { shape: shape.to_vec(), first, second: None })
                }
                _ => {
                    let zeros = || Tensor::zeros_like(&weight);
                    let (first, second) = match moments {
                        Some(moments) => (moments.first, moments.second.unwrap_or_else(zeros)),
                        None => (zeros(), zeros()),
                    };
                    let gradient = gradient.expect("only a matrix of Muon's has a direction instead");
                    let (weight, first, second) = adamw(weight, gradient, first, second, coefficients, self.on_host);
                    (weight, Moments { shape: shape.to_vec(), first, second: Some(second) })
                }
            };
            self.optimizer.moments.insert(name, moments);
            Tensor::from_inner(weight.reshape(shape)).require_grad()
        })
    }
}
