//! The adapter of one linear map.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_kernels::{Precision, StoredWeight};

use crate::weight::Weight;

/// Adapter of one linear map.
#[derive(Module, Debug)]
pub struct Adapter {
    /// A, `[inputs, rank]`
    a: Weight,
    /// B, `[rank, outputs]`
    b: Weight,
    /// `alpha / rank`
    scale: f64,
}

impl Adapter {
    /// A, `[inputs, rank]`, and B, `[rank, outputs]`, whose product is multiplied by `scale`, `alpha / rank`.
    pub(super) fn new(a: Tensor<2>, b: Tensor<2>, scale: f64) -> Self {
        Self { a: Weight::trained(a), b: Weight::trained(b), scale }
    }

    /// # Shapes
    /// `[N, inputs]` → `[N, outputs]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        self.b.linear(self.a.linear(x, None, precision), None, precision) * self.scale
    }

    /// The adapter with its matrices in another format, in which they are not trained.
    #[must_use]
    pub(crate) fn stored_by(mut self, store: impl Fn(Tensor<2>) -> StoredWeight) -> Self {
        (self.a, self.b) = (self.a.stored_by(&store), self.b.stored_by(&store));
        self
    }

    /// Its addition to the weight. `[inputs, outputs]`
    ///
    /// # Panics
    /// When its matrices cannot be trained: adapters are merged before they are stored.
    pub(crate) fn delta(&self) -> Tensor<2> {
        let [a, b] = [&self.a, &self.b].map(|matrix| matrix.parameter().expect("a trained adapter").val());
        a.matmul(b) * self.scale
    }
}
