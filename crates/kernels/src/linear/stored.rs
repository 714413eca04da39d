//! The number formats that a weight can be stored in.

use burn::backend::TensorMetadata;
use burn::tensor::quantization::{BlockSize, QuantScheme};
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexQTensor, FlexTensor, Layout};
use half::bf16;
use rayon::prelude::*;

use super::INT8_BLOCK;
use crate::host::{contiguous, dims, values};

/// A weight `[I, O]` in memory, without gaps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored<'a> {
    pub inputs: usize,
    pub outputs: usize,
    /// Whether the memory holds `[O, I]`.
    pub turned: bool,
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

impl<'a> Stored<'a> {
    /// Of a tensor of two axes; `None` of a view that is neither the whole of its memory row by row nor that transposed.
    pub fn of(weight: &'a FlexTensor) -> Option<Self> {
        let [inputs, outputs] = dims(weight)[..] else { unreachable!("a weight has two axes") };
        let strides = weight.layout().strides();
        let turned = match *strides {
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
        Some(Self { inputs, outputs, turned, values })
    }

    /// Of a quantised weight.
    ///
    /// # Panics
    /// When it is not in blocks of [`INT8_BLOCK`] values of a row.
    pub fn of_quantized(weight: &'a FlexQTensor) -> Self {
        let tensor = weight.tensor();
        let [inputs, outputs] = dims(tensor)[..] else { unreachable!("a weight has two axes") };
        let DType::QFloat(scheme) = weight.dtype() else { unreachable!("a quantised weight") };
        let blocks_fit = scheme.block_size() == Some(BlockSize::new([INT8_BLOCK as u8]));
        assert!(blocks_fit && tensor.is_contiguous(), "int8 weights have a scale for {INT8_BLOCK} values of a row");
        let values = Values::Int8 { values: tensor.storage::<i8>(), scales: weight.scales() };
        Self { inputs, outputs, turned: false, values }
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

/// A weight of f32 in int8: `scale = max |w| / 127` over each block of a row, `round(w / scale)`.
///
/// # Panics
/// When the rows are not a whole number of blocks.
pub(crate) fn quantize(weight: FlexTensor, scheme: QuantScheme) -> FlexQTensor {
    let weight = contiguous(weight);
    let shape = dims(&weight);
    assert!(shape[1].is_multiple_of(INT8_BLOCK), "{} columns are no whole number of blocks", shape[1]);
    let block = |block: &[f32]| {
        let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let scale = if largest == 0.0 { 1.0 } else { largest / 127.0 };
        let rounded: [i8; INT8_BLOCK] = std::array::from_fn(|i| (block[i] / scale).round() as i8);
        (rounded, scale)
    };
    let (values, scales): (Vec<[i8; INT8_BLOCK]>, Vec<f32>) =
        values(&weight).par_chunks_exact(INT8_BLOCK).map(block).unzip();
    let values = Bytes::from_elems(values.into_flattened());
    let tensor = FlexTensor::new(values, Layout::contiguous(Shape::from(shape)), DType::I8);
    FlexQTensor::new(tensor, scheme, scales, None)
}
