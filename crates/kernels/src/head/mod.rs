//! The head of a decoder: the linear map from its last layer to the vocabulary, which losses compute some rows at a
//! time.

#[cfg(feature = "flex")]
pub(crate) mod cpu;

use burn::tensor::Tensor;

use crate::Precision;

/// What a head of `[D, V]` is multiplied from.
#[derive(Clone, Debug)]
pub enum Head {
    /// `[D, V]`
    Matrix(Tensor<2>),
    /// The token embedding, `[V, D]`, whose transpose is the head.
    Embedding(Tensor<2>),
}

impl Head {
    /// V
    pub(crate) fn vocabulary(&self) -> usize {
        match self {
            Self::Matrix(head) => head.dims()[1],
            Self::Embedding(embedding) => embedding.dims()[0],
        }
    }

    /// The logits of `[N, D]`, by burn's operations: `[N, V]`.
    pub(crate) fn logits(self, hidden: Tensor<2>, precision: Precision) -> Tensor<2> {
        let head = match self {
            Self::Matrix(head) => head,
            Self::Embedding(embedding) => embedding.transpose(),
        };
        precision.result(precision.operand(hidden).matmul(precision.operand(head)))
    }

    /// The tensor, and whether it is an embedding.
    #[cfg(feature = "flex")]
    pub(crate) fn into_parts(self) -> (Tensor<2>, bool) {
        match self {
            Self::Matrix(head) => (head, false),
            Self::Embedding(embedding) => (embedding, true),
        }
    }
}
