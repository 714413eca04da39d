//! Logits of a few rows at a time, and the gradients of hidden states and head that follow from theirs.

use std::sync::Arc;

use burn_flex::FlexTensor;

use crate::Precision;
use crate::host::{dims, tensor, values};
use crate::linear::{Panels, matrix};
use crate::product::{MatRef, RightSide, product, round_to_bf16};

/// Product of hidden states with a head.
#[derive(Clone, Debug)]
pub(crate) struct Multiply {
    /// Whether the head is an embedding `[V, D]`, to be transposed.
    pub tied: bool,
    /// The head, if it is a stored weight and not a tensor.
    pub stored: Option<Arc<Panels>>,
    pub precision: Precision,
}

/// Hidden states and head, with their gradients accumulated so far.
pub(crate) struct LogitRows<'a> {
    how: &'a Multiply,
    /// `[N, D]`
    hidden: &'a [f32],
    head: Factor<'a>,
    /// `[N, D]`, if wanted.
    hidden_gradient: Option<Vec<f32>>,
    /// `[D, V]`, or `[V, D]` if the head is an embedding; if wanted.
    head_gradient: Option<Vec<f32>>,
}

/// The matrix that multiplies the hidden states.
enum Factor<'a> {
    /// `[D, V]`, and `[V, D]`, if the gradient of the hidden states is wanted.
    Tensor(RightSide<'a>, Option<RightSide<'a>>),
    /// `[D, V]`, without a gradient.
    Stored(&'a Panels),
}

/// Hidden states and logits of the current rows; the memory is reused for one set of rows after the other.
#[derive(Default)]
pub(crate) struct LogitChunk {
    chosen: Vec<f32>,
    /// `[rows, V]`; in the end their gradients.
    pub logits: Vec<f32>,
}

impl<'a> LogitRows<'a> {
    /// Rows of `hidden`, which is contiguous; `head` is there unless it is stored. Gradients of either input are kept
    /// only if wanted.
    pub fn new(hidden: &'a FlexTensor, head: Option<&'a FlexTensor>, how: &'a Multiply, wanted: [bool; 2]) -> Self {
        let hidden = values(hidden);
        let hidden_gradient = wanted[0].then(|| vec![0.0; hidden.len()]);
        if let Some(stored) = &how.stored {
            return Self { how, hidden, head: Factor::Stored(stored), hidden_gradient, head_gradient: None };
        }
        let mut head = matrix(head.expect("a head that is not stored is an input"));
        if how.tied {
            head = head.transposed();
        }
        let transposed = wanted[0].then(|| head.transposed().as_right_side(how.precision));
        Self {
            how,
            hidden,
            hidden_gradient,
            head_gradient: wanted[1].then(|| vec![0.0; head.rows * head.cols]),
            head: Factor::Tensor(head.as_right_side(how.precision), transposed),
        }
    }

    /// D and V.
    fn dims(&self) -> [usize; 2] {
        match &self.head {
            Factor::Tensor(head, _) => [head.matrix().rows, head.matrix().cols],
            Factor::Stored(head) => head.dims(),
        }
    }

    /// D
    fn width(&self) -> usize {
        self.dims()[0]
    }

    /// V
    pub fn vocabulary(&self) -> usize {
        self.dims()[1]
    }

    /// Number of rows whose logits are in memory at once: few enough to stay in the cache, and enough for packing the
    /// head to pay off.
    pub fn at_a_time(&self) -> usize {
        ((1 << 20) / self.vocabulary().max(1)).max(256)
    }

    /// The logits of some rows.
    pub fn logits(&self, rows: &[usize], chunk: &mut LogitChunk) {
        let width = self.width();
        chunk.chosen.clear();
        for row in rows {
            chunk.chosen.extend_from_slice(&self.hidden[row * width..][..width]);
        }
        match &self.head {
            Factor::Tensor(head, _) => {
                chunk.logits.resize(rows.len() * self.vocabulary(), 0.0);
                let chosen = MatRef::row_major(&chunk.chosen, rows.len(), width);
                product(chosen, head.matrix(), &mut chunk.logits, false, self.how.precision);
            }
            Factor::Stored(head) => {
                if self.how.precision == Precision::Bf16 {
                    chunk.chosen.iter_mut().for_each(|x| *x = round_to_bf16(*x));
                }
                // Freed first, so that the memory is not allocated twice.
                chunk.logits = vec![];
                chunk.logits = head.multiply(&chunk.chosen, rows.len(), None);
            }
        }
    }

    /// Adds the gradients that follow from a chunk whose logits have become their own gradients.
    pub fn add_gradients(&mut self, rows: &[usize], chunk: &LogitChunk) {
        let (width, vocabulary) = (self.width(), self.vocabulary());
        let gradients = MatRef::row_major(&chunk.logits, rows.len(), vocabulary);
        if let Some(all) = &mut self.hidden_gradient {
            let of_hidden = match &self.head {
                Factor::Tensor(_, head) => {
                    let head = head.as_ref().expect("the transpose is there where this gradient is wanted");
                    let mut of_hidden = vec![0.0; rows.len() * width];
                    product(gradients, head.matrix(), &mut of_hidden, false, self.how.precision);
                    of_hidden
                }
                Factor::Stored(head) => head.input_gradient(&chunk.logits, rows.len(), self.how.precision),
            };
            for (of_hidden, row) in of_hidden.chunks_exact(width).zip(rows) {
                all[row * width..][..width].copy_from_slice(of_hidden);
            }
        }
        if let Some(of_head) = &mut self.head_gradient {
            let chosen = MatRef::row_major(&chunk.chosen, rows.len(), width);
            let (a, b) = match self.how.tied {
                true => (gradients.transposed(), chosen),
                false => (chosen.transposed(), gradients),
            };
            product(a, b, of_head, true, self.how.precision);
        }
    }

    /// The gradients of hidden states and head, those that are wanted.
    pub fn into_gradients(self) -> [Option<FlexTensor>; 2] {
        let (width, vocabulary) = (self.width(), self.vocabulary());
        let head_shape = if self.how.tied { [vocabulary, width] } else { [width, vocabulary] };
        [
            self.hidden_gradient.map(|gradient| tensor(gradient, [self.hidden.len() / width, width])),
            self.head_gradient.map(|gradient| tensor(gradient, head_shape)),
        ]
    }
}

/// The number of rows of a matrix.
pub(crate) fn row_count(hidden: &FlexTensor) -> usize {
    dims(hidden)[0]
}
