//! A linear map, with an optional adapter and in an optional storage format.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use fireclay_kernels::{Head, StoredWeight, linears};
pub use fireclay_kernels::{Precision, WeightStorage, linear};

use crate::lora::Adapter;
use crate::weight::Weight;

/// `y = x·W + b`, plus the result of its adapter, if any.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`: GPT-2's layout, the transpose of `PyTorch`'s.
    weight: Weight,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    pub(crate) lora: Option<Adapter>,
}

impl Linear {
    /// A map with the given weight `[inputs, outputs]` and bias `[outputs]`.
    #[must_use]
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self::of_weight(Weight::trained(weight), bias)
    }

    /// A map with the given weight `[inputs, outputs]`, trained or not, and bias `[outputs]`.
    #[must_use]
    pub(crate) fn of_weight(weight: Weight, bias: Option<Tensor<1>>) -> Self {
        Self { weight, bias: bias.map(Param::from_tensor), lora: None }
    }

    /// The head that shares the weight of the token embedding.
    #[must_use]
    pub(crate) fn tied_to(embedding: &Weight) -> Self {
        match embedding {
            Weight::Stored(stored) => Self::of_weight(Weight::Stored(stored.clone()), None),
            Weight::Trained(embedding) => Self::new(embedding.val().transpose(), None),
        }
    }

    /// Inputs and outputs.
    #[must_use]
    pub(crate) fn dims(&self) -> [usize; 2] {
        match &self.weight {
            Weight::Trained(weight) => weight.dims(),
            Weight::Stored(stored) => stored.dims(),
        }
    }

    /// Whether it has no adapter and its weight can be trained.
    #[must_use]
    pub(crate) fn is_whole(&self) -> bool {
        self.lora.is_none() && !self.is_stored()
    }

    /// Whether the weight is in a format that cannot be trained.
    #[must_use]
    pub(crate) fn is_stored(&self) -> bool {
        self.weight.is_stored()
    }

    /// The weight with the adapter added, without gradients. `[inputs, outputs]`
    #[must_use]
    pub(crate) fn merged_weight(&self) -> Tensor<2> {
        let bare = match &self.weight {
            Weight::Trained(weight) => without_gradients(weight.val()),
            Weight::Stored(stored) => stored.widened(),
        };
        match &self.lora {
            Some(adapter) => bare + without_gradients(adapter.delta()),
            None => bare,
        }
    }

    /// The map with its adapter merged into its weight, which can be trained, on `device`.
    #[must_use]
    pub(crate) fn merged(mut self, device: &Device) -> Self {
        if !self.is_whole() {
            self.weight = Weight::trained(on_device_of(self.merged_weight(), device));
            self.lora = None;
        }
        self
    }

    /// The map with its results multiplied by `factor`.
    ///
    /// # Panics
    /// When its weight cannot be trained.
    #[must_use]
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        let Weight::Trained(weight) = self.weight else { panic!("a weight is scaled before it is stored") };
        self.weight = Weight::Trained(weight.map(|weight| weight * factor));
        self.bias = self.bias.map(|bias| bias.map(|bias| bias * factor));
        self
    }

    /// One map that computes several maps of the same input; their outputs follow one another. None of them has an
    /// adapter, and all or none have a bias.
    ///
    /// # Panics
    /// When a weight cannot be trained.
    #[must_use]
    pub(crate) fn joined(maps: &[Self]) -> Self {
        let weights = maps.iter().map(|map| map.trained().val()).collect();
        let biases: Option<Vec<_>> = maps.iter().map(|map| map.bias.as_ref().map(Param::val)).collect();
        Self::new(Tensor::cat(weights, 1), biases.map(|biases| Tensor::cat(biases, 0)))
    }

    fn trained(&self) -> &Param<Tensor<2>> {
        self.weight.parameter().expect("the weight of a whole map is trained")
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
        self.weight = self.weight.stored_by(&store);
        self.lora = self.lora.map(|adapter| adapter.stored_by(store));
        self
    }

    /// The map as a head, if it is only a product with its weight.
    pub(crate) fn as_head(&self) -> Option<Head> {
        let plain = self.bias.is_none() && self.lora.is_none();
        plain.then(|| match &self.weight {
            Weight::Trained(weight) => Head::Matrix(weight.val()),
            Weight::Stored(stored) => Head::Stored(stored.clone()),
        })
    }

    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]`. Batch and time are one axis: a CPU multiplies one tall matrix faster than many
    /// short ones.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        let added = self.lora.as_ref().map(|adapter| adapter.forward(x.clone(), precision));
        let bias = self.bias.as_ref().map(Param::val);
        let y = self.weight.linear(x, bias, precision);
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
        linears(x, maps.map(|map| map.trained().val()), (biases == M).then(|| maps.map(bias)), precision)
    }
}

fn without_gradients(tensor: Tensor<2>) -> Tensor<2> {
    if tensor.device().is_autodiff() { tensor.inner() } else { tensor }
}

/// A tensor without gradients, on `device`.
#[must_use]
pub(crate) fn on_device_of<const R: usize>(tensor: Tensor<R>, device: &Device) -> Tensor<R> {
    if device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor }
}
