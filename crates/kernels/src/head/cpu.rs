//! Logits of some rows at a time, and what their gradients say of hidden states and head.

use burn_flex::FlexTensor;

use crate::Precision;
use crate::host::{dims, tensor, values};
use crate::linear::matrix;
use crate::product::{MatRef, product};

/// How a head is to be multiplied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multiply {
    /// Whether the head is an embedding `[V, D]`, to be transposed.
    pub tied: bool,
    pub precision: Precision,
}

/// Hidden states with a head, and the gradients of both so far.
pub(crate) struct Rows<'a> {
    how: Multiply,
    /// `[N, D]`
    hidden: &'a [f32],
    /// `[D, V]`
    head: MatRef<'a>,
    /// `[N, D]`, if wanted.
    hidden_gradient: Option<Vec<f32>>,
    /// `[D, V]`, or `[V, D]` where the head is an embedding; if wanted.
    head_gradient: Option<Vec<f32>>,
}

/// The hidden states and the logits of the rows that are at hand.
pub(crate) struct Piece {
    chosen: Vec<f32>,
    /// `[rows, V]`; in the end their gradients.
    pub logits: Vec<f32>,
}

impl<'a> Rows<'a> {
    /// Rows of `hidden`, which is contiguous. Gradients of either input are kept only if wanted.
    pub fn new(hidden: &'a FlexTensor, head: &'a FlexTensor, how: Multiply, wanted: [bool; 2]) -> Self {
        let mut head = matrix(head);
        if how.tied {
            head = head.transposed();
        }
        let hidden = values(hidden);
        Self {
            how,
            hidden,
            head,
            hidden_gradient: wanted[0].then(|| vec![0.0; hidden.len()]),
            head_gradient: wanted[1].then(|| vec![0.0; head.rows * head.cols]),
        }
    }

    /// V
    pub fn vocabulary(&self) -> usize {
        self.head.cols
    }

    /// Rows whose logits are held at once: few, so that they stay in the cache, but enough for the products to be worth packing the head.
    pub fn at_a_time(&self) -> usize {
        ((1 << 20) / self.vocabulary().max(1)).max(256)
    }

    /// The logits of some rows.
    pub fn logits(&self, rows: &[usize]) -> Piece {
        let width = self.head.rows;
        let chosen: Vec<f32> = rows.iter().flat_map(|row| &self.hidden[row * width..][..width]).copied().collect();
        let mut logits = vec![0.0; rows.len() * self.vocabulary()];
        product(MatRef::row_major(&chosen, rows.len(), width), self.head, &mut logits, false, self.how.precision);
        Piece { chosen, logits }
    }

    /// Adds the gradients that follow from a piece whose logits have become their own gradients.
    pub fn add_gradients(&mut self, rows: &[usize], piece: &Piece) {
        let (width, vocabulary) = (self.head.rows, self.head.cols);
        let gradients = MatRef::row_major(&piece.logits, rows.len(), vocabulary);
        if let Some(all) = &mut self.hidden_gradient {
            let mut of_hidden = vec![0.0; rows.len() * width];
            product(gradients, self.head.transposed(), &mut of_hidden, false, self.how.precision);
            for (of_hidden, row) in of_hidden.chunks_exact(width).zip(rows) {
                all[row * width..][..width].copy_from_slice(of_hidden);
            }
        }
        if let Some(of_head) = &mut self.head_gradient {
            let chosen = MatRef::row_major(&piece.chosen, rows.len(), width);
            let (a, b) = match self.how.tied {
                true => (gradients.transposed(), chosen),
                false => (chosen.transposed(), gradients),
            };
            product(a, b, of_head, true, self.how.precision);
        }
    }

    /// The gradients of hidden states and head, those that are wanted.
    pub fn into_gradients(self) -> [Option<FlexTensor>; 2] {
        let (width, vocabulary) = (self.head.rows, self.head.cols);
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
