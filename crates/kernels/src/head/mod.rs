//! The head of a decoder: the linear map from its last layer to the vocabulary. Losses compute it a few rows at a time.

#[cfg(feature = "flex")]
pub(crate) mod cpu;

use burn::tensor::Tensor;

use crate::{Precision, StoredWeight};

/// The matrix of a head, `[D, V]`.
#[derive(Clone, Debug)]
pub enum Head {
    /// `[D, V]`
    Matrix(Tensor<2>),
    /// The token embedding, `[V, D]`, whose transpose is the head.
    Embedding(Tensor<2>),
    /// `[D, V]`, in a format that cannot be trained.
    Stored(StoredWeight),
}

impl Head {
    /// V
    pub(crate) fn vocabulary(&self) -> usize {
        match self {
            Self::Matrix(head) => head.dims()[1],
            Self::Embedding(embedding) => embedding.dims()[0],
            Self::Stored(head) => head.dims()[1],
        }
    }

    /// The logits of `[N, D]`, by burn's operations: `[N, V]`.
    pub(crate) fn logits(self, hidden: Tensor<2>, precision: Precision) -> Tensor<2> {
        let head = match self {
            Self::Matrix(head) => head,
            Self::Embedding(embedding) => embedding.transpose(),
            Self::Stored(head) => return head.linear(hidden, None, precision),
        };
        precision.result(precision.operand(hidden).matmul(precision.operand(head)))
    }

    /// The head as kernels multiply with it, and its tensor as an input of the kernel; a stored head has none.
    #[cfg(feature = "flex")]
    pub(crate) fn into_parts(self, precision: Precision) -> (cpu::Multiply, Option<Tensor<2>>) {
        let how = |tied, stored| cpu::Multiply { tied, stored, precision };
        match self {
            Self::Matrix(head) => (how(false, None), Some(head)),
            Self::Embedding(embedding) => (how(true, None), Some(embedding)),
            Self::Stored(head) => {
                let panels = head.panels().expect("the hidden states are on the host, and so is the head");
                (how(false, Some(panels.clone())), None)
            }
        }
    }
}
