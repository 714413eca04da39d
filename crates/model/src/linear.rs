//! A linear map, and the number format its product is computed in.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
pub use fireclay_kernels::{Precision, WeightStorage, linear};
use fireclay_kernels::{StoredWeight, linears};

use crate::lora::Adapter;

/// `y = x·W + b`, plus what an adapter adds where there is one.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`: GPT-2's layout, the transpose of `PyTorch`'s. Empty where the weight is `stored`.
    pub(crate) weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    pub(crate) lora: Option<Adapter>,
    /// The weight in a format for inference.
    #[module(skip)]
    stored: Option<StoredWeight>,
}

impl Linear {
    /// A map with the given weight `[inputs, outputs]` and bias `[outputs]`.
    #[must_use]
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self { weight: Param::from_tensor(weight), bias: bias.map(Param::from_tensor), lora: None, stored: None }
    }

    /// The map whose results are `factor` times these.
    #[must_use]
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        self.weight = self.weight.map(|weight| weight * factor);
        self.bias = self.bias.map(|bias| bias.map(|bias| bias * factor));
        self
    }

    /// The map that gives what several give of the same input, one behind the other. None of them has an adapter, and
    /// all or none have a bias.
    #[must_use]
    pub(crate) fn joined(maps: &[&Self]) -> Self {
        let weights = maps.iter().map(|map| map.weight.val()).collect();
        let biases: Option<Vec<_>> = maps.iter().map(|map| map.bias.as_ref().map(Param::val)).collect();
        Self::new(Tensor::cat(weights, 1), biases.map(|biases| Tensor::cat(biases, 0)))
    }

    /// The map without its weight, where another has it.
    #[must_use]
    pub(crate) fn emptied(mut self) -> Self {
        let device = self.weight.device();
        self.weight = self.weight.map(|_| Tensor::zeros([0, 0], &device));
        self
    }

    /// The map with its weight in another format, for inference.
    #[must_use]
    pub(crate) fn stored(mut self, format: WeightStorage) -> Self {
        self.stored = Some(StoredWeight::new(self.weight.val(), format));
        self.lora = self.lora.map(|adapter| adapter.stored(format));
        self.emptied()
    }

    /// The weight, if the map is nothing but a product with it.
    pub(crate) fn plain_weight(&self) -> Option<Tensor<2>> {
        let plain = self.bias.is_none() && self.lora.is_none() && self.stored.is_none();
        plain.then(|| self.weight.val())
    }

    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]`. Batch and time are one axis here: a CPU multiplies one tall matrix faster than
    /// many short ones.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        let added = self.lora.as_ref().map(|adapter| adapter.forward(x.clone(), precision));
        let bias = self.bias.as_ref().map(Param::val);
        let y = match &self.stored {
            Some(weight) => weight.linear(x, bias, precision),
            None => linear(x, self.weight.val(), bias, precision),
        };
        match added {
            Some(added) => y + added,
            None => y,
        }
    }

    /// What several maps give of the same input.
    ///
    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]` each
    #[must_use]
    pub(crate) fn forward_all<const M: usize>(maps: [&Self; M], x: Tensor<2>, precision: Precision) -> [Tensor<2>; M] {
        let biases = maps.iter().filter(|map| map.bias.is_some()).count();
        let plain = maps.iter().all(|map| map.lora.is_none() && map.stored.is_none());
        if !plain || (biases > 0 && biases < M) {
            return maps.map(|map| map.forward(x.clone(), precision));
        }
        let bias = |map: &Self| map.bias.as_ref().expect("all have one").val();
        linears(x, maps.map(|map| map.weight.val()), (biases == M).then(|| maps.map(bias)), precision)
    }
}
