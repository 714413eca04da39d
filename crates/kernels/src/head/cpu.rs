//! Logits of some rows at a time, and what their gradients say of hidden states and head.

use burn_flex::FlexTensor;

use crate::Precision;
use crate::host::{dims, tensor, values};
use crate::linear::matrix;
use crate::product::{MatRef, RightSide, product};

/// How a head is to be multiplied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multiply {
    /// Whether the head is an embedding `[V, D]`, to be transposed.
    pub tied: bool,
    pub precision: Precision,
}

/// Hidden states with a head, and the gradients of both so far.
pub(crate) struct LogitRows<'a> {
    how: Multiply,
    /// `[N, D]`
    hidden: &'a [f32],
    /// `[D, V]`
    head: RightSide<'a>,
    /// `[V, D]`, if the gradient of the hidden states is wanted.
    head_transposed: Option<RightSide<'a>>,
    /// `[N, D]`, if wanted.
    hidden_gradient: Option<Vec<f32>>,
    /// `[D, V]`, or `[V, D]` where the head is an embedding; if wanted.
    head_gradient: Option<Vec<f32>>,
}

/// The hidden states and the logits of the rows that are at hand; their memory serves one set of rows after the other.
#[derive(Default)]
pub(crate) struct Piece {
    chosen: Vec<f32>,
    /// `[rows, V]`; in the end their gradients.
    pub logits: Vec<f32>,
}

impl<'a> LogitRows<'a> {
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
            head: head.as_right_side(how.precision),
            head_transposed: wanted[0].then(|| head.transposed().as_right_side(how.precision)),
            hidden_gradient: wanted[0].then(|| vec![0.0; hidden.len()]),
            head_gradient: wanted[1].then(|| vec![0.0; head.rows * head.cols]),
        }
    }

    /// D
    fn width(&self) -> usize {
        self.head.matrix().rows
    }

    /// V
    pub fn vocabulary(&self) -> usize {
        self.head.matrix().cols
    }

    /// Rows whose logits are held at once: few, so that they stay in the cache, but enough for the
    /// products to be worth packing the head.
    pub fn at_a_time(&self) -> usize {
        ((1 << 20) / self.vocabulary().max(1)).max(256)
    }

    /// The logits of some rows.
    pub fn logits(&self, rows: &[usize], piece: &mut Piece) {
        let width = self.width();
        piece.chosen.clear();
        for row in rows {
            piece.chosen.extend_from_slice(&self.hidden[row * width..][..width]);
        }
        piece.logits.resize(rows.len() * self.vocabulary(), 0.0);
        let chosen = MatRef::row_major(&piece.chosen, rows.len(), width);
        product(chosen, self.head.matrix(), &mut piece.logits, false, self.how.precision);
    }

    /// Adds the gradients that follow from a piece whose logits have become their own gradients.
    pub fn add_gradients(&mut self, rows: &[usize], piece: &Piece) {
        let (width, vocabulary) = (self.width(), self.vocabulary());
        let gradients = MatRef::row_major(&piece.logits, rows.len(), vocabulary);
        if let (Some(all), Some(head)) = (&mut self.hidden_gradient, &self.head_transposed) {
            let mut of_hidden = vec![0.0; rows.len() * width];
            product(gradients, head.matrix(), &mut of_hidden, false, self.how.precision);
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
