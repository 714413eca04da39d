//! Operations that need the outputs of a weight in [`Panels`] one after another, which is not their order in memory:
//! the gradient of a product's input, and the rows of an embedding. They widen a slab of outputs at a time, so that
//! their memory does not grow with the weight.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::panels::Panels;
use crate::Precision;
use crate::host::{CHUNK, dims, tensor, values};
use crate::product::{MatRef, product};

/// Approximate number of weights in a slab: 4 MiB.
const SLAB: usize = 1 << 20;

impl Panels {
    /// The gradient of `[N, I]`, from that of `x·W`, `[N, O]`: `dy·Wᵀ`.
    pub(crate) fn input_gradient(&self, dy: &[f32], rows: usize, precision: Precision) -> Vec<f32> {
        let [inputs, outputs] = self.dims();
        let mut dx = vec![0.0; rows * inputs];
        let mut slab = vec![];
        let step = (SLAB / inputs.max(1)).max(64);
        for first in (0..outputs).step_by(step) {
            let count = step.min(outputs - first);
            slab.clear();
            self.widen_outputs(first..first + count, &mut slab);
            let dy = MatRef { data: &dy[first..], rows, cols: count, row_stride: outputs, col_stride: 1 };
            product(dy, MatRef::row_major(&slab, count, inputs), &mut dx, first > 0, precision);
        }
        dx
    }

    /// [`input_gradient`](Self::input_gradient) of tensors.
    pub(crate) fn input_gradient_of(&self, dy: &FlexTensor, precision: Precision) -> FlexTensor {
        let rows = dims(dy)[0];
        tensor(self.input_gradient(values(dy), rows, precision), [rows, self.dims()[0]])
    }

    /// The weights of some outputs, one after another: `[ids, I]`.
    pub(super) fn outputs(&self, ids: &[usize]) -> Vec<f32> {
        let [inputs, outputs] = self.dims();
        let of_some = |ids: &[usize]| {
            let mut rows = Vec::with_capacity(ids.len() * inputs);
            for &id in ids {
                assert!(id < outputs, "output {id} of {outputs}");
                self.widen_outputs(id..id + 1, &mut rows);
            }
            rows
        };
        ids.par_chunks((CHUNK / inputs.max(1)).max(1)).flat_map_iter(of_some).collect()
    }
}
