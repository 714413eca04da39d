//! A linear map, and the number format its product is computed in.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
pub use fireclay_kernels::{Precision, WeightStorage, linear};

use crate::lora::Adapter;

/// `y = x·W + b`, plus what an adapter adds where there is one.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`: GPT-2's layout, the transpose of `PyTorch`'s.
    pub(crate) weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    pub(crate) lora: Option<Adapter>,
    /// Columns of the weight, and numbers of the bias, that are there to fill a block of its format.
    #[module(skip)]
    padding: usize,
}

impl Linear {
    /// A map with the given weight `[inputs, outputs]` and bias `[outputs]`.
    #[must_use]
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self { weight: Param::from_tensor(weight), bias: bias.map(Param::from_tensor), lora: None, padding: 0 }
    }

    /// The map whose results are `factor` times these.
    #[must_use]
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        self.weight = self.weight.map(|weight| weight * factor);
        self.bias = self.bias.map(|bias| bias.map(|bias| bias * factor));
        self
    }

    /// The map with its weight in another format, for inference.
    #[must_use]
    pub(crate) fn stored(mut self, format: WeightStorage) -> Self {
        let outputs = self.weight.dims()[1];
        self.weight = self.weight.map(|weight| format.store(weight));
        self.padding = self.weight.dims()[1] - outputs;
        if self.padding > 0 {
            let zeros = Tensor::zeros([self.padding], &self.weight.device());
            self.bias = self.bias.map(|bias| bias.map(|bias| Tensor::cat(vec![bias, zeros], 0)));
        }
        self
    }

    /// The weight, if the map is nothing but a product with it.
    pub(crate) fn plain_weight(&self) -> Option<Tensor<2>> {
        let plain = self.bias.is_none() && self.lora.is_none() && self.weight.dtype() == DType::F32;
        plain.then(|| self.weight.val())
    }

    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]`. Batch and time are one axis here: a CPU multiplies one tall matrix faster than many short ones.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        let added = self.lora.as_ref().map(|adapter| adapter.forward(x.clone(), precision));
        let mut y = linear(x, self.weight.val(), self.bias.as_ref().map(Param::val), precision);
        if self.padding > 0 {
            let outputs = y.dims()[1] - self.padding;
            y = y.narrow(1, 0, outputs);
        }
        match added {
            Some(added) => y + added,
            None => y,
        }
    }
}
