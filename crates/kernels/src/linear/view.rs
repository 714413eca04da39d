//! View of a weight in host memory.

use burn_flex::FlexTensor;

use crate::host::dims;

/// A weight `[I, O]` in contiguous memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct WeightView<'a> {
    pub inputs: usize,
    pub outputs: usize,
    /// Whether the memory holds `[O, I]`.
    pub transposed: bool,
    pub values: &'a [f32],
}

impl<'a> WeightView<'a> {
    /// View of a tensor of two axes; `None` if it is neither contiguous row by row nor the transpose of such a tensor.
    pub fn of(weight: &'a FlexTensor) -> Option<Self> {
        let [inputs, outputs] = dims(weight)[..] else { unreachable!("a weight has two axes") };
        let strides = weight.layout().strides();
        let transposed = match *strides {
            [row, 1] if row == outputs as isize => false,
            [1, column] if column == inputs as isize => true,
            _ => return None,
        };
        let place = weight.layout().start_offset()..weight.layout().start_offset() + inputs * outputs;
        let values = &weight.storage::<f32>()[place];
        Some(Self { inputs, outputs, transposed, values })
    }
}
