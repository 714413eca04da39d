//! The adapter of one linear map.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use fireclay_kernels::{Precision, StoredWeight, linear};

/// Adapter of one linear map.
#[derive(Module, Debug)]
pub struct Adapter {
    /// A, `[inputs, rank]`
    a: Param<Tensor<2>>,
    /// B, `[rank, outputs]`
    b: Param<Tensor<2>>,
    /// `alpha / rank`
    scale: f64,
    /// A and B in a format for inference.
    #[module(skip)]
    stored: Option<[StoredWeight; 2]>,
}

impl Adapter {
    /// A, `[inputs, rank]`, and B, `[rank, outputs]`, whose product is multiplied by `scale`, `alpha / rank`.
    pub(super) fn new(a: Tensor<2>, b: Tensor<2>, scale: f64) -> Self {
        Self { a: Param::from_tensor(a), b: Param::from_tensor(b), scale, stored: None }
    }

    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        if let Some([a, b]) = &self.stored {
            return b.linear(a.linear(x, None, precision), None, precision) * self.scale;
        }
        let low = linear(x, self.a.val(), None, precision);
        linear(low, self.b.val(), None, precision) * self.scale
    }

    /// The adapter with its matrices in another format, in which they are not trained.
    #[must_use]
    pub(crate) fn stored_by(mut self, store: impl Fn(Tensor<2>) -> StoredWeight) -> Self {
        self.stored = Some([&self.a, &self.b].map(|matrix| store(matrix.val())));
        self
    }

    /// Its addition to the weight. `[inputs, outputs]`
    pub(crate) fn delta(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()) * self.scale
    }
}
