//! A linear map, with an optional adapter and in an optional storage format.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use fireclay_kernels::{Head, StoredWeight, linears};
pub use fireclay_kernels::{Precision, WeightStorage, linear};

use crate::lora::Adapter;

/// `y = x·W + b`, plus the result of its adapter, if any.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`: GPT-2's layout, the transpose of `PyTorch`'s. Empty if the weight is `stored`.
    pub(crate) weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    pub(crate) lora: Option<Adapter>,
    /// The weight in a format that cannot be trained.
    #[module(skip)]
    stored: Option<StoredWeight>,
}

impl Linear {
    /// A map with the given weight `[inputs, outputs]` and bias `[outputs]`.
    #[must_use]
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self { weight: Param::from_tensor(weight), bias: bias.map(Param::from_tensor), lora: None, stored: None }
    }

    /// A map whose weight is not trained.
    #[must_use]
    pub(crate) fn of_stored(weight: StoredWeight, bias: Option<Tensor<1>>, device: &Device) -> Self {
        Self { stored: Some(weight), ..Self::new(Tensor::zeros([0, 0], device), bias) }
    }

    /// Inputs and outputs.
    #[must_use]
    pub(crate) fn dims(&self) -> [usize; 2] {
        self.stored.as_ref().map_or_else(|| self.weight.dims(), StoredWeight::dims)
    }

    /// Whether it has no adapter and its weight can be trained.
    #[must_use]
    pub(crate) fn is_whole(&self) -> bool {
        self.lora.is_none() && self.stored.is_none()
    }

    /// Whether the weight is in a format that cannot be trained.
    #[must_use]
    pub(crate) fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// The weight without the adapter. `[inputs, outputs]`
    fn bare_weight(&self) -> Tensor<2> {
        match &self.stored {
            Some(stored) => on_device_of(stored.widened(), &self.weight.device()),
            None => self.weight.val(),
        }
    }

    /// The weight with the adapter added. `[inputs, outputs]`
    #[must_use]
    pub(crate) fn merged_weight(&self) -> Tensor<2> {
        match &self.lora {
            Some(adapter) => (self.bare_weight() + adapter.delta()).detach(),
            None => self.bare_weight(),
        }
    }

    /// The map with its adapter merged into its weight, which can be trained.
    #[must_use]
    pub(crate) fn merged(mut self) -> Self {
        if !self.is_whole() {
            let weight = self.merged_weight();
            (self.lora, self.stored) = (None, None);
            self.weight = Param::from_tensor(weight);
        }
        self
    }

    /// The map with its results multiplied by `factor`.
    #[must_use]
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        self.weight = self.weight.map(|weight| weight * factor);
        self.bias = self.bias.map(|bias| bias.map(|bias| bias * factor));
        self
    }

    /// One map that computes several maps of the same input; their outputs follow one another. None of them has an
    /// adapter, and all or none have a bias.
    #[must_use]
    pub(crate) fn joined(maps: &[&Self]) -> Self {
        let weights = maps.iter().map(|map| map.weight.val()).collect();
        let biases: Option<Vec<_>> = maps.iter().map(|map| map.bias.as_ref().map(Param::val)).collect();
        Self::new(Tensor::cat(weights, 1), biases.map(|biases| Tensor::cat(biases, 0)))
    }

    /// The map without its weight, after it was joined into another.
    #[must_use]
    pub(crate) fn emptied(mut self) -> Self {
        let device = self.weight.device();
        self.weight = self.weight.map(|_| Tensor::zeros([0, 0], &device));
        self
    }

    /// The map with its weight in another format, for inference; one that is stored already stays as it is.
    #[must_use]
    pub(crate) fn stored(self, format: WeightStorage) -> Self {
        self.stored_by(|weight| StoredWeight::for_inference(weight, format))
    }

    /// The map with its weight in another format, frozen under an adapter that is trained.
    #[must_use]
    pub(crate) fn frozen(self, format: WeightStorage) -> Self {
        self.stored_by(|weight| StoredWeight::new(weight, format))
    }

    fn stored_by(mut self, store: impl Fn(Tensor<2>) -> StoredWeight) -> Self {
        if self.stored.is_none() {
            self.stored = Some(store(self.weight.val()));
        }
        self.lora = self.lora.map(|adapter| adapter.stored_by(store));
        self.emptied()
    }

    /// The map as a head, if it is only a product with its weight.
    pub(crate) fn as_head(&self) -> Option<Head> {
        let plain = self.bias.is_none() && self.lora.is_none();
        plain.then(|| match &self.stored {
            Some(stored) => Head::Stored(stored.clone()),
            None => Head::Matrix(self.weight.val()),
        })
    }

    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]`. Batch and time are one axis: a CPU multiplies one tall matrix faster than many
    /// short ones.
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

    /// Results of several maps of the same input.
    ///
    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]` each
    #[must_use]
    pub(crate) fn forward_all<const M: usize>(maps: [&Self; M], x: Tensor<2>, precision: Precision) -> [Tensor<2>; M] {
        let biases = maps.iter().filter(|map| map.bias.is_some()).count();
        let plain = maps.iter().all(|map| map.is_whole());
        if !plain || (biases > 0 && biases < M) {
            return maps.map(|map| map.forward(x.clone(), precision));
        }
        let bias = |map: &Self| map.bias.as_ref().expect("all have one").val();
        linears(x, maps.map(|map| map.weight.val()), (biases == M).then(|| maps.map(bias)), precision)
    }
}

/// A tensor without gradients, on `device`.
#[must_use]
pub(crate) fn on_device_of<const R: usize>(tensor: Tensor<R>, device: &Device) -> Tensor<R> {
    if device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor }
}
