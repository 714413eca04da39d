//! A weight as it lies in the host's memory.

use burn::tensor::DType;
use burn_flex::FlexTensor;
use half::bf16;
use rayon::prelude::*;

use super::INT8_BLOCK;
use crate::host::dims;
use crate::product::MatRef;

/// A weight `[I, O]` in memory, without gaps.
#[derive(Clone, Copy, Debug)]
pub(super) struct WeightView<'a> {
    pub inputs: usize,
    pub outputs: usize,
    /// Whether the memory holds `[O, I]`.
    pub transposed: bool,
    pub values: Values<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Values<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    /// A value is to be multiplied by the scale of its block, which is [`INT8_BLOCK`] values of a row.
    Int8 {
        values: &'a [i8],
        scales: &'a [f32],
    },
}

impl<'a> WeightView<'a> {
    /// Of a tensor of two axes; `None` of a view that is neither the whole of its memory row by row
    /// nor that transposed.
    pub fn of(weight: &'a FlexTensor) -> Option<Self> {
        let [inputs, outputs] = dims(weight)[..] else { unreachable!("a weight has two axes") };
        let strides = weight.layout().strides();
        let transposed = match *strides {
            [row, 1] if row == outputs as isize => false,
            [1, column] if column == inputs as isize => true,
            _ => return None,
        };
        let place = weight.layout().start_offset()..weight.layout().start_offset() + inputs * outputs;
        let values = match weight.dtype() {
            DType::F32 => Values::F32(&weight.storage::<f32>()[place]),
            DType::BF16 => Values::Bf16(&weight.storage::<bf16>()[place]),
            other => panic!("weights of {other:?}"),
        };
        Some(Self { inputs, outputs, transposed, values })
    }

    /// Its numbers, or others in their places, as a matrix.
    pub fn matrix<'n, N>(&self, numbers: &'n [N]) -> MatRef<'n, N> {
        match self.transposed {
            false => MatRef::row_major(numbers, self.inputs, self.outputs),
            true => MatRef::row_major(numbers, self.outputs, self.inputs).transposed(),
        }
    }

    /// The weight in f32, as it lies in memory.
    pub fn widened(&self) -> Vec<f32> {
        match self.values {
            Values::F32(values) => values.to_vec(),
            Values::Bf16(values) => values.par_iter().map(|value| value.to_f32()).collect(),
            Values::Int8 { values, scales } => {
                let blocks = values.par_chunks(INT8_BLOCK).zip(scales);
                blocks.flat_map_iter(|(values, scale)| values.iter().map(move |&v| f32::from(v) * scale)).collect()
            }
        }
    }
}
